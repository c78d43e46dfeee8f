// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "handle.hpp"

#include <sharedsock/hand_over.hpp>

namespace sharedsock::detail {

/// What `sharedsock::hand_over` does, for whoever keeps the handle alive in another way. On success `handed` has ended.
void hand_over(handle& handed, process_id target, const carry& with, error_code& ec);

} // namespace sharedsock::detail
