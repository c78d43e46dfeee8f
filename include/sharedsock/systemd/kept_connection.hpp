// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>
#include <sharedsock/hand_over.hpp>
#include <sharedsock/systemd/notifier.hpp>
#include <sharedsock/systemd/passed_descriptors.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sharedsock::systemd {

/// A live connection that the service manager has kept while no process of the service had it, with its carry as it was stored.
struct kept_connection {
    passed_descriptor socket;
    std::vector<std::byte> bytes; ///< that were read from it and not worked on
    std::uint64_t tag = 0;        ///< the application's
};

/// Lets the manager keep a connection together with its carry, under a name that the application chooses and that is unique among
/// its connections: the connection survives the death of every process of the service. The carry travels in sealed memory beside
/// it, so it counts as two descriptors in FileDescriptorStoreMax=. To replace the carry, keep the connection under another name
/// first, then `forget` the old one: there is no moment without it. The manager does not drop a connection that its peer has ended,
/// because data may wait in it: `forget` the name when the connection closes.
///
/// `errc::carry_too_large`; `std::errc::too_many_files_open` and others of memfd_create(2); else as `notifier::store`.
/// Threads, processes, fork(2): as `notifier`.
void keep_connection(const notifier& manager, std::string_view name, int socket, const carry& with, error_code& ec);
void keep_connection(const notifier& manager, std::string_view name, int socket, const carry& with = {});

/// Takes the connections that `keep_connection` stored out of what was passed, and leaves all other descriptors there. Memory
/// without its connection, and a connection without its memory, are left there too, as is a name that occurs more than twice. An
/// error of pread(2), and std::bad_alloc: the connections that were not read stay in `from`.
std::vector<kept_connection> take_kept_connections(passed_descriptors& from, error_code& ec);
std::vector<kept_connection> take_kept_connections(passed_descriptors& from);

} // namespace sharedsock::systemd
