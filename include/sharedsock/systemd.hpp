// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

/// The protocols between a service and systemd(1), without libsystemd: listeners that were opened before the start, notifications,
/// and descriptors that the manager keeps while no process of the service has them. Needs no segment. Other managers speak the same
/// protocols.
#include <sharedsock/systemd/kept_connection.hpp>
#include <sharedsock/systemd/notifier.hpp>
#include <sharedsock/systemd/passed_descriptors.hpp>
