// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// How an attachment serves other processes: it receives and answers messages, and asks for descriptors.
#include "attach/attachment.hpp"
#include "attach/handle.hpp"
#include "base/descriptor_proof.hpp"
#include "base/epoll.hpp"
#include "base/new_fd.hpp"
#include "base/random.hpp"
#include "base/syscall.hpp"
#include "ipc/deposit.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace sharedsock::detail {
namespace {

constexpr std::chrono::seconds sweep_interval{1}; // how often a serving process looks for deaths that it was not told of
constexpr std::chrono::milliseconds glance{10};   // another thread of this process may have read the awaited answer

// pidfd_getfd(2): 0.3 of the cost of a message where ptrace(2) rights allow it. The copy is the right socket only if its cookie
// says so: another process may have the pid by now, and the number may be another descriptor. A kept ticket's socket is in a
// deposit. `ec`: no room for a descriptor. `pid` is 0 for a process that has no number in this pid namespace; that process gets a
// message.
unique_fd pull(pid_t pid, int descriptor, bool kept, std::uint64_t cookie, error_code& ec) noexcept
{
    if (pid <= 0) return {};
    const unique_fd process = new_fd::of_process(pid);
    unique_fd copy;
    if (process) copy = new_fd::from_process(process, descriptor);
    if (!copy && (errno == EMFILE || errno == ENFILE)) ec = last_error(sys<"pidfd_getfd">);
    if (copy && kept) copy = deposit::look(copy.get(), ec);
    if (copy && cookie_of(copy.get()) != cookie) copy.reset();
    return copy;
}

} // namespace

// Makes the epoll, or fills the empty one that a forked child has.
void attachment::make_serving_epoll(error_code& ec)
{
    unique_fd made       = serving_ ? unique_fd() : new_fd::epoll();
    const unique_fd& all = serving_ ? serving_ : made;
    unique_fd tick       = new_fd::timer();
    const itimerspec every{{sweep_interval.count(), 0}, {sweep_interval.count(), 0}};
    if (!all || !tick) {
        ec = last_error(all ? sys<"timerfd_create"> : sys<"epoll_create1">);
        return;
    }
    if (::timerfd_settime(tick.get(), 0, &every, nullptr) != 0) {
        ec = last_error(sys<"timerfd_settime">);
        return;
    }
    for (const int fd : {box_.native_handle(), bells_.native_handle(), deaths_.native_handle(), tick.get()}) {
        if (fd < 0 || add_to_epoll(all.get(), fd, EPOLLIN) || errno == EEXIST) continue;
        ec = last_error(sys<"epoll_ctl">);
        return;
    }
    if (made) serving_ = std::move(made);
    tick_ = std::move(tick);
}

void attachment::stop_serving() noexcept
{
    const std::scoped_lock lock(mutex_);
    if (!has_entry(serving_, tick_, EPOLLIN, 0)) return; // other code has closed them: that code may own the epoll there
    for (const int fd : {box_.native_handle(), bells_.native_handle(), deaths_.native_handle(), tick_.get()})
        if (serving_ && fd >= 0) ::epoll_ctl(serving_.get(), EPOLL_CTL_DEL, fd, nullptr); // a thread that polls it sleeps now
}

int attachment::serving_handle()
{
    error_code ec, not_attached;
    if (member(not_attached) != nullptr) hang_bell(ec); // so that a serving process hears of its sockets as well
    const std::scoped_lock lock(mutex_);
    if (tick_ && serving_.doubtful() && !prove_entry(serving_, tick_, EPOLLIN, 0)) ec = errc::identity_lost;
    if (!ec && !tick_ && (member() != nullptr || !serving_)) make_serving_epoll(ec);
    detail::throw_if(ec, "sharedsock::segment::native_handle");
    return serving_.get();
}

void attachment::serve(error_code& ec)
{
    ec.clear();
    error_code not_attached;
    membership* const self = member(not_attached);
    if (self == nullptr) return;
    bool sweep_due = false;
    {
        const std::scoped_lock lock(mutex_);
        read_mail(ec); // messages that could not be read wait in the kernel until the next call
        std::uint64_t ticks = 0;
        sweep_due           = tick_ && ::read(tick_.get(), &ticks, sizeof ticks) == sizeof ticks;
    }
    answer_bell();
    retry_closes();
    end_tickets_of_the_dead();
    if (sweep_due && confirm_identity()) self->sweep_dead();
}

