// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/graveyard.hpp"

#include <utility>

namespace sharedsock::detail {

void graveyard::bury(std::shared_ptr<buriable> one) noexcept
{
    if (one->buried_) return; // a second reference to an object in the list; the list keeps it
    one->buried_      = true;
    one->next_buried_ = std::move(first_);
    first_            = std::move(one);
}

graveyard::~graveyard()
{
    while (first_ != nullptr) {
        first_->buried_                = false;
        std::shared_ptr<buriable> rest = std::move(first_->next_buried_);
        first_                         = std::move(rest); // destroys the former first object
    }
}

} // namespace sharedsock::detail
