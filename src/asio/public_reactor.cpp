// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "asio/context_executor.hpp"
#include "asio/reactor.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <utility>
#include <variant>

#include <sys/epoll.h>
#include <unistd.h>

#if defined(SHAREDSOCK_ASIO_PUBLIC_REACTOR)
namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {
namespace {

namespace asio = boost::asio;

// The function object that is posted for a completed operation. A context that ends destroys both.
class completion {
public:
    explicit completion(queued_operation& one) noexcept : one_(&one) {}
    completion(completion&& other) noexcept : one_(std::exchange(other.one_, nullptr)) {}
    ~completion()
    {
        if (one_ != nullptr && !posting) one_->complete(nullptr);
    }
    completion& operator=(completion&&) = delete;

    void operator()() { std::exchange(one_, nullptr)->complete(this); }

    static inline thread_local bool posting = false; // if that fails, the operation still exists

private:
    queued_operation* one_;
};

bool post_completion(const asio::any_io_executor& executor, queued_operation& one) noexcept
{
    completion::posting = true;
    const struct until_return {
        ~until_return() { completion::posting = false; }
    } afterwards;
    try {
        asio::post(executor, completion(one));
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

void abort_all(reactor_queue::list& those) noexcept
{
    for (queued_operation& one : those)
        static_cast<reactor_operation&>(one).ec_ = asio::error::operation_aborted;
}

void destroy_all(reactor_queue::list& those) noexcept
{
    while (!those.empty()) {
        queued_operation& one = those.front();
        those.pop_front();
        one.complete(nullptr);
    }
}

constexpr std::uint32_t shown = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET;

} // namespace

void prepare_reactor(const asio::any_io_executor& executor)
{
    asio::execution_context& context = asio::query(executor, asio::execution::context);
    // Asio's services come first: they hear of a fork before this one, and end after it.
    if (!asio::has_service<public_reactor>(context)) asio::posix::stream_descriptor of_no_descriptor(executor);
    asio::use_service<public_reactor>(context).begin(executor);
}

// --- waiting ----------------------------------------------------------------------------------------------------------

void public_reactor::begin(const asio::any_io_executor& executor)
{
    const std::scoped_lock lock(mutex_);
    if (executor_) return;
    const auto io   = executor_in<asio::io_context>(executor);
    const auto pool = executor_in<asio::thread_pool>(executor);
    if (io) counted_ = *io;
    if (pool) counted_ = *pool;
    executor_ = io ? asio::any_io_executor(*io) : pool ? asio::any_io_executor(*pool) : executor;
    try {
        make_epoll();
    } catch (...) {
        executor_ = {};
        throw;
    }
    if (!counts()) return; // waits when there is a descriptor
    asio::io_context* const context = io ? &asio::query(*io, asio::execution::context) : nullptr;
    const bool had_stopped          = context != nullptr && context->stopped();
    wait();
    // No work is left when the wait is not counted, and that stops an io_context which has not begun to run.
    if (context != nullptr && !had_stopped && context->stopped()) context->restart();
}

void public_reactor::make_epoll()
{
    unique_fd epoll = new_fd::epoll();
    if (!epoll) throw system_error(last_error(sys<"epoll_create1">), "sharedsock: watching on an executor");
    unique_fd bell = new_fd::event();
    if (!bell) throw system_error(last_error(sys<"eventfd2">), "sharedsock: watching on an executor");
    unique_fd duplicate = new_fd::duplicate(epoll.get());
    if (!duplicate) throw system_error(last_error(sys<"fcntl">), "sharedsock: watching on an executor");
    epoll_event rings{EPOLLIN, {.u64 = bell_id}};
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, bell.get(), &rings) != 0)
        throw system_error(last_error(sys<"epoll_ctl">), "sharedsock: watching on an executor");
    wait_.emplace(quiet_executor(executor_), duplicate.get());
    static_cast<void>(duplicate.release());
    epoll_   = std::move(epoll);
    bell_    = std::move(bell);
    made_in_ = process_instance();
}

void public_reactor::wait()
{
    if (waits_.exchange(true)) return;
    const auto handler = [this, life = life_](const error_code& ec) { woken(ec, life); };
    try {
        wait_->async_wait(quiet_wait::wait_read, handler);
    } catch (...) {
        waits_ = false;
        throw;
    }
    end_work();
}

void public_reactor::woken(const error_code& ec, std::uint32_t life)
{
    begin_work(); // the wait that has ended was not counted, and Asio takes it off after this function
    if (life != life_) return;
    waits_ = false;
    if (ec) return;
    reactor_queue::list done;
    take_ready(done);
    complete_queued(done);
    wait();
    run_overdue();
}

void public_reactor::take_ready(reactor_queue::list& done)
{
    std::array<epoll_event, 64> ready;
    const int count =
        ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), 0); // if it fails, the next one tells
    for (int i = 0; i < count; ++i) {
        const epoll_event& one = ready[static_cast<std::size_t>(i)];
        entry found;
        {
            const std::scoped_lock lock(mutex_);
            const auto at = entries_.find(one.data.u64);
            if (at != entries_.end()) found = at->second;
        }
        if (found != nullptr) found->perform(one.events, done);
    }
}

