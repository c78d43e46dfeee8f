// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "asio/reactor_service.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"
#include "socket/giving.hpp"

#include <sharedsock/asio/hand_over.hpp>

#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <poll.h>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {
namespace {

namespace asio = boost::asio;

// A duplicate: Asio's reactor never has a descriptor that other code closes.
class watched_duplicate final : public service_member {
public:
    explicit watched_duplicate(const asio::any_io_executor& on) : descriptor(on), service_(reactor_service::of(on))
    {
        service_.enlist(*this);
    }
    ~watched_duplicate() { service_.dismiss(*this); }

    void abandon() noexcept override
    {
        error_code ended_anyway;
        descriptor.cancel(ended_anyway);
    }
    void shut_down() noexcept override {} // Asio ends the descriptor

    asio::posix::stream_descriptor descriptor;

private:
    reactor_service& service_;
};

// The base of both operations: each comes to the handler's executor before it does anything, and looks whether it was cancelled
// before it tries again. An operation that was started before a fork is the parent's, whether it has reached the executor or not.
class waiting {
public:
    explicit waiting(asio::any_io_executor on) : on_(std::move(on)) {}

    bool inherited() const noexcept { return instance_ != process_instance(); }

    template <class Self>
    bool first_call(Self& self)
    {
        if (std::exchange(begun_, true)) return false;
        self.reset_cancellation_state(asio::enable_total_cancellation());
        asio::post(on_, std::move(self));
        return true;
    }

    void watch(unique_fd duplicate, error_code& ec)
    {
        watched_ = std::make_unique<watched_duplicate>(on_);
        watched_->descriptor.assign(duplicate.get(), ec);
        if (!ec) static_cast<void>(duplicate.release());
    }
    template <class Self>
    void wait(asio::posix::stream_descriptor::wait_type how, Self& self)
    {
        asio::posix::stream_descriptor& same = watched_->descriptor; // stays where it is when `self` moves
        same.async_wait(how, std::move(self));
    }
    bool watches() const noexcept { return watched_ != nullptr; }
    // Has the context hear the doorbell and the death watch of `where`.
    void listen_to(const std::shared_ptr<attachment>& where, error_code& ec)
    try {
        reactor_service::of(on_).pumped_poller()->listen_to(where, ec);
    } catch (const system_error& failed) {
        ec = failed.code();
    }

private:
    asio::any_io_executor on_;
    std::unique_ptr<watched_duplicate> watched_;
    std::uint64_t instance_ = process_instance();
    bool begun_             = false;
};

struct hand_over_loop : waiting {
    hand_over_loop(std::shared_ptr<handle> what, process_id whom, const carry& goes_along, std::chrono::milliseconds longest,
                   const asio::any_io_executor& on)
        : waiting(on), handed(std::move(what)), target(whom), with(goes_along), limit(longest)
    {}

    template <class Self>
    void operator()(Self& self, error_code waited = {})
    {
        if (first_call(self)) return;
        if (self.cancelled() != asio::cancellation_type::none || inherited()) waited = asio::error::operation_aborted;
        if (given != nullptr) return await_taker(self, waited);
        if (waited) return self.complete(waited);
        error_code ec;
        for (bool room_seen = false;; room_seen = true) {
            if (send(ec)) return await_taker(self, {});
            if (ec != errc::mailbox_full || room_seen) return self.complete(ec);
            unique_fd way = handed->where().box().way_to(target.index);
            if (!way) return self.complete(ec); // no connection could be made: there is nothing to wait for
            pollfd asked{way.get(), POLLOUT, 0};
            if (::poll(&asked, 1, 0) != 0) continue; // there is room, or the target is gone
            watch(std::move(way), ec);
            return ec ? self.complete(ec) : wait(asio::posix::stream_descriptor::wait_write, self);
        }
    }

    bool send(error_code& ec)
    {
        if (opened(handed, ec) == nullptr) return false;
        listen_to(handed->where_ptr(), ec);
        if (ec) return false;
        const packed_carry packed = pack(with, ec);
        if (!ec) given = giving::begin(handed, target, packed, ec);
        deadline = time_after(limit);
        return given != nullptr;
    }

    // `given` is not destroyed before the handler is called: then the socket is where the error code says that it is.
    template <class Self>
    void await_taker(Self& self, error_code waited)
    {
        const auto left = std::max<std::chrono::nanoseconds>(deadline - std::chrono::steady_clock::now(), {});
        error_code ec;
        if (!waited && left.count() > 0) { // set before the look: a settlement after it rings
            handed->where().want_alarm(*given, std::min<std::chrono::nanoseconds>(left, taker_tick));
            if (given->look(ec) != giving::state::waits) return self.complete(ec);
            if (!watches_alarm) {
                unique_fd own = new_fd::duplicate(given->alarm.get());
                if (!own) waited = last_error(sys<"fcntl">);
                if (!waited) watch(std::move(own), waited);
                watches_alarm = !waited;
            }
            if (!waited) return wait(asio::posix::stream_descriptor::wait_read, self);
        }
        if (given->take_back(ec) && !ec) ec = waited ? waited : make_error_code(errc::hand_over_not_taken);
        self.complete(ec);
    }

    const std::shared_ptr<handle> handed;
    const process_id target;
    const carry with;
    const std::chrono::milliseconds limit;
    std::chrono::steady_clock::time_point deadline;
    std::unique_ptr<giving> given;
    bool watches_alarm = false;
};

struct receive_loop : waiting {
    receive_loop(const segment& from, const asio::any_io_executor& on) : waiting(on), where(from) {}

    template <class Self>
    void operator()(Self& self, error_code waited = {})
    {
        if (first_call(self)) return;
        error_code ec;
        if (self.cancelled() != asio::cancellation_type::none) return self.complete(asio::error::operation_aborted, handed_over());
        if (inherited()) { // the parent receives the hand-overs: the child's copy waits until it is cancelled or the context ends
            watch(new_fd::event(), ec);
            return ec ? self.complete(ec, handed_over()) : wait(asio::posix::stream_descriptor::wait_read, self);
        }
        if (waited) return self.complete(waited, handed_over());
        auto received = receive_hand_over(where, ec);
        if (ec || received) return self.complete(ec, received ? std::move(*received) : handed_over());
        if (!watches()) {
            const int handle = hand_over_handle(where, ec);
            unique_fd own    = handle < 0 ? unique_fd() : new_fd::duplicate(handle);
            if (!ec && !own) ec = last_error(sys<"fcntl">);
            if (!ec) watch(std::move(own), ec);
        }
        if (ec) return self.complete(ec, handed_over());
        wait(asio::posix::stream_descriptor::wait_read, self);
    }

    segment where;
};

} // namespace

void initiate_hand_over::operator()(asio::any_completion_handler<void(error_code)> handler, std::shared_ptr<handle> handed,
                                    process_id target, const carry& with, const hand_over_options& how,
                                    const asio::any_io_executor& on) const
{
    asio::async_compose<asio::any_completion_handler<void(error_code)>, void(error_code)>(
        hand_over_loop(std::move(handed), target, with, how.limit, on), handler, on);
}

void initiate_receive_hand_over::operator()(asio::any_completion_handler<void(error_code, handed_over)> handler,
                                            const segment& where, const asio::any_io_executor& on) const
{
    asio::async_compose<asio::any_completion_handler<void(error_code, handed_over)>, void(error_code, handed_over)>(
        receive_loop(where, on), handler, on);
}

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
