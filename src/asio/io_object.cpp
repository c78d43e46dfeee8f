// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "io_object.hpp"

#include "../in_delivery.hpp"
#include "../interest.hpp"
#include "../registration_word.hpp"
#include "../select.hpp"
#include "transfer.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>

#include <poll.h>

namespace sharedsock::detail {
namespace {

error_code aborted() noexcept { return boost::asio::error::operation_aborted; }

} // namespace

io_object::io_object(io_role role, const boost::asio::any_io_executor& executor, const turn_options* in_turn)
    : role_(role),
      service_(reactor_service::of(executor)),
      descriptor_(boost::asio::query(executor, boost::asio::execution::context)),
      turn_options_(in_turn != nullptr ? std::optional(*in_turn) : std::nullopt),
      look_([](void* self) { static_cast<io_object*>(self)->look(); }, this)
{
    service_.enlist(*this);
}

io_object::~io_object()
{
    if (!shut_down_) service_.dismiss(*this);
}

void io_object::assign(shared_socket& socket, error_code& ec)
{
    ec.clear();
    if (!socket.is_open()) return;
    descriptor_.add(socket.native_handle(), ec);
    if (ec) return;
    socket_ = std::move(socket);
    slot_   = &socket_.impl()->slot();
    if (turn_options_) line_.emplace(*turn_options_, socket_.where().self());
}

// --- starting ---------------------------------------------------------------------------------------------------------

bool io_object::gate_stands() const noexcept
{
    const std::uint64_t idle = gate_.load(std::memory_order_acquire);
    return idle != 0 && (slot_->registration.load(std::memory_order_acquire) & ~registration_word::delivering_field) == idle;
}

void io_object::start(io_operation& operation) noexcept
{
    operation.object_ = shared_from_this();
    pending_operation::make(operation);
    if (!descriptor_.added())
        complete(operation, errc::closed_handle);
    else if (line_)
        start_in_line(operation);
    else if (operation.what != io_operation::kind::turn && gate_stands()) [[likely]]
        start_in_reactor(operation);
    else
        start_by_registering(operation);
}

void io_object::start_in_reactor(io_operation& operation) noexcept
{
    const bool waits_only = operation.what == io_operation::kind::wait_read || operation.what == io_operation::kind::wait_write ||
                            operation.what == io_operation::kind::wait_error;
    operation.epoch_ = registration_word::decode(gate_.load(std::memory_order_relaxed)).epoch;
    descriptor_.start(pending_operation::of(operation), pending_operation::direction_of(operation), operation.is_continuation, !waits_only);
}

void io_object::start_in_line(io_operation& operation) noexcept
{
    const bool accepts = operation.what == io_operation::kind::accept;
    error_code ec;
    if (accepts || operation.what == io_operation::kind::wait_read)
        line_->begin(*socket_.impl(), ec);
    else
        ec = boost::asio::error::operation_not_supported;
    if (ec) {
        complete(operation, ec);
        return;
    }
    operation.in_line_ = true;
    descriptor_.start(pending_operation::of(operation), reactor_descriptor::read, operation.is_continuation, true);
}

void io_object::start_by_registering(io_operation& operation) noexcept
{
    const bool in_line = operation.what == io_operation::kind::turn;
    error_code ec;
    try {
        // A loss of which the bell has not been answered yet is told before anything is taken back.
        if (const auto registered = socket_.impl()->current_interest()) registered->on_bell();
        {
            const std::scoped_lock lock(mutex_);
            if (std::exchange(untold_, false) && !in_line)
                ec = errc::registration_cancelled;
            else
                (in_line ? turns_ : waiting_).push_back(&operation);
        }
        if (ec) {
            complete(operation, ec);
            return;
        }
        descriptor_.begin_work();
        register_or_stand_by(in_line, ec);
    } catch (const std::bad_alloc&) {
        ec = make_error_code(boost::system::errc::not_enough_memory);
    }
    if (!ec) {
        look();
        return;
    }
    bool ours = false;
    {
        const std::scoped_lock lock(mutex_);
        ours = std::erase(in_line ? turns_ : waiting_, &operation) != 0;
    }
    if (!ours) return;
    complete(operation, ec);
    descriptor_.end_work();
}

void io_object::register_or_stand_by(bool in_line, error_code& ec)
{
    handle& through = *socket_.impl();
    const auto before = through.current_interest();
    const bool ours = before != nullptr && before->kind() == registration_kind::operations;
    if (ours && before->owns()) return;
    if (ours && in_line && before->state() == interest::phase::standing_by) return;
    {
        const std::scoped_lock lock(mutex_);
        registering_ = true;
    }
    const std::uint32_t mask = role_ == io_role::listener ? std::uint32_t{ev_accept} : std::uint32_t{ev_read} | ev_write;
    event_sink sink{{}, weak_from_this(), registration_kind::operations};
    try {
        const auto& where = service_.pumped_watcher();
        if (in_line)
            stand_by(through, mask, {}, where, std::move(sink), ec);
        else
            select(through, mask, {}, where, std::move(sink), ec);
    } catch (...) {
        const std::scoped_lock lock(mutex_);
        registering_ = false;
        throw;
    }
    const std::scoped_lock lock(mutex_);
    registering_ = false;
}

void io_object::look() noexcept
{
    list ready;
    list turns;
    {
        const std::scoped_lock lock(mutex_);
        if (epoch_ == 0 || slot_ == nullptr) return;
        const registration_word word = load(slot_->registration);
        if (word.epoch != epoch_ || !word.owned()) return; // the bell will tell
        turns.swap(turns_);
        if (gate_.load() == 0 && word.delivering == no_index) { // else whoever delivers rings when it ends, or its sweep does
            registration_word busy = word;
            busy.delivering = word.owner;
            busy_.store(busy.encode());
            gate_.store(word.encode());
        }
        if (gate_.load() != 0) ready.swap(waiting_);
    }
    complete_all(turns, {});
    for (io_operation* const one : ready) {
        start_in_reactor(*one);
        descriptor_.end_work();
    }
}

// --- performing -------------------------------------------------------------------------------------------------------

bool io_object::perform(io_operation& operation) noexcept
{
    if (line_) [[unlikely]] return perform_in_turn(operation);
    const std::uint64_t idle = gate_.load(std::memory_order_relaxed);
    const std::uint64_t busy = busy_.load(std::memory_order_relaxed);
    std::uint64_t seen = idle;
    if (idle == 0 || !slot_->registration.compare_exchange_strong(seen, busy)) return false; // not ours any more: the bell will tell
    const bool transfers = operation.what == io_operation::kind::receive || operation.what == io_operation::kind::send;
    const bool done = transfers ? try_transfer(operation, *socket_.impl()) : attempt(operation);
    seen = busy;
    if (!slot_->registration.compare_exchange_strong(seen, idle)) [[unlikely]] { // somebody took over meanwhile
        const handle& through = *socket_.impl();
        if (membership* const self = through.where().member())
            self->finish(*slot_, through.socket().index, registration_word::decode(idle).epoch, 0);
    }
    return done;
}

bool io_object::perform_in_turn(io_operation& operation) noexcept
try {
    handle& through = *socket_.impl();
    if (operation.what == io_operation::kind::wait_read) {
        pollfd asked{through.fd(), POLLIN, 0};
        return ::poll(&asked, 1, 0) != 0;
    }
    do {
        operation.accepted = line_->accept(through, std::exchange(operation.begun_, true), operation.ec);
    } while (operation.ec == boost::system::errc::connection_aborted); // it came and went
    return operation.ec != boost::system::errc::operation_would_block;
} catch (const std::bad_alloc&) {
    operation.ec = make_error_code(boost::system::errc::not_enough_memory);
    return true;
}

bool io_object::attempt(io_operation& operation) noexcept
try {
    switch (operation.what) {
    case io_operation::kind::receive:
    case io_operation::kind::send:
        return try_transfer(operation, *socket_.impl());
    case io_operation::kind::accept:
    case io_operation::kind::connect:
        break;
    default:
        return true;
    }
    handle& through = *socket_.impl();
    membership* const self = through.where().member();
    if (self == nullptr) {
        operation.ec = through.why_closed();
        return true;
    }
    if (operation.what == io_operation::kind::connect) {
        connect_in_delivery(through, *self, *operation.address, std::exchange(operation.begun_, true), operation.ec);
    } else {
        do {
            operation.accepted = accept_in_delivery(through, *self, operation.ec);
        } while (operation.ec == boost::system::errc::connection_aborted); // it came and went
    }
    return operation.ec != boost::system::errc::operation_would_block;
} catch (const std::bad_alloc&) {
    operation.ec = make_error_code(boost::system::errc::not_enough_memory);
    return true;
}

// A call of the user's own, under no registration: waits as a blocking one would, whatever the common mode.
void io_object::perform_now(io_operation::kind what, const iovec* pieces, std::size_t count, int flags, socket_address* address,
                            std::size_t& bytes, error_code& ec)
{
    struct call final : io_operation {
        explicit call(kind of_what) noexcept : io_operation(of_what) {}
        void finish(bool) override {}
    } now(what);
    now.pieces      = pieces;
    now.piece_count = count;
    now.flags       = flags;
    if (address != nullptr) now.address = *address;
    handle* const through = socket_.impl().get();
    membership* const self = through != nullptr ? through->member(ec) : nullptr;
    if (through == nullptr) ec = errc::closed_handle;
    if (self == nullptr) return;
    const bool writes = what == io_operation::kind::send || what == io_operation::kind::connect || what == io_operation::kind::wait_write;
    const bool waits_only = what == io_operation::kind::wait_read || what == io_operation::kind::wait_write;
    if (waits_only) through->wait(writes ? POLLOUT : POLLIN, {}, now.ec);
    while (!attempt(now) && !ec) through->wait(writes ? POLLOUT : POLLIN, {}, ec);
    if (!ec) ec = now.ec;
    bytes = now.bytes;
    if (now.address) *address = *now.address;
}

// --- completing -------------------------------------------------------------------------------------------------------

void io_object::conclude(io_operation& operation, const error_code& from_reactor) noexcept
{
    if (!from_reactor) return;
    operation.ec = from_reactor;
    const std::uint32_t lost = lost_epoch_.load();
    if (from_reactor != aborted() || lost == 0 || later_epoch(operation.epoch_, lost)) return;
    operation.ec = errc::registration_cancelled;
    const std::scoped_lock lock(mutex_);
    untold_ = false;
}

void io_object::after_handler() noexcept
{
    if (line_ && socket_.impl() != nullptr) line_->end(*socket_.impl());
}

void io_object::complete(io_operation& operation, const error_code& ec) noexcept
{
    operation.ec = ec;
    descriptor_.complete(pending_operation::of(operation), operation.is_continuation);
}

void io_object::complete_all(list& operations, const error_code& ec) noexcept
{
    for (io_operation* const one : operations) {
        complete(*one, ec);
        descriptor_.end_work();
    }
    operations.clear();
}

void io_object::cancel_all() noexcept
{
    descriptor_.cancel();
    cancel_in_lists(nullptr, true);
}

void io_object::cancel_one(const void* key) noexcept
{
    for (const auto which : {reactor_descriptor::read, reactor_descriptor::write, reactor_descriptor::except})
        descriptor_.cancel(which, key);
    cancel_in_lists(key, false);
}

void io_object::cancel_in_lists(const void* key, bool all) noexcept
{
    const auto take = [&]() -> io_operation* {
        const std::scoped_lock lock(mutex_);
        for (list* const from : {&waiting_, &turns_})
            for (auto one = from->begin(); one != from->end(); ++one) {
                if (!all && (*one)->key != key) continue;
                io_operation* const found = *one;
                from->erase(one);
                return found;
            }
        return nullptr;
    };
    while (io_operation* const one = take()) {
        complete(*one, aborted());
        descriptor_.end_work();
    }
}

// --- what becomes of the registration ---------------------------------------------------------------------------------

void io_object::schedule_look() noexcept { look_.schedule(descriptor_, shared_from_this()); }

void io_object::became_owner(std::uint32_t epoch)
{
    bool own_call = false;
    {
        const std::scoped_lock lock(mutex_);
        epoch_  = epoch;
        untold_ = false;
        gate_.store(0);
        own_call = registering_;
    }
    if (!own_call) schedule_look(); // else whoever registers looks
}

void io_object::look_again() { schedule_look(); }

void io_object::close_gate(list& waiting, list& turns) noexcept
{
    epoch_ = 0;
    gate_.store(0);
    waiting.swap(waiting_);
    turns.swap(turns_);
}

void io_object::lost()
{
    list waiting;
    list turns; // a turn that came, and was taken away before we looked
    {
        const std::scoped_lock lock(mutex_);
        if (epoch_ != 0) lost_epoch_.store(epoch_); // else it was lost before we heard that it was ours
        epoch_ = 0;
        gate_.store(0);
        untold_ = waiting_.empty() && turns_.empty();
        waiting.swap(waiting_);
        turns.swap(turns_);
    }
    descriptor_.cancel();
    complete_all(waiting, errc::registration_cancelled);
    complete_all(turns, errc::registration_cancelled);
}

void io_object::passed_on()
{
    lost();
    const std::scoped_lock lock(mutex_);
    untold_ = false; // by ourselves
}

void io_object::ended() noexcept
{
    {
        const std::scoped_lock lock(mutex_);
        if (registering_) return;
    }
    if (socket_.impl() == nullptr || !socket_.impl()->closed()) {
        lost(); // another registration through the same handle
        return;
    }
    list waiting;
    list turns;
    {
        const std::scoped_lock lock(mutex_);
        close_gate(waiting, turns);
    }
    descriptor_.remove();
    complete_all(waiting, aborted());
    complete_all(turns, aborted());
}

void io_object::after_fork_in_child() noexcept
{
    if (epoch_ != 0) lost_epoch_.store(epoch_);
    untold_ = epoch_ != 0;
    epoch_  = 0;
    gate_.store(0);
    mutex_.unlock();
}

void io_object::abandon_operations() noexcept
{
    list waiting;
    list turns;
    {
        const std::scoped_lock lock(mutex_);
        waiting.swap(waiting_);
        turns.swap(turns_);
    }
    descriptor_.cancel();
    complete_all(waiting, errc::registration_cancelled);
    complete_all(turns, errc::registration_cancelled);
}

bool io_object::owns_events() const noexcept
{
    if (slot_ == nullptr || !socket_.is_open()) return false;
    const auto registered = socket_.impl()->current_interest();
    return registered != nullptr && registered->kind() == registration_kind::operations && registered->owns();
}

void io_object::take_over(error_code& ec)
{
    ec.clear();
    if (!socket_.is_open()) ec = errc::closed_handle;
    if (line_) ec = boost::asio::error::operation_not_supported;
    if (ec) return;
    register_or_stand_by(false, ec);
    if (ec) return;
    look();
    const std::scoped_lock lock(mutex_);
    if (gate_.load() == 0) ec = errc::fence_pending;
}

bool io_object::pass_on(error_code& ec) { return socket_.pass_on(ec); }

// --- the end ----------------------------------------------------------------------------------------------------------

shared_socket io_object::release() noexcept
{
    if (!socket_.is_open()) return {};
    list waiting;
    list turns;
    {
        const std::scoped_lock lock(mutex_);
        close_gate(waiting, turns);
        untold_      = false;
        registering_ = true; // what ends now ends by our own call
    }
    handle& through = *socket_.impl();
    if (line_) line_->leave(through);
    descriptor_.remove();
    complete_all(waiting, aborted());
    complete_all(turns, aborted());
    if (const auto registered = through.current_interest(); registered != nullptr && registered->kind() == registration_kind::operations) {
        registered->cancel_for_good();
        through.set_interest(nullptr);
    }
    const std::scoped_lock lock(mutex_);
    registering_ = false;
    slot_ = nullptr;
    return std::move(socket_);
}

void io_object::close(error_code& ec)
{
    ec.clear();
    shared_socket closing = release();
    if (!closing.is_open()) return;
    closing.close(ec);
    error_code failed;
    if (closing.is_open()) assign(closing, failed); // ERR-4: it stays valid
}

void io_object::shut_down() noexcept
{
    list waiting;
    list turns;
    {
        const std::scoped_lock lock(mutex_);
        shut_down_ = true;
        close_gate(waiting, turns);
    }
    if (line_ && socket_.impl() != nullptr) line_->leave(*socket_.impl());
    descriptor_.remove();
    for (list* const one : {&waiting, &turns})
        for (io_operation* const operation : *one) operation->finish(false);
}

// --- what the headers know ------------------------------------------------------------------------------------------

std::shared_ptr<io_object> make_io_object(io_role role, shared_socket& socket, const boost::asio::any_io_executor& executor,
                                          const turn_options* in_turn)
{
    auto made = std::make_shared<io_object>(role, executor, in_turn);
    error_code ec;
    made->assign(socket, ec);
    if (ec) throw system_error(ec, "sharedsock: putting a socket on an executor");
    return made;
}

void start(io_object& object, io_operation& operation) noexcept { object.start(operation); }
std::weak_ptr<io_object> weakly(io_object& object) noexcept { return object.weak_from_this(); }
void cancel_all(io_object& object) noexcept { object.cancel_all(); }
void cancel_one(const std::weak_ptr<io_object>& object, const void* key) noexcept
{
    if (const auto alive = object.lock()) alive->cancel_one(key);
}
shared_socket& socket_of(io_object& object) noexcept { return object.socket(); }
shared_socket release(io_object& object) noexcept { return object.release(); }
void close(io_object& object, error_code& ec) { object.close(ec); }
void take_over(io_object& object, error_code& ec) { object.take_over(ec); }
bool owns_events(const io_object& object) noexcept { return object.owns_events(); }
bool pass_on(io_object& object, error_code& ec) { return object.pass_on(ec); }

void perform_now(io_object& object, io_operation::kind what, const iovec* pieces, std::size_t count, int flags, socket_address* address,
                 std::size_t& bytes, error_code& ec)
{
    object.perform_now(what, pieces, count, flags, address, bytes, ec);
}

} // namespace sharedsock::detail