bool attachment::worth_keeping(const mail_message& text) const noexcept
{
    if (text.what == mail_message::kind::grant) return std::find(requests_.begin(), requests_.end(), text.nonce) != requests_.end();
    if (!is_nonce_of(text.what, text.nonce)) return false;
    return member_.judge_offer({text.handle, text.handle_generation}, text.nonce, {text.sender, text.sender_generation}) ==
           membership::offer_standing::good;
}

// A second message for one ticket is a sender's mistake, or an attempt to fill this process's descriptor table.
bool attachment::is_known_offer(const mail_message& text)
{
    return text.what == mail_message::kind::offer &&
           find_message(text.what, {text.handle, text.handle_generation}, text.nonce) != mail_.end();
}

void attachment::read_mail(error_code& ec, const std::function<bool()>& enough)
{
    std::erase_if(mail_, [this](const delivered_message& one) { return !worth_keeping(one.text); }); // revoked meanwhile
    forget_kept();
    const process_id self = member_.self();
    const auto receive    = [&] { // makes room first: a received message exists only here
        if (mail_.size() == mail_.capacity()) mail_.reserve(std::max<std::size_t>(8, 2 * mail_.size()));
        return box_.receive(ec);
    };
    while (auto arrived = receive()) {
        if (arrived->text.receiver != self.index || arrived->text.receiver_generation != self.generation) continue;
        if (arrived->text.what == mail_message::kind::request)
            answer_request(arrived->text);
        else if (arrived->text.what == mail_message::kind::hand_over)
            keep_arrival(std::move(*arrived));
        else if (worth_keeping(arrived->text) && !is_known_offer(arrived->text))
            mail_.push_back(std::move(*arrived));
        if (enough && enough()) return;
    }
}

void attachment::answer_request(const mail_message& request)
{
    const record_id socket{request.socket, request.socket_generation};
    mail_message grant        = request;
    grant.what                = mail_message::kind::grant;
    grant.sender              = member_.self().index;
    grant.sender_generation   = member_.self().generation;
    grant.receiver            = request.sender;
    grant.receiver_generation = request.sender_generation;
    error_code ec; // the asking process is gone, or its mailbox is full: it will ask again, or ask another process
    if (const handle* const one = any_open_handle_to(socket)) {
        grant.cookie = one->slot().cookie;
        box_.send(request.sender, grant, one->fd(), ec);
        return;
    }
    for (const kept_descriptor& one : kept_) {
        if (one.ticket.socket != socket) continue;
        const unique_fd kept = deposit::look(one.descriptor.get(), ec);
        if (!kept) continue;
        grant.cookie = cookie_of(kept.get());
        box_.send(request.sender, grant, kept.get(), ec);
        return;
    }
}

attachment::mail_iterator attachment::find_message(mail_message::kind what, record_id ticket, std::uint64_t nonce)
{
    return std::find_if(mail_.begin(), mail_.end(), [&](const delivered_message& one) {
        return one.text.what == what && one.text.handle == ticket.index && one.text.handle_generation == ticket.generation &&
               one.text.nonce == nonce;
    });
}

