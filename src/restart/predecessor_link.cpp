// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "restart/predecessor_link.hpp"

#include "base/sealed_memory.hpp"
#include "base/syscall.hpp"

#include <boost/system/errc.hpp>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <new>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

namespace sharedsock::restart::detail {

namespace sealed_memory = sharedsock::detail::sealed_memory;

namespace {

constexpr std::chrono::milliseconds retry_after{2};

// The carry of an offer.
std::vector<std::byte> read_carry(const gift_entry& from, error_code& ec)
{
    ec.clear();
    if (!from.memory) return from.bytes;
    const auto size = sealed_memory::size_of(from.memory.get(), ec);
    if (ec) return {};
    if (!size || *size != from.size) {
        ec = errc::bad_restart_message;
        return {};
    }
    std::vector<std::byte> bytes(from.size);
    sealed_memory::read(from.memory.get(), 0, bytes, ec);
    return bytes;
}

} // namespace

std::string predecessor_link::who() const
{
    return "the predecessor of service \"" + home_.name + "\" (pid " + std::to_string(home_.predecessor.pid) + ")";
}

void predecessor_link::ready()
{
    wire::message ready;
    ready.what = wire::kind::ready;
    talk_.send(ready);
    (void)talk_.flush(); // if it fails, the end of the connection is what comes next
}

void predecessor_link::leave(std::string_view why) noexcept
try {
    wire::message leaving;
    leaving.what = wire::kind::leaving;
    leaving.text = why;
    (void)talk_.send_now(leaving); // the end of the connection says the same in fewer words
} catch (const std::bad_alloc&) {
    return;
}

predecessor_link::outcome predecessor_link::dismiss(const error_code& why, std::string text)
{
    offers_.clear();
    std::erase_if(home_.events, [](const pending_event& one) { return one.one.what == event::kind::offered; });
    home_.lock.reset();
    home_.listener.reset();
    home_.tell(event::kind::dismissed, why, std::move(text));
    return outcome::dismissed;
}

predecessor_link::outcome predecessor_link::serve()
{
    ::listen(home_.listener.get(), service_place::backlog); // the kernel shows those that connect this process's pid from now on
    offer_again();
    home_.tell(event::kind::serving, {}, who() + " has ended its part");
    return outcome::serving;
}

void predecessor_link::offer_again()
{
    for (const std::uint64_t number : std::exchange(again_, {})) {
        const auto found = offers_.find(number);
        if (found == offers_.end()) continue;
        event offered;
        offered.what = event::kind::offered;
        offered.gift = number;
        offered.tag  = found->second.tag;
        offered.size = found->second.size;
        home_.events.push_back({std::move(offered), {}});
    }
}

// The predecessor has ended by itself: the service is this generation's, if no other process was faster.
predecessor_link::outcome predecessor_link::inherit(time_point now)
{
    if (home_.lock) return serve();
    if (!give_up_) give_up_ = now + std::chrono::duration_cast<clock::duration>(home_.how.patience);
    error_code ec;
    if (!home_.place) home_.place = service_place::open(home_.name, home_.how, ec);
    if (!ec && home_.place) home_.lock = home_.place.try_lock(ec);
    if (!ec && home_.lock) home_.listener = home_.place.bind(ec);
    if (ec) return dismiss(ec, who() + " has ended, and its place could not be taken: " + describe_failure(ec));
    if (home_.lock) return serve();
    // A process that is killed closes its connections one after the other, and the lock perhaps last; one that ends in order
    // removes the directory.
    home_.place.close();
    retry_ = now + retry_after;
    if (now < *give_up_) return outcome::goes_on;
    return dismiss(errc::upgrade_dismissed, who() + " has ended, and another process serves now");
}

predecessor_link::outcome predecessor_link::work(time_point now)
{
    if (now >= std::exchange(retry_, time_point::max())) offer_again();
    while (!is_dead_) {
        arrived_message got;
        const arrival what = talk_.receive(got);
        if (what == arrival::nothing) break;
        if (what == arrival::message) {
            if (const auto ended = handle(got)) return *ended;
            if (!home_.events.empty()) return outcome::goes_on; // the program hears of a step before the next one is made
            continue;
        }
        std::uint64_t set = 0;
        if (::read(verdict_.get(), &set, sizeof set) == static_cast<ssize_t>(sizeof set))
            return dismiss(errc::upgrade_dismissed, who() + " has taken the service back");
        is_dead_ = true;
        talk_    = {};
    }
    if (is_dead_) return inherit(now);
    (void)talk_.flush();
    if (is_over_ && offers_.empty()) {
        wire::message serving;
        serving.what        = wire::kind::serving;
        const error_code ec = talk_.send_now(serving);
        if (!ec) return serve();
        if (ec == boost::system::errc::operation_would_block) retry_ = now + retry_after;
    }
    return outcome::goes_on;
}

std::optional<predecessor_link::outcome> predecessor_link::handle(arrived_message& got)
{
    const wire::message& said = got.content.text;
    if (got.content.is == wire::verdict::skipped) return {};
    if (got.content.is == wire::verdict::not_understood) {
        leave("the predecessor requires what this version (sharedsock " + library_version() + ") does not know");
        return dismiss(errc::other_restart_protocol, who() + " requires what this version does not know");
    }
    if (got.content.is == wire::verdict::good) {
        if (said.what == wire::kind::dismissed)
            return dismiss(errc::upgrade_dismissed, who() + " has taken the service back: " + said.text);
        if (said.what == wire::kind::gift) return offer(got), std::nullopt;
        if (said.what == wire::kind::over) return is_over_ = true, std::nullopt;
        if (said.what == wire::kind::go && got.complete()) {
            home_.lock     = std::move(got.descriptors[0]);
            home_.listener = std::move(got.descriptors[1]);
            return {};
        }
        if (said.what == wire::kind::go && got.lacks_descriptors) {
            leave("no room for descriptors: raise RLIMIT_NOFILE of the successor");
            return dismiss({EMFILE, boost::system::system_category()},
                           "this process has no room for the descriptors of the service");
        }
    }
    leave("the predecessor sent what is no message of the protocol");
    return dismiss(errc::bad_restart_message, who() + " sent bytes that are no message");
}

void predecessor_link::offer(arrived_message& got)
{
    const wire::message& said = got.content.text;
    if (!got.complete()) {
        send_declined(said.number, got.lacks_descriptors ? "no room for descriptors: raise RLIMIT_NOFILE of the successor"
                                                         : "the message brought another number of descriptors than it should");
        return;
    }
    gift_entry one;
    one.number = said.number;
    one.tag    = said.tag;
    one.size   = said.size;
    one.socket = std::move(got.descriptors[0]);
    one.bytes  = said.bytes;
    if (got.descriptors.size() == 2) one.memory = std::move(got.descriptors[1]);
    event offered;
    offered.what = event::kind::offered;
    offered.gift = one.number;
    offered.tag  = one.tag;
    offered.size = one.size;
    try {
        home_.events.push_back({std::move(offered), {}});
        offers_.insert_or_assign(said.number, std::move(one));
    } catch (const std::bad_alloc&) {
        send_declined(said.number, "no memory");
    }
}

void predecessor_link::send_declined(std::uint64_t number, std::string_view reason)
{
    wire::message declined;
    declined.what   = wire::kind::declined;
    declined.number = number;
    declined.text   = reason;
    talk_.send(declined);
    (void)talk_.flush();
}

connection predecessor_link::take(std::uint64_t number, error_code& ec)
{
    connection taken;
    const auto found = offers_.find(number);
    if (found == offers_.end()) {
        ec = errc::no_such_gift;
        return taken;
    }
    taken.tag   = found->second.tag;
    taken.bytes = read_carry(found->second, ec);
    if (ec) return {};
    if (!is_dead_) {
        wire::message answer;
        answer.what   = wire::kind::taken;
        answer.number = number;
        ec            = talk_.send_now(answer);
        if (ec) { // no room yet; or the predecessor refuses it or has ended, and the connection's end will tell which
            if (ec == boost::system::errc::operation_would_block) retry_ = clock::now() + retry_after;
            ec = boost::system::errc::make_error_code(boost::system::errc::operation_would_block);
            again_.push_back(number);
            return {};
        }
    }
    taken.socket = descriptor(found->second.socket.release());
    offers_.erase(found);
    return taken;
}

void predecessor_link::decline(std::uint64_t number, std::string_view reason, error_code& ec)
{
    const auto found = offers_.find(number);
    if (found == offers_.end()) {
        ec = errc::no_such_gift;
        return;
    }
    ec.clear();
    if (!is_dead_) send_declined(number, reason);
    offers_.erase(found); // closes this process's descriptor; of a dead predecessor's gift, the connection
}

} // namespace sharedsock::restart::detail
