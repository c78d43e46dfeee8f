// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// The CMake target sharedsock::asio_source adds this file to a program.
#include <sharedsock/asio/src.hpp>
