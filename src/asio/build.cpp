// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include <sharedsock/asio/detail/build.hpp>

extern "C" void SHAREDSOCK_ASIO_REMEDY() noexcept {}
