// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

// Where the operations of this folder wait until their descriptors are ready. There are two reactors with one interface, and
// <sharedsock/asio/detail/build.hpp> chooses: Asio's own (interior_reactor), or, for an Asio whose interior is not known or is not
// epoll, one on Asio's public interface (public_reactor). Each gives `reactor_operation`, `queued_operation`, `reactor_descriptor`,
// `make_reactor` and `prepare_reactor`; the other one's files are empty then.
#include "asio/interior_reactor.hpp"
#include "asio/public_reactor.hpp"
