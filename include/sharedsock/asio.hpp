// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

/// All that needs Boost.Asio: registrations that deliver to an executor, and serving on one.
#include <sharedsock/asio/acceptor.hpp>
#include <sharedsock/asio/async_select.hpp>
#include <sharedsock/asio/beat.hpp>
#include <sharedsock/asio/datagram.hpp>
#include <sharedsock/asio/hand_over.hpp>
#include <sharedsock/asio/serve.hpp>
#include <sharedsock/asio/stream.hpp>
