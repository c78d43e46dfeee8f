// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "attach/handle.hpp"

#include "base/descriptor_proof.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <cstdint>
#include <mutex>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sharedsock::detail {
namespace {

constexpr int forever = -1;

// Whether the reason why a handle is closed will be the same at the next call. Where a table is full, the child does without the
// handle (DUP-17); a socket that has no handle left is gone.
bool lasts(const error_code& why) noexcept
{
    return why == errc::closed_handle || why == errc::handle_table_full || why == errc::process_table_full ||
           why == errc::identity_lost;
}

// poll(2) counts milliseconds: rounded up, or the last millisecond of a wait would be a busy loop.
int left_ms(const std::optional<std::chrono::steady_clock::time_point>& until) noexcept
{
    if (!until) return forever;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - std::chrono::steady_clock::now()).count();
    return left <= 0 ? 0 : left > INT32_MAX ? INT32_MAX : static_cast<int>(left);
}

// In close(2) of the last descriptor the kernel waits for as long as SO_LINGER says, even on a non-blocking socket (measured).
// Without the option the kernel still sends the data. A time of zero means a reset, and stays.
void do_not_linger(int descriptor) noexcept
{
    linger now{};
    socklen_t size = sizeof now;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, &size) != 0 || now.l_onoff == 0 || now.l_linger == 0) return;
    now.l_onoff = 0;
    ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

} // namespace

std::shared_ptr<handle> handle::make(const std::shared_ptr<attachment>& where, membership& self, const socket_and_handle& which,
                                     unique_fd&& descriptor)
{
    std::shared_ptr<handle> made;
    try {
        made = reserve(where, self, which.socket);
    } catch (...) {
        error_code ec;
        self.close_handle(which, 0, ec);
        throw;
    }
    made->open(which.handle, std::move(descriptor));
    return made;
}

std::shared_ptr<handle> handle::reserve(const std::shared_ptr<attachment>& where, membership& self, record_id socket)
{
    socket_slot& slot = *self.bytes().socket(socket.index);
    std::shared_ptr<handle> made(new handle(where, socket, slot));
    made->where_->enlist(*made);
    return made;
}

void handle::open(record_id record, unique_fd&& descriptor) noexcept
{
    which_.handle = record;
    descriptor_   = std::move(descriptor);
    if (membership* const self = where_->member()) self->bytes().handle(record.index)->descriptor = fd();
    closed_.store(false, std::memory_order_release); // last: a thread that finds the handle open finds it whole
}

handle::handle(std::shared_ptr<attachment> where, record_id socket, socket_slot& slot)
    : where_(std::move(where)),
      which_{socket, {}},
      slot_(&slot),
      cookie_(slot.cookie),
      family_(slot.family),
      type_(slot.type),
      protocol_(slot.protocol),
      mutex_(where_->locks().of(this))
{}

handle::~handle()
{
    error_code none;
    if (!closed()) end(ending::background, none);
    if (!where_->is_own()) return;
    if (!which_.handle || where_->identity_lost()) where_->dismiss(*this); // never opened; lost in a fork, or by `lose_record`
    prove_descriptor();
}

// Called before the descriptor is closed or given away: programs know its number, and may have closed it. An eventfd has no mark
// that would prove it: after a doubt it is released.
void handle::prove_descriptor() noexcept
{
    if (!descriptor_ || prove_socket(descriptor_, cookie_)) return;
    (void)descriptor_.release();
    if (where_->identity_lost()) return;
    descriptor_claims::doubt();
    where_->confirm_identity();
}

error_code handle::why_closed() const noexcept
{
    if (where_->identity_lost()) return errc::identity_lost;
    if (!where_->is_own()) return errc::closed_handle; // the state of the mutex is not known
    const std::scoped_lock lock(mutex_);
    return uncounted_ ? uncounted_ : make_error_code(errc::closed_handle);
}

void handle::lose_record()
{
    if (const auto mine = registration()) mine->lose_identity();
    if (closed_.exchange(true)) return;
    cancel_blocked_calls();
}

membership* handle::member(error_code& ec) const noexcept
{
    membership* const self = recent_member(ec);
    if (self == nullptr || where_->keeps_descriptors()) return self;
    ec = why_closed();
    return nullptr;
}

membership* handle::recent_member(error_code& ec) const noexcept
{
    membership* const self = closed() ? nullptr : where_->recent_member(ec);
    if (closed()) ec = why_closed();
    if (ec) return nullptr;
    self->verify(which_, ec);
    if (ec != errc::closed_handle) return ec ? nullptr : self;
    where_->confirm_identity(); // another process has swept this one, which has not looked since
    ec = why_closed();
    return nullptr;
}

int handle::end(ending how, error_code& ec) noexcept
{
    ec.clear();
    if (closed_.exchange(true)) {
        ec = why_closed();
        return -1;
    }
    if (!where_->is_own()) { // a child of a raw clone(2): everything but the descriptor is its parent's, also the mutexes' state
        if (how == ending::release) return given_back();
        descriptor_.reset();
        return -1;
    }
    where_->dismiss(*this); // first: from here on no ring of the doorbell reaches it
    prove_descriptor();     // before anything is written to: if other code has closed our descriptors, no process is rung
    cancel_blocked_calls();
    const std::uint32_t epoch = end_registration(); // before the descriptor is closed: it is needed to remove the epoll entry

    const std::uint32_t flags = slot_->flags.load();
    bool last                 = false;
    if (membership* const self = where_->member()) {
        error_code failed;
        self->close_handle(which_, epoch, failed);
        if (failed == errc::lock_timeout) where_->close_later(which_);
        last = socket_table::find(self->bytes(), which_.socket) == nullptr;
    }
    if (how == ending::release) return given_back();

    if (last && stream() && (flags & flag_copied) != 0) ::shutdown(fd(), SHUT_RDWR); // the peer need not wait for the copy's end
    const bool may_wait = how == ending::close && (flags & flag_blocking) != 0;
    if (last && !may_wait && (flags & flag_linger) != 0) do_not_linger(fd());
    descriptor_.reset();
    return -1;
}

