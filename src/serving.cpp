// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// An attachment's dealings with others: the mail it receives and answers, and the descriptors it asks for.
#include "attachment.hpp"
#include "handle.hpp"
#include "last_error.hpp"

#include <algorithm>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace sharedsock::detail {
namespace {

constexpr std::chrono::seconds sweep_interval{1}; // how often whoever serves looks for the dead of whom nothing told it

std::uint64_t cookie_of(int descriptor) noexcept
{
    std::uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    return ::getsockopt(descriptor, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

// pidfd_getfd(2): 0.3 of the cost of a letter where ptrace(2) rights allow it. Whatever comes back is the right socket only if
// its cookie says so: the pid may be used again, the number may be another descriptor by now.
unique_fd pull(std::int32_t pid, int descriptor, std::uint64_t cookie) noexcept
{
    const unique_fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!process) return {};
    unique_fd copy(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), descriptor, 0))); // close-on-exec
    if (copy && cookie_of(copy.get()) != cookie) copy.reset();
    return copy;
}

} // namespace

void attachment::make_serving_epoll()
{
    serving_.reset(::epoll_create1(EPOLL_CLOEXEC));
    tick_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    const itimerspec every{{sweep_interval.count(), 0}, {sweep_interval.count(), 0}};
    ::timerfd_settime(tick_.get(), 0, &every, nullptr);
    for (const int fd : {box_.native_handle(), bells_.native_handle(), deaths_.native_handle(), tick_.get()}) {
        epoll_event event{};
        event.events = EPOLLIN;
        if (fd >= 0) ::epoll_ctl(serving_.get(), EPOLL_CTL_ADD, fd, &event);
    }
}

int attachment::serving_handle()
{
    error_code ec;
    if (member(ec) != nullptr) hang_bell(ec); // so that who serves hears of its sockets as well
    const std::scoped_lock lock(mutex_);
    if (!serving_) make_serving_epoll();
    return serving_.get();
}

void attachment::serve()
{
    membership* const self = member();
    if (self == nullptr) return;
    bool sweep_due = false;
    {
        const std::scoped_lock lock(mutex_);
        error_code ec; // no room for a descriptor: it waits in the kernel until `take_descriptor` asks for it
        read_mail(ec);
        std::uint64_t ticks = 0;
        sweep_due = tick_ && ::read(tick_.get(), &ticks, sizeof ticks) == sizeof ticks;
    }
    answer_bell();
    retry_closes();
    if (sweep_due) self->sweep_dead();
}

bool attachment::worth_keeping(const letter& text) const noexcept
{
    if (text.what == letter::kind::grant) return std::find(requests_.begin(), requests_.end(), text.nonce) != requests_.end();
    const handle_record* const record = handle_table::find(member_.bytes(), {text.handle, text.handle_generation});
    return record != nullptr && record->nonce.load() == text.nonce;
}

void attachment::read_mail(error_code& ec)
{
    std::erase_if(mail_, [this](const delivered_letter& one) { return !worth_keeping(one.text); }); // revoked meanwhile
    const process_id self = member_.self();
    while (auto arrived = box_.receive(ec)) {
        if (arrived->text.receiver != self.index || arrived->text.receiver_generation != self.generation) continue;
        if (arrived->text.what == letter::kind::request)
            answer_request(arrived->text);
        else if (worth_keeping(arrived->text))
            mail_.push_back(std::move(*arrived));
    }
}

void attachment::answer_request(const letter& request)
{
    const auto found = handles_.find(request.socket);
    if (found == handles_.end()) return;
    for (const handle* const one : found->second) {
        if (one->socket().generation != request.socket_generation || one->closed()) continue;
        letter grant = request;
        grant.what = letter::kind::grant;
        grant.cookie = one->slot().cookie;
        grant.sender = member_.self().index;
        grant.sender_generation = member_.self().generation;
        grant.receiver = request.sender;
        grant.receiver_generation = request.sender_generation;
        error_code ec; // the asker has gone, or its box is full: it will ask again or another
        box_.send(request.sender, grant, one->fd(), ec);
        return;
    }
}

unique_fd attachment::take_descriptor(record_id ticket, std::uint64_t nonce, error_code& ec)
{
    ec.clear();
    const std::scoped_lock lock(mutex_);
    const auto take = [&]() -> unique_fd {
        const auto found = std::find_if(mail_.begin(), mail_.end(), [&](const delivered_letter& one) {
            return one.text.what == letter::kind::offer && one.text.handle == ticket.index &&
                   one.text.handle_generation == ticket.generation && one.text.nonce == nonce;
        });
        if (found == mail_.end()) return {};
        unique_fd descriptor = std::move(found->descriptor);
        mail_.erase(found);
        return descriptor;
    };
    if (unique_fd kept = take()) return kept;
    read_mail(ec);
    unique_fd arrived = take();
    if (arrived) ec.clear(); // there was no room for a later one; that is not this caller's business
    return arrived;
}

std::vector<letter> attachment::waiting_letters()
{
    const std::scoped_lock lock(mutex_);
    error_code ec;
    read_mail(ec);
    std::vector<letter> result;
    for (const delivered_letter& one : mail_)
        if (one.text.what == letter::kind::offer) result.push_back(one.text);
    return result;
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
    };
    std::vector<holder> holders;
    handle_table::for_each(self->bytes(), socket.index, [&](std::uint32_t, const handle_record& record) {
        const handle_life life = load(record);
        const bool has_descriptor = life.state == handle_state::held || life.state == handle_state::kept;
        if (has_descriptor && (!only_from || life.process == *only_from)) holders.push_back({life.process, record.descriptor});
        return true;
    });
    const std::uint64_t own_namespace = self->bytes().process(self->self().index)->pid_namespace;
    for (const holder& one : holders) {
        const process_record* const process = self->bytes().process(one.process);
        if (process == nullptr || process->pid_namespace != own_namespace || one.descriptor < 0) continue;
        if (unique_fd copy = pull(process->pid, one.descriptor, slot->cookie)) return copy;
    }

    letter request;
    request.what = letter::kind::request;
    request.socket = socket.index;
    request.socket_generation = socket.generation;
    request.nonce = random_number();
    request.sender = self->self().index;
    request.sender_generation = self->self().generation;
    const std::scoped_lock lock(mutex_);
    requests_.push_back(request.nonce);
    for (const holder& one : holders) {
        const process_record* const process = self->bytes().process(one.process);
        if (process == nullptr || one.process == self->self().index) continue;
        request.receiver = one.process;
        request.receiver_generation = load(*process).generation;
        error_code unreachable; // then another holder may answer
        box_.send(one.process, request, -1, unreachable);
    }
    unique_fd answer;
    const auto deadline = std::chrono::steady_clock::now() + self->patience();
    for (;;) {
        read_mail(ec);
        const auto found = std::find_if(mail_.begin(), mail_.end(), [&](const delivered_letter& one) {
            return one.text.what == letter::kind::grant && one.text.nonce == request.nonce;
        });
        if (found != mail_.end()) {
            if (found->text.cookie == slot->cookie) answer = std::move(found->descriptor);
            mail_.erase(found);
            if (answer) break;
            continue;
        }
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        if (ec || left.count() <= 0) break;
        pollfd mail{box_.native_handle(), POLLIN, 0};
        ::poll(&mail, 1, static_cast<int>(left.count()) + 1);
    }
    std::erase(requests_, request.nonce);
    if (answer)
        ec.clear();
    else if (!ec)
        ec = errc::no_serving_holder;
    return answer;
}

} // namespace sharedsock::detail
