// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/fork_hook.hpp"
#include "base/unique_fd.hpp"
#include "restart/predecessor_link.hpp"
#include "restart/service.hpp"
#include "restart/successor_link.hpp"

#include <sharedsock/error.hpp>
#include <sharedsock/restart/event.hpp>
#include <sharedsock/restart/options.hpp>
#include <sharedsock/socket_address.hpp>
#include <sharedsock/systemd/passed_descriptors.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sharedsock::restart::detail {

/// Behind `generation`: the roles one after the other (successor, the one that serves, predecessor), in one epoll.
class generation_impl final : sharedsock::detail::fork_aware {
public:
    generation_impl(std::string_view name, const options& how);
    ~generation_impl();
    generation_impl(const generation_impl&) = delete;

    void join(error_code& ec);

    descriptor listen(std::string_view name, const socket_address& address, int backlog, error_code& ec);
    descriptor inherit(std::string_view name, error_code& ec);
    void keep(std::string_view name, int number, error_code& ec);
    void forget(std::string_view name) noexcept { home_.listeners.remove(name); }

    void ready(error_code& ec);
    std::optional<event> poll(error_code& ec);

    bool can_give(std::size_t bytes) const noexcept;
    /// `release`: ends the handle that a shared socket has, and gives its descriptor out; a failure there changes nothing.
    std::uint64_t give(int number, const carry& with, error_code& ec, const std::function<int(error_code&)>& release = nullptr);
    void finish(error_code& ec);
    void dismiss(std::string_view reason, error_code& ec);

    connection take(std::uint64_t gift, error_code& ec);
    void decline(std::uint64_t gift, std::string_view reason, error_code& ec);

    int native_handle() const noexcept { return epoll_.get(); }
    bool serves() const noexcept { return serves_; }
    bool is_successor() const noexcept { return is_successor_; }
    std::size_t unanswered() const noexcept { return successor_ ? successor_->ledger().count() : 0; }
    const service& home() const noexcept { return home_; }
    std::vector<std::string> unclaimed() const { return serves_ || ended_ ? unclaimed_ : home_.listeners.unclaimed(); }
    systemd::passed_descriptors& passed() noexcept { return passed_; }

private:
    enum class greeting : std::uint8_t { joined, busy, not_ready, gone, failed };
    greeting greet(unique_fd connection, time_point limit, error_code& ec);
    bool receive_listeners(conversation& talk, std::uint64_t count, time_point limit, error_code& ec);

    void before_fork() noexcept override {}
    void after_fork_in_parent() noexcept override {}
    bool after_fork_in_child(sharedsock::detail::graveyard& dead) noexcept override;
    bool is_ours(error_code& ec) const noexcept;

    void work(time_point now);
    bool lets_in() const noexcept;
    bool let_in(time_point now);
    void end() noexcept;
    void watch_all() noexcept;
    void watch(int number, std::uint32_t wanted) noexcept;
    std::optional<event> next_event(error_code& ec);

    service home_;
    systemd::passed_descriptors passed_;
    std::optional<predecessor_link> predecessor_; // after its end, with the offers that were not taken yet
    std::optional<successor_link> successor_;
    std::vector<std::string> unclaimed_; // when this generation began to serve
    unique_fd epoll_;
    unique_fd timer_;
    std::uint64_t made_in_ = 0; // process_instance
    bool is_successor_     = false;
    bool serves_           = false; // has the lock, and lets successors in
    bool ready_            = false;
    bool ended_            = false; // replaced or dismissed
};

} // namespace sharedsock::restart::detail
