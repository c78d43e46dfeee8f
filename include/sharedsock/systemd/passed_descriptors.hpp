// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>
#include <sharedsock/socket_address.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sharedsock::systemd {

/// A descriptor that the service manager passed to this process, and its name. Owns the descriptor. One thread at a time.
class passed_descriptor {
public:
    passed_descriptor() noexcept = default; ///< none
    passed_descriptor(std::string name, int descriptor) noexcept : name_(std::move(name)), descriptor_(descriptor) {}
    passed_descriptor(passed_descriptor&& other) noexcept
        : name_(std::move(other.name_)), descriptor_(std::exchange(other.descriptor_, -1))
    {}
    passed_descriptor& operator=(passed_descriptor&& other) noexcept;
    ~passed_descriptor(); ///< closes it

    explicit operator bool() const noexcept { return descriptor_ >= 0; }
    /// FileDescriptorName= of a socket unit, or the FDNAME it was stored with; "unknown" if it has none.
    const std::string& name() const noexcept { return name_; }
    int native_handle() const noexcept { return descriptor_; }        ///< -1 if there is none
    int release() noexcept { return std::exchange(descriptor_, -1); } ///< gives it to the caller
    /// Whether it is a socket of this type (SOCK_STREAM, ...) that is bound to this address. An address with port 0 stands for
    /// every port. False for a descriptor that is no socket.
    bool is_socket(int type, const socket_address& bound_to) const noexcept;

private:
    std::string name_;
    int descriptor_ = -1;
};

/// The descriptors that the service manager passed to this process: those of its socket units, then those that the manager has kept
/// for it (sd_listen_fds(3)).
///
///     auto passed = systemd::passed_descriptors::receive();
///     auto listener = passed.take("web"); // FileDescriptorName=web
///     auto shared = listener ? shared_socket::adopt(segment, listener.native_handle()) : shared_socket::listen(segment, address);
///     listener.release();                 // the handle has taken it over
///
/// The destructor closes those that were not taken. Threads: one at a time. fork(2): the child's copy owns the child's descriptors.
class passed_descriptors {
public:
    passed_descriptors() noexcept = default; ///< none

    /// Takes what was passed, once: the variables LISTEN_PID, LISTEN_PIDFDID, LISTEN_FDS and LISTEN_FDNAMES leave the environment
    /// and the descriptors become close-on-exec, so that no program which this process starts takes them for its own. Call it
    /// before other threads exist, because unsetenv(3) is not safe beside them. Empty, without an error, if nothing was passed, or
    /// if it was passed to another process (a parent).
    ///
    /// `errc::bad_manager_variable`: a variable is malformed, counts descriptors that are not open, or has another number of names;
    /// nothing was changed: start the process from a manager, or without these variables. The form without `ec` throws
    /// `system_error`.
    static passed_descriptors receive(error_code& ec);
    static passed_descriptors receive();

    std::size_t size() const noexcept { return all_.size(); }
    bool empty() const noexcept { return all_.empty(); }
    auto begin() const noexcept { return all_.begin(); }
    auto end() const noexcept { return all_.end(); }

    /// Takes the first of this name out of the set; none if there is none. A unit with several addresses passes several of one
    /// name.
    passed_descriptor take(std::string_view name) noexcept;
    /// Takes the first for which `is_socket(type, bound_to)` out of the set; none if there is none.
    passed_descriptor take(int type, const socket_address& bound_to) noexcept;

private:
    passed_descriptor take_at(std::size_t index) noexcept;

    std::vector<passed_descriptor> all_; // in the manager's order
};

} // namespace sharedsock::systemd