void public_reactor::run_overdue()
{
    for (;;) {
        queued_operation* next = nullptr;
        {
            const std::scoped_lock lock(mutex_);
            std::uint64_t rings = 0;
            if (overdue_.empty()) {
                static_cast<void>(::read(bell_.get(), &rings, sizeof rings)); // EAGAIN: it has not rung
                return;
            }
            next = &overdue_.front();
            overdue_.pop_front();
        }
        const struct counted {
            public_reactor& self;
            ~counted() { self.end_work(); }
        } until_complete{*this};
        next->complete(this);
    }
}

// --- descriptors ------------------------------------------------------------------------------------------------------

public_reactor::entry public_reactor::add(int descriptor, reactor_operation* observer, error_code& ec)
{
    ec.clear();
    const std::scoped_lock lock(mutex_);
    auto made = std::make_shared<reactor_queue>(descriptor, ++last_id_);
    if (observer != nullptr) made->observe(*observer);
    entries_.emplace(made->id(), made);
    epoll_event asked{shown, {.u64 = made->id()}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &asked) != 0) {
        ec = last_error(sys<"epoll_ctl">);
        entries_.erase(made->id());
        reactor_queue::list observers;
        made->close(observers);
        destroy_all(observers);
        return nullptr;
    }
    wait();
    return made;
}

void public_reactor::show_again(const reactor_queue& one) noexcept
{
    epoll_event asked{shown, {.u64 = one.id()}};
    // EINVAL: the entry is one of an accept queue (EPOLLEXCLUSIVE), which is level-triggered and shows it anyway.
    static_cast<void>(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, one.descriptor(), &asked));
}

std::optional<reactor_entry> public_reactor::take_out(const reactor_queue& one) noexcept
{
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, one.descriptor(), nullptr) != 0) return std::nullopt;
    return reactor_entry{epoll_.get(), one.id()};
}

void public_reactor::forget(const reactor_queue& one, bool in_epoll) noexcept
{
    const std::scoped_lock lock(mutex_);
    entries_.erase(one.id());
    if (in_epoll)
        static_cast<void>(::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, one.descriptor(), nullptr)); // ENOENT: a queue has left
    error_code ended_anyway;
    if (!counts() && entries_.empty()) wait_->cancel(ended_anyway); // no work is left
}

void public_reactor::complete(queued_operation& one) noexcept
{
    if (post_completion(executor_, one)) return;
    begin_work();
    const std::scoped_lock lock(mutex_);
    overdue_.push_back(one);
    const std::uint64_t ring = 1;
    static_cast<void>(::write(bell_.get(), &ring, sizeof ring)); // the counter cannot be full
}

void public_reactor::complete_queued(reactor_queue::list& those) noexcept
{
    while (!those.empty()) {
        queued_operation& one = those.front();
        those.pop_front();
        complete(one);
        end_work();
    }
}

