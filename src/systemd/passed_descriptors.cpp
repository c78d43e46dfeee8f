// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/unique_fd.hpp"
#include "systemd/variables.hpp"

#include <sharedsock/systemd/passed_descriptors.hpp>

#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sharedsock::systemd {

using sharedsock::detail::unique_fd;

namespace {

constexpr int first_passed = 3; // SD_LISTEN_FDS_START

bool without_port_equal(const socket_address& bound, const socket_address& asked) noexcept
{
    if (asked.port() != 0 || bound.family() != asked.family()) return false;
    socket_address other = bound;
    if (bound.family() == AF_INET)
        reinterpret_cast<sockaddr_in*>(other.data())->sin_port = 0;
    else if (bound.family() == AF_INET6)
        reinterpret_cast<sockaddr_in6*>(other.data())->sin6_port = 0;
    return other == asked;
}

} // namespace

passed_descriptor& passed_descriptor::operator=(passed_descriptor&& other) noexcept
{
    if (this == &other) return *this;
    const unique_fd before(descriptor_);
    name_       = std::move(other.name_);
    descriptor_ = std::exchange(other.descriptor_, -1);
    return *this;
}

passed_descriptor::~passed_descriptor() { const unique_fd closes(descriptor_); }

bool passed_descriptor::is_socket(int type, const socket_address& bound_to) const noexcept
{
    int found      = 0;
    socklen_t size = sizeof found;
    if (::getsockopt(descriptor_, SOL_SOCKET, SO_TYPE, &found, &size) != 0 || found != type) return false;
    socket_address bound;
    size = socket_address::capacity();
    if (::getsockname(descriptor_, bound.data(), &size) != 0) return false;
    bound.resize(size);
    return bound == bound_to || without_port_equal(bound, bound_to);
}

passed_descriptors passed_descriptors::receive(error_code& ec)
{
    ec.clear();
    passed_descriptors passed;
    const auto names = sharedsock::detail::manager_text::passed_names(::getpid(), ::getenv("LISTEN_PID"), ::getenv("LISTEN_FDS"),
                                                                      ::getenv("LISTEN_FDNAMES"));
    if (!names) {
        ec = errc::bad_manager_variable;
        return passed;
    }
    for (std::size_t i = 0; i < names->size(); ++i)
        if (::fcntl(first_passed + static_cast<int>(i), F_GETFD) < 0) {
            ec = errc::bad_manager_variable;
            return passed;
        }
    passed.all_.reserve(names->size());
    for (std::size_t i = 0; i < names->size(); ++i) {
        const int number = first_passed + static_cast<int>(i);
        passed.all_.emplace_back((*names)[i], number);
        ::fcntl(number, F_SETFD, FD_CLOEXEC); // fails for a bad number only
    }
    for (const char* const variable : {"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"})
        ::unsetenv(variable);
    return passed;
}

passed_descriptors passed_descriptors::receive()
{
    return sharedsock::detail::or_throw("sharedsock::systemd::passed_descriptors::receive",
                                        [](error_code& ec) { return receive(ec); });
}

passed_descriptor passed_descriptors::take(std::string_view name) noexcept
{
    for (std::size_t i = 0; i < all_.size(); ++i)
        if (all_[i].name() == name) return take_at(i);
    return {};
}

passed_descriptor passed_descriptors::take(int type, const socket_address& bound_to) noexcept
{
    for (std::size_t i = 0; i < all_.size(); ++i)
        if (all_[i].is_socket(type, bound_to)) return take_at(i);
    return {};
}

passed_descriptor passed_descriptors::take_at(std::size_t index) noexcept
{
    passed_descriptor taken = std::move(all_[index]);
    all_.erase(all_.begin() + static_cast<std::ptrdiff_t>(index));
    return taken;
}

} // namespace sharedsock::systemd
