// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "fault/operations/operations.hpp"

namespace test {

const std::vector<operation>& operations()
{
    static const std::vector<operation> list = [] {
        std::vector<operation> all;
        add_handle_steps(all);
        add_registration_steps(all);
        add_ticket_steps(all);
        add_sweep_steps(all);
        return all;
    }();
    return list;
}

} // namespace test
