// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <string>

namespace test {

/// Gives `to` a handle of the same name, by a ticket (DUP-2), for any two kinds of peers. The answer of the redemption, or of the
/// failed duplication.
template <class From, class To>
std::string share(From& from, const std::string& handle, To& to)
{
    const std::string ticket = from.ask("duplicate " + handle + " " + to.pid());
    return ticket.compare(0, 6, "error:") == 0 ? ticket : to.ask("redeem " + handle + " " + ticket);
}

} // namespace test
