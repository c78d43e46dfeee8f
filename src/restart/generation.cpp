// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "restart/generation_impl.hpp"

#include <sharedsock/restart/generation.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sharedsock::restart {

using sharedsock::detail::or_throw;

namespace {

// For an object of no service.
bool check(const std::unique_ptr<detail::generation_impl>& impl, error_code& ec) noexcept
{
    ec = impl ? error_code() : make_error_code(errc::generation_ended);
    return impl != nullptr;
}

} // namespace

descriptor& descriptor::operator=(descriptor&& other) noexcept
{
    if (this == &other) return *this;
    const sharedsock::detail::unique_fd before(number_);
    number_ = std::exchange(other.number_, -1);
    return *this;
}

descriptor::~descriptor() { const sharedsock::detail::unique_fd closes(number_); }

generation::generation() noexcept                        = default;
generation::generation(generation&&) noexcept            = default;
generation& generation::operator=(generation&&) noexcept = default;
generation::~generation()                                = default;
generation::generation(std::unique_ptr<detail::generation_impl> impl) noexcept : impl_(std::move(impl)) {}

generation generation::join(std::string_view name, const options& how, error_code& ec)
{
    auto impl = std::make_unique<detail::generation_impl>(name, how);
    impl->join(ec);
    return ec ? generation() : generation(std::move(impl));
}

bool generation::is_successor() const noexcept { return impl_ && impl_->is_successor(); }
bool generation::serves() const noexcept { return impl_ && impl_->serves(); }
about_generation generation::predecessor() const { return impl_ ? impl_->home().predecessor : about_generation(); }
about_generation generation::successor() const { return impl_ ? impl_->home().successor : about_generation(); }

descriptor generation::listen(std::string_view name, const socket_address& address, error_code& ec, int backlog)
{
    return check(impl_, ec) ? impl_->listen(name, address, backlog, ec) : descriptor();
}

shared_socket generation::listen(const segment& where, std::string_view name, const socket_address& address, error_code& ec,
                                 int backlog)
{
    descriptor made = listen(name, address, ec, backlog);
    if (ec) return {};
    shared_socket shared = shared_socket::adopt(where, made.native_handle(), ec);
    if (!ec) made.release();
    return shared;
}

descriptor generation::inherit(std::string_view name, error_code& ec)
{
    return check(impl_, ec) ? impl_->inherit(name, ec) : descriptor();
}

void generation::keep(std::string_view name, int number, error_code& ec)
{
    if (check(impl_, ec)) impl_->keep(name, number, ec);
}

void generation::forget(std::string_view name) noexcept
{
    if (impl_) impl_->forget(name);
}

std::vector<std::string> generation::unclaimed() const { return impl_ ? impl_->unclaimed() : std::vector<std::string>(); }

systemd::passed_descriptors& generation::passed() noexcept
{
    thread_local systemd::passed_descriptors none;
    return impl_ ? impl_->passed() : none;
}

void generation::ready(error_code& ec)
{
    if (check(impl_, ec)) impl_->ready(ec);
}

int generation::native_handle() const noexcept { return impl_ ? impl_->native_handle() : -1; }

std::optional<event> generation::poll(error_code& ec) { return check(impl_, ec) ? impl_->poll(ec) : std::nullopt; }

std::uint64_t generation::give(int connection, const carry& with, error_code& ec)
{
    return check(impl_, ec) ? impl_->give(connection, with, ec) : 0;
}

std::uint64_t generation::give(shared_socket&& connection, const carry& with, error_code& ec)
{
    if (!check(impl_, ec)) return 0;
    if (!connection.is_open()) {
        ec = errc::closed_handle;
        return 0;
    }
    return impl_->give(connection.native_handle(), with, ec, [&](error_code& failed) { return connection.release(failed); });
}

bool generation::can_give(std::size_t bytes) const noexcept { return impl_ && impl_->can_give(bytes); }
std::size_t generation::unanswered() const noexcept { return impl_ ? impl_->unanswered() : 0; }

void generation::finish(error_code& ec)
{
    if (check(impl_, ec)) impl_->finish(ec);
}

std::vector<left_behind> generation::left() const { return impl_ ? impl_->home().left : std::vector<left_behind>(); }

void generation::dismiss(std::string_view reason, error_code& ec)
{
    if (check(impl_, ec)) impl_->dismiss(reason, ec);
}

connection generation::take(std::uint64_t gift, error_code& ec) { return check(impl_, ec) ? impl_->take(gift, ec) : connection(); }

void generation::decline(std::uint64_t gift, std::string_view reason, error_code& ec)
{
    if (check(impl_, ec)) impl_->decline(gift, reason, ec);
}

// The throwing forms.
generation generation::join(std::string_view name, const options& how)
{
    return or_throw("sharedsock::restart::generation::join", [&](error_code& ec) { return join(name, how, ec); });
}
descriptor generation::listen(std::string_view name, const socket_address& address, int backlog)
{
    return or_throw("sharedsock::restart::generation::listen", [&](error_code& ec) { return listen(name, address, ec, backlog); });
}
shared_socket generation::listen(const segment& where, std::string_view name, const socket_address& address, int backlog)
{
    return or_throw("sharedsock::restart::generation::listen",
                    [&](error_code& ec) { return listen(where, name, address, ec, backlog); });
}
descriptor generation::inherit(std::string_view name)
{
    return or_throw("sharedsock::restart::generation::inherit", [&](error_code& ec) { return inherit(name, ec); });
}
void generation::keep(std::string_view name, int number)
{
    or_throw("sharedsock::restart::generation::keep", [&](error_code& ec) { keep(name, number, ec); });
}
void generation::ready()
{
    or_throw("sharedsock::restart::generation::ready", [&](error_code& ec) { ready(ec); });
}
std::optional<event> generation::poll()
{
    return or_throw("sharedsock::restart::generation::poll", [&](error_code& ec) { return poll(ec); });
}
std::uint64_t generation::give(int connection, const carry& with)
{
    return or_throw("sharedsock::restart::generation::give", [&](error_code& ec) { return give(connection, with, ec); });
}
std::uint64_t generation::give(shared_socket&& connection, const carry& with)
{
    return or_throw("sharedsock::restart::generation::give", [&](error_code& ec) { return give(std::move(connection), with, ec); });
}
void generation::finish()
{
    or_throw("sharedsock::restart::generation::finish", [&](error_code& ec) { finish(ec); });
}
void generation::dismiss(std::string_view reason)
{
    or_throw("sharedsock::restart::generation::dismiss", [&](error_code& ec) { dismiss(reason, ec); });
}
connection generation::take(std::uint64_t gift)
{
    return or_throw("sharedsock::restart::generation::take", [&](error_code& ec) { return take(gift, ec); });
}
void generation::decline(std::uint64_t gift, std::string_view reason)
{
    or_throw("sharedsock::restart::generation::decline", [&](error_code& ec) { decline(gift, reason, ec); });
}

} // namespace sharedsock::restart