unique_fd attachment::redeem_offered(record_id ticket, std::uint64_t nonce, error_code& ec)
{
    ec.clear();
    const std::scoped_lock lock(mutex_);
    auto found = find_message(mail_message::kind::offer, ticket, nonce);
    if (found == mail_.end()) {
        read_mail(ec, [&] { return find_message(mail_message::kind::offer, ticket, nonce) != mail_.end(); });
        found = find_message(mail_message::kind::offer, ticket, nonce);
    }
    if (found == mail_.end()) { // another thread took and redeemed it, or it is lost
        const handle_record* const record = handle_table::find(member_.bytes(), ticket);
        if (record == nullptr || load(*record).state != handle_state::offered) ec = errc::ticket_used;
        return {};
    }
    ec.clear(); // of a later message that found no room: not this caller's error
    const handle_record* const record = handle_table::find(member_.bytes(), ticket);
    const bool by_pid                 = record != nullptr && record->target_pid != 0;
    unique_fd deposited, descriptor;
    if (by_pid) descriptor = deposit::look(found->descriptor.get(), ec);
    if (ec) return {}; // the message stays
    (by_pid ? deposited : descriptor) = std::move(found->descriptor);
    const mail_message text           = found->text;
    mail_.erase(found);
    if (!descriptor) return {}; // the deposit was emptied by the redemption of another ticket, or forged: as if it were lost
    // The record names the socket, the message names the one that arrived: in a damaged segment they may differ (G10).
    const socket_slot* const slot =
        record != nullptr ? socket_table::find(member_.bytes(), {record->socket.load(), record->socket_generation.load()})
                          : nullptr;
    if (slot != nullptr && slot->cookie != (by_pid ? cookie_of(descriptor.get()) : text.cookie))
        ec = errc::wrong_descriptor;
    else if (slot == nullptr || !member_.take_offered(ticket, nonce, {text.sender, text.sender_generation}))
        ec = errc::ticket_used;
    if (ec) descriptor.reset();
    if (descriptor && deposited) {
        deposit::empty(deposited.get());                  // the copy of the source too
        member_.ring(text.sender, record->socket.load()); // if it serves, it closes that now
    }
    return descriptor;
}

void attachment::drop_dead_messages() noexcept
try {
    const std::scoped_lock lock(mutex_);
    error_code ec; // no room: the next reading of the mail closes them
    read_mail(ec);
} catch (const std::bad_alloc&) { // the next reading of the mail closes them
}

void attachment::keep_descriptor(const socket_and_handle& ticket, const seen_process& target, unique_fd deposited)
{
    const std::scoped_lock lock(mutex_);
    forget_kept();
    const std::uint64_t cookie = cookie_of(deposited.get());
    kept_.push_back({ticket, target, std::move(deposited), cookie});
}

void attachment::forget_descriptors() noexcept
{
    const std::scoped_lock lock(mutex_);
    forget_kept();
}

void attachment::forget_kept() noexcept
{
    std::erase_if(kept_, [this](const kept_descriptor& one) {
        const handle_record* const record = handle_table::find(member_.bytes(), one.ticket.handle);
        if (record == nullptr) return true;
        const handle_life life = load(*record);
        const bool ours        = life.process == member_.self().index;
        const bool waits_here  = ours && (life.state == handle_state::kept || life.state == handle_state::handing);
        return !waits_here && life.state != handle_state::offered; // offered: the target may execute another program
    });
}

void attachment::end_tickets_of_the_dead() noexcept
try {
    std::vector<record_id> dead;
    {
        const std::scoped_lock lock(mutex_);
        for (const kept_descriptor& one : kept_) {
            if (handle_table::find(member_.bytes(), one.ticket.handle) != nullptr && !still_runs(one.target))
                dead.push_back(one.ticket.handle);
        }
    }
    error_code ec; // if a stopped process holds a slot's lock: the next `serve` retries
    for (const record_id ticket : dead)
        member_.withdraw_ticket(ticket, ec);
    if (!dead.empty()) forget_descriptors();
} catch (const std::bad_alloc&) { // the next `serve` retries
}

std::vector<mail_message> attachment::waiting_messages()
{
    const std::scoped_lock lock(mutex_);
    error_code ec;
    read_mail(ec);
    std::vector<mail_message> result;
    for (const delivered_message& one : mail_)
        if (one.text.what == mail_message::kind::offer) result.push_back(one.text);
    return result;
}

const handle* attachment::any_open_handle_to(record_id socket) const noexcept
{
    const handle* found = nullptr;
    handles_.for_each_of(socket.index, [&](const handle& one) {
        if (one.socket() == socket && !one.closed()) found = &one;
        return found == nullptr;
    });
    return found;
}

unique_fd attachment::own_descriptor(record_id socket)
{
    const std::scoped_lock lock(mutex_); // a thread that closes a handle takes it out of the list first
    const handle* const one = any_open_handle_to(socket);
    return one != nullptr ? new_fd::duplicate(one->fd()) : unique_fd();
}

