// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "family.hpp"

namespace handoff {

/// Has requests of its own served, and uploads by curl where there is one; throws if a check fails. For ctest.
void self_test(options wanted);

} // namespace handoff
