// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

/// The life of a service whose running program is replaced by its next version: listeners and live connections cross, with the
/// bytes already read, or come back. Needs no segment.
#include <sharedsock/restart/descriptor.hpp>
#include <sharedsock/restart/event.hpp>
#include <sharedsock/restart/generation.hpp>
#include <sharedsock/restart/options.hpp>