int handle::given_back() noexcept
{
    if (inheritable_ && descriptor_) ::fcntl(fd(), F_SETFD, 0);
    return descriptor_.release();
}

// --- blocking calls -------------------------------------------------------------------------------------------------

void handle::cancel_blocked_calls() noexcept
{
    {
        const std::scoped_lock lock(mutex_); // an earlier call has made cancel_; a later one sees that the handle has ended
        const std::uint64_t one = 1;
        if (cancel_.doubtful()) return; // nothing wakes the calls: they end when the socket shows something, or time out
        if (cancel_) static_cast<void>(::write(cancel_.get(), &one, sizeof one)); // stays readable: no thread reads it
    }
    for (std::uint32_t blocked = blocked_.load(); blocked != 0; blocked = blocked_.load())
        blocked_.wait(blocked);
}

void handle::wait(short events, std::optional<std::chrono::steady_clock::time_point> until, error_code& ec)
{
    wait_on(fd(), events, until, ec);
}

void handle::wait_for_arrival(arrivals& since, std::optional<std::chrono::steady_clock::time_point> until, error_code& ec)
{
    ec.clear();
    if (arrivals::are_needed(slot()) && since.begin(fd())) return;
    const int watched = since.descriptor();
    wait_on(watched != -1 ? watched : fd(), POLLIN, until, ec);
    if (watched != -1) since.forget();
}

void handle::wait_on(int descriptor, short events, std::optional<std::chrono::steady_clock::time_point> until, error_code& ec)
{
    ec.clear();
    {
        const std::scoped_lock lock(mutex_);
        if (!cancel_ && !closed()) {
            cancel_ = new_fd::event();
            if (!cancel_) ec = last_error(sys<"eventfd2">);
        }
        if (closed()) ec.assign(ECANCELED, boost::system::system_category());
        if (ec) return;
        blocked_.fetch_add(1);
    }
    lock_ranks::expect_none("a call waits");
    pollfd asked[]  = {{descriptor, events, 0}, {cancel_.get(), POLLIN, 0}};
    const int ready = uninterrupted([&] { return ::poll(asked, 2, left_ms(until)); });
    if (ready < 0) ec = last_error(sys<"poll">);
    if (ready == 0) ec.assign(EAGAIN, boost::system::system_category());
    {
        const std::scoped_lock lock(mutex_);
        if (closed()) ec.assign(ECANCELED, boost::system::system_category());
        blocked_.fetch_sub(1);
    }
    blocked_.notify_all();
}

// --- events -----------------------------------------------------------------------------------------------------------

std::shared_ptr<handle_registration> handle::registration() const
{
    const std::scoped_lock lock(mutex_);
    return registration_;
}

void handle::set_registration(std::shared_ptr<handle_registration> now)
{
    const std::scoped_lock lock(mutex_);
    registration_.swap(now);
} // the former registration is destroyed after the mutex is released

std::uint32_t handle::end_registration() noexcept
{
    const auto mine = registration();
    if (mine == nullptr) return 0;
    const std::uint32_t epoch = mine->end();
    set_registration(nullptr);
    return epoch;
}

void handle::on_bell()
{
    if (const auto mine = registration()) mine->on_bell();
}

// --- fork -------------------------------------------------------------------------------------------------------------

void handle::adopt_after_fork(membership* child, told_processes& told, graveyard& dead, error_code& ec) noexcept
{
    if (registration_ != nullptr) dead.bury(std::move(registration_)); // the parent stays the owner (DUP-17)
    cancel_.reset();                                                   // the parent's threads wait for it
    blocked_.store(0);                                                 // none of those threads is in the child
    which_.handle = {};
    // The handle stays enlisted in every case: the caller walks that list.
    if (closed() || weak_from_this().expired()) { // another thread of the parent was about to close it, or to open it
        closed_.store(true);
        if (!uncounted_) descriptor_.reset();
        return;
    }
    if (child != nullptr) which_.handle = child->open_handle(which_.socket, ec, &told);
    if (which_.handle) {
        child->bytes().handle(which_.handle.index)->descriptor.store(fd(), std::memory_order_relaxed);
        return;
    }
    uncounted_ = ec;
    closed_.store(true);
}

handle* handle::count_late(error_code& ec) noexcept
{
    ec = why_closed();
    if (!where_->is_own() || lasts(ec)) return nullptr;
    membership* const child = where_->recent_member(ec);
    if (child == nullptr) return nullptr;
    const record_id record = child->open_handle(which_.socket, ec);
    bool is_used           = false;
    {
        const std::scoped_lock lock(mutex_);
        const bool waits = closed() && uncounted_; // else another thread has counted it
        if (waits && ec) uncounted_ = ec;
        is_used = waits && !ec;
        if (is_used) {
            child->bytes().handle(record.index)->descriptor.store(fd(), std::memory_order_relaxed);
            which_.handle = record;
            uncounted_.clear();
            closed_.store(false, std::memory_order_release); // last, as in `open`
        }
    }
    if (!ec && !is_used) where_->give_up({which_.socket, record});
    if (closed()) {
        ec = why_closed();
        return nullptr;
    }
    ec.clear();
    return this;
}

} // namespace sharedsock::detail