void public_reactor::begin_work() noexcept
{
    if (const auto* const io = std::get_if<asio::io_context::executor_type>(&counted_)) io->on_work_started();
    if (const auto* const pool = std::get_if<asio::thread_pool::executor_type>(&counted_)) pool->on_work_started();
}

void public_reactor::end_work() noexcept
{
    if (const auto* const io = std::get_if<asio::io_context::executor_type>(&counted_)) io->on_work_finished();
    if (const auto* const pool = std::get_if<asio::thread_pool::executor_type>(&counted_)) pool->on_work_finished();
}

// --- the end, and fork(2) -----------------------------------------------------------------------------------------------

// Asio has an epoll of its own by now. The members of the library's own service come after this.
void public_reactor::notify_fork(asio::execution_context::fork_event event)
{
    if (event != asio::execution_context::fork_child || !executor_) return;
    std::construct_at(&mutex_); // a thread of the parent may have held it
    ++life_;
    waits_ = false;
    {
        const unique_fd parents(wait_->release());
    }
    make_epoll();
    for (const auto& [number, one] : entries_) {
        one->begin_in_child();
        epoll_event asked{shown, {.u64 = number}};
        static_cast<void>(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, one->descriptor(), &asked)); // EBADF: its owner has closed it
    }
    if (counts() || !entries_.empty()) wait();
}

void public_reactor::shutdown()
{
    reactor_queue::list left;
    {
        const std::scoped_lock lock(mutex_);
        for (const auto& [number, one] : entries_)
            one->close(left);
        left.splice(left.end(), overdue_);
    }
    destroy_all(left);
    // A forked child that has not called `notify_fork` shares Asio's epoll with its parent. Asio cannot take a closed descriptor
    // out.
    if (wait_ && made_in_ != process_instance()) const unique_fd parents(wait_->native_handle());
    wait_.reset();
}

// --- one descriptor -----------------------------------------------------------------------------------------------------

void reactor_descriptor::start(reactor_operation& operation, direction which, bool, bool speculative)
{
    reactor_.begin_work(); // before another thread can complete it
    switch (entry_->start(operation, which, speculative)) {
    case reactor_queue::outcome::queued:
        return;
    case reactor_queue::outcome::queued_first:
        return reactor_.show_again(*entry_);
    case reactor_queue::outcome::closed:
        operation.ec_ = asio::error::operation_aborted;
        break;
    case reactor_queue::outcome::performed:
        break;
    }
    reactor_.complete(operation);
    reactor_.end_work();
}

void reactor_descriptor::end_entry(bool in_epoll) noexcept
{
    reactor_queue::list taken;
    entry_->close(taken);
    reactor_.forget(*entry_, in_epoll);
    entry_.reset();
    abort_all(taken);
    reactor_.complete_queued(taken);
}

void reactor_descriptor::remove() noexcept
{
    if (entry_ != nullptr) is_own() ? end_entry(true) : forsake();
}

void reactor_descriptor::remove_observed() noexcept
{
    if (entry_ == nullptr) return;
    reactor_queue::list observers;
    entry_->close(observers);
    reactor_.forget(*entry_, true);
    entry_.reset();
    destroy_all(observers);
}

void reactor_descriptor::forsake() noexcept
{
    if (entry_ != nullptr && process_instance() != 0) end_entry(false);
    entry_.reset(); // a raw clone(2)'s child must not even wake the reactor: its epoll is the parent's
}

void reactor_descriptor::cancel() noexcept
{
    if (entry_ == nullptr) return;
    reactor_queue::list taken;
    entry_->take_all(taken);
    abort_all(taken);
    reactor_.complete_queued(taken);
}

void reactor_descriptor::cancel(direction which, const void* key) noexcept
{
    if (entry_ == nullptr) return;
    reactor_queue::list taken;
    entry_->take_by_key(which, key, taken);
    abort_all(taken);
    reactor_.complete_queued(taken);
}

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
#endif
