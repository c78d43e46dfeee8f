// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "asio/reactor.hpp"
#include "base/syscall.hpp"

#if !defined(SHAREDSOCK_ASIO_PUBLIC_REACTOR)
namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

namespace asio = boost::asio;

reactor_descriptor::reactor_descriptor(asio::execution_context& context, const std::atomic<std::uint64_t>& epoll_owner)
    : reactor_(asio::use_service<asio::detail::epoll_reactor>(context)),
      scheduler_(asio::use_service<asio::detail::scheduler>(context)),
      epoll_owner_(epoll_owner)
{
    reactor_.init_task();
}

void reactor_descriptor::add(int descriptor, error_code& ec)
{
    lock_ranks::about_to_take(lock_rank::asio_descriptor);
    ec.clear();
    descriptor_ = descriptor;
    if (const int error = reactor_.register_descriptor(descriptor, state_)) {
        ec = error_of(sys<"epoll_ctl">, error);
        reactor_.cleanup_descriptor_data(state_);
        state_ = nullptr;
    }
}

void reactor_descriptor::add_observer(int descriptor, reactor_operation& observer, error_code& ec)
{
    lock_ranks::about_to_take(lock_rank::asio_descriptor);
    ec.clear();
    descriptor_ = descriptor;
    if (const int error = reactor_.register_internal_descriptor(read, descriptor, state_, &observer)) {
        ec          = error_of(sys<"epoll_ctl">, error);
        descriptor_ = -1; // another object may have an entry for it, which stays
        remove_observed();
    }
}

void reactor_descriptor::remove_observed() noexcept
{
    if (state_ == nullptr) return;
    lock_ranks::about_to_take(lock_rank::asio_descriptor);
    reactor_.deregister_internal_descriptor(descriptor_, state_);
    reactor_.cleanup_descriptor_data(state_);
    state_ = nullptr;
}

void reactor_descriptor::remove() noexcept
{
    if (state_ == nullptr) return;
    if (!is_own()) return forsake();
    lock_ranks::about_to_take(lock_rank::asio_descriptor);
    reactor_.deregister_descriptor(descriptor_, state_, false);
    reactor_.cleanup_descriptor_data(state_);
    state_ = nullptr;
}

void reactor_descriptor::forsake() noexcept
{
    if (state_ != nullptr && process_instance() != 0) { // a raw clone(2)'s child must not even wake it: its epoll is the parent's
        reactor_.deregister_descriptor(descriptor_, state_, true); // as if the descriptor were closing
        reactor_.cleanup_descriptor_data(state_);
    }
    state_ = nullptr;
}

void reactor_descriptor::cancel() noexcept
{
    lock_ranks::about_to_take(lock_rank::asio_descriptor);
    if (state_ != nullptr) reactor_.cancel_ops(descriptor_, state_);
}

void reactor_descriptor::cancel(direction which, const void* key) noexcept
{
    lock_ranks::about_to_take(lock_rank::asio_descriptor);
    if (state_ != nullptr) reactor_.cancel_ops_by_key(descriptor_, state_, which, const_cast<void*>(key));
}

void reactor_descriptor::complete(reactor_operation& operation, bool is_continuation)
{
    scheduler_.post_immediate_completion(&operation, is_continuation);
}

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
#endif
