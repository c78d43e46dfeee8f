// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

/// All of sharedsock except the part that needs Boost.Asio (`<sharedsock/asio.hpp>`).
#include <sharedsock/error.hpp>
#include <sharedsock/event_object.hpp>
#include <sharedsock/hand_over.hpp>
#include <sharedsock/network_event.hpp>
#include <sharedsock/prefork.hpp>
#include <sharedsock/process_id.hpp>
#include <sharedsock/registration.hpp>
#include <sharedsock/restart.hpp>
#include <sharedsock/segment.hpp>
#include <sharedsock/shared_socket.hpp>
#include <sharedsock/socket_address.hpp>
#include <sharedsock/systemd.hpp>
#include <sharedsock/ticket.hpp>
#include <sharedsock/turn_acceptor.hpp>