unique_fd attachment::fetch_descriptor(record_id socket, error_code& ec, std::optional<std::uint32_t> only_from)
{
    membership* const self = member(ec);
    if (self == nullptr) return {};
    const socket_slot* const slot = socket_table::find(self->bytes(), socket);
    if (slot == nullptr) {
        ec = errc::closed_handle;
        return {};
    }
    struct holder {
        std::uint32_t process;
        int descriptor;
        bool kept; // a ticket's, in a deposit
    };
    const std::uint64_t cookie = slot->cookie;
    std::vector<holder> holders;
    handle_table::for_each(self->bytes(), socket.index, [&](std::uint32_t, const handle_record& record) {
        const handle_life life    = load(record);
        const bool has_descriptor = life.state == handle_state::held || life.state == handle_state::kept;
        if (has_descriptor && (!only_from || life.process == *only_from))
            holders.push_back({life.process, record.descriptor, life.state == handle_state::kept});
        return true;
    });
    const std::uint32_t own_index = self->self().index;
    for (const holder& one : holders) {
        const process_record* const process = self->bytes().process(one.process);
        if (process == nullptr || one.descriptor < 0) continue;
        unique_fd copy;
        if (one.process == own_index && !only_from) copy = own_descriptor(socket);
        if (!copy) copy = pull(self->pid_of({one.process, load(*process).generation}), one.descriptor, one.kept, cookie, ec);
        if (copy) ec.clear();
        if (copy || ec) return copy;
    }

    mail_message request;
    request.what              = mail_message::kind::request;
    request.socket            = socket.index;
    request.socket_generation = socket.generation;
    request.nonce             = random_number(ec);
    if (ec) return {};
    request.sender            = own_index;
    request.sender_generation = self->self().generation;
    {
        const std::scoped_lock lock(mutex_);
        requests_.push_back(request.nonce);
    }
    std::sort(holders.begin(), holders.end(), [](const holder& a, const holder& b) { return a.process < b.process; });
    std::uint32_t last_asked = own_index; // asks each process once, however many handles it has
    bool anybody_asked       = false;
    error_code no_way; // to a holder that lives
    for (const holder& one : holders) {
        const process_record* const process = self->bytes().process(one.process);
        if (process == nullptr || one.process == own_index || one.process == last_asked) continue;
        last_asked                  = one.process;
        request.receiver            = one.process;
        request.receiver_generation = load(*process).generation;
        error_code unreachable; // another holder may answer
        box_.send(one.process, request, -1, unreachable);
        if (unreachable == errc::target_gone) self->sweep_if_dead(one.process);
        if (unreachable == errc::paths_lost) no_way = unreachable;
        if (!unreachable) anybody_asked = true;
    }
    unique_fd answer;
    const auto deadline = std::chrono::steady_clock::now() + self->patience();
    for (bool waiting = anybody_asked; waiting;) {
        { // released before the poll: other threads of this process need the mutex
            const std::scoped_lock lock(mutex_);
            read_mail(ec);
            if (const auto found =
                    find_message(mail_message::kind::grant, {request.handle, request.handle_generation}, request.nonce);
                found != mail_.end()) {
                if (found->text.cookie == cookie) answer = std::move(found->descriptor);
                mail_.erase(found);
            }
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        waiting         = !answer && !ec && left.count() > 0;
        pollfd mail{box_.native_handle(), POLLIN, 0};
        if (waiting && uninterrupted([&] { return ::poll(&mail, 1, static_cast<int>(std::min(left, glance).count())); }) < 0) {
            ec      = last_error(sys<"poll">);
            waiting = false;
        }
    }
    {
        const std::scoped_lock lock(mutex_);
        std::erase(requests_, request.nonce);
    }
    if (answer)
        ec.clear();
    else if (!ec)
        ec = socket_table::find(self->bytes(), socket) == nullptr ? errc::closed_handle
             : no_way && !anybody_asked                           ? no_way
                                                                  : make_error_code(errc::no_serving_holder);
    return answer;
}

} // namespace sharedsock::detail
