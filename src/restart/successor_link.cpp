// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "restart/successor_link.hpp"

#include "base/new_fd.hpp"
#include "base/syscall.hpp"

#include <boost/system/errc.hpp>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include <unistd.h>

namespace sharedsock::restart::detail {

using sharedsock::detail::last_error;
using sharedsock::detail::sys;
namespace new_fd = sharedsock::detail::new_fd;

namespace {

constexpr std::chrono::seconds greeting_limit{5};

template <class Duration>
time_point after(time_point now, Duration limit) noexcept
{
    return limit > time_point::max() - now ? time_point::max() : now + std::chrono::duration_cast<clock::duration>(limit);
}

} // namespace

successor_link::successor_link(service& home, unique_fd connection, pid_t pid, time_point now)
    : home_(home),
      talk_(std::move(connection)),
      pid_(pid),
      ledger_(home.how.window, home.how.window_bytes),
      limit_(after(now, greeting_limit))
{}

std::string successor_link::who() const
{
    return "the successor of service \"" + home_.name + "\" (pid " + std::to_string(pid_) + ")";
}

std::uint64_t successor_link::give(gift_entry one, int socket, const std::function<int(error_code&)>& release, error_code& ec)
{
    gift_entry& added = ledger_.add(std::move(one));
    try {
        wire::message gift;
        gift.what   = wire::kind::gift;
        gift.number = added.number;
        gift.tag    = added.tag;
        gift.size   = added.size;
        std::vector<int> descriptors{socket};
        if (added.memory) {
            gift.in_memory = 1;
            descriptors.push_back(added.memory.get());
        } else {
            gift.bytes = added.bytes;
        }
        talk_.send(gift, std::move(descriptors));
    } catch (...) {
        (void)ledger_.answered(added.number);
        throw;
    }
    if (release) socket = release(ec);
    if (ec) {
        talk_.drop_last();
        (void)ledger_.answered(added.number);
        return 0;
    }
    talk_.last_descriptors().front() = socket;
    added.socket.reset(socket);
    (void)talk_.flush(); // if it fails, the end of the connection is what comes next
    return added.number;
}

void successor_link::finish(time_point now)
{
    state_ = state::finishing;
    limit_ = time_point::max(); // the gifts have limits of their own
    say_over_if_due(now);
    (void)talk_.flush(); // if it fails, the end of the connection is what comes next
}

successor_link::outcome successor_link::dismiss(std::string_view reason)
{
    return fail(errc::upgrade_dismissed, who() + " was dismissed: " + std::string(reason), false);
}

void successor_link::say_over_if_due(time_point now)
{
    if (state_ != state::finishing || !ledger_.empty()) return;
    wire::message over;
    over.what  = wire::kind::over;
    over.count = home_.left.size();
    talk_.send(over);
    state_ = state::finished;
    limit_ = after(now, home_.how.answer_limit);
}

time_point successor_link::deadline() const noexcept
{
    time_point next = limit_;
    if (const auto oldest = ledger_.oldest()) next = std::min(next, after(*oldest, home_.how.answer_limit));
    return next;
}

successor_link::outcome successor_link::work(time_point now)
{
    for (;;) {
        arrived_message got;
        const arrival what = talk_.receive(got);
        if (what == arrival::nothing) break;
        if (what == arrival::end)
            return fail(errc::successor_lost, who() + (state_ == state::starting ? " ended before it was ready" : " ended"), true);
        if (const auto ended = handle(got, now)) return *ended;
        if (home_.events.empty()) continue;
        (void)talk_.flush(); // as below
        return outcome::goes_on;
    }
    say_over_if_due(now);
    (void)talk_.flush(); // if it fails, the end of the connection is what comes next
    if (const auto oldest = ledger_.oldest(); oldest && now >= after(*oldest, home_.how.answer_limit))
        return fail(errc::generation_silent,
                    who() + " does not answer: gift " + std::to_string(ledger_.count()) + " of the window waits", false);
    if (now < limit_) return outcome::goes_on;
    if (state_ == state::giving) {
        limit_ = time_point::max();
        if (!std::exchange(told_limit_, true)) home_.tell(event::kind::time_is_up);
        return outcome::goes_on;
    }
    return fail(errc::generation_silent,
                who() + (state_ == state::greeting   ? " said nothing"
                         : state_ == state::starting ? " was not ready within restart::options::start_limit"
                                                     : " did not confirm that it serves within restart::options::answer_limit"),
                false);
}

std::optional<successor_link::outcome> successor_link::greet(const wire::message& hello, time_point now)
{
    const auto protocol = wire::common_protocol(hello.oldest, hello.newest);
    if (!protocol) {
        wire::message refused;
        refused.what   = wire::kind::refused;
        refused.number = static_cast<std::uint64_t>(wire::refusal::protocol);
        refused.text   = "this generation (sharedsock " + library_version() + ") speaks versions " +
                       std::to_string(wire::oldest_protocol) + " to " + std::to_string(wire::newest_protocol) +
                       " of the restart protocol, the successor (sharedsock " + hello.library + ") " +
                       std::to_string(hello.oldest) + " to " + std::to_string(hello.newest);
        (void)talk_.send_now(refused);
        return fail(errc::other_restart_protocol, who() + ": " + refused.text, true);
    }
    verdict_ = new_fd::event();
    if (!verdict_) return fail(last_error(sys<"eventfd2">), who() + " was not let in: no eventfd", false);
    home_.successor = {static_cast<std::int32_t>(hello.pid), home_.number + 1, hello.library,
                       static_cast<std::uint32_t>(hello.layout), *protocol};
    wire::message welcome;
    welcome.what    = wire::kind::welcome;
    welcome.number  = home_.number + 1;
    welcome.newest  = *protocol;
    welcome.pid     = static_cast<std::uint64_t>(::getpid());
    welcome.library = library_version();
    welcome.layout  = segment_layout();
    welcome.count   = home_.listeners.all().size();
    talk_.send(welcome, {verdict_.get()});
    for (const listener_table::entry& one : home_.listeners.all()) {
        wire::message listener;
        listener.what  = wire::kind::listener;
        listener.name  = one.name;
        listener.bytes = one.asked;
        talk_.send(listener, {one.descriptor.get()});
    }
    state_ = state::starting;
    limit_ = after(now, home_.how.start_limit);
    home_.tell(event::kind::successor_joined, {}, who() + ", sharedsock " + hello.library);
    return {};
}

std::optional<successor_link::outcome> successor_link::handle(const arrived_message& got, time_point now)
{
    const wire::message& said = got.content.text;
    switch (got.content.is) {
    case wire::verdict::good:
        break;
    case wire::verdict::skipped:
        return {};
    case wire::verdict::not_understood:
        return fail(errc::other_restart_protocol, who() + " requires what this version does not know", false);
    case wire::verdict::malformed:
        return fail(errc::bad_restart_message, who() + " sent bytes that are no message", false);
    }
    if (said.what == wire::kind::leaving) return fail(errc::successor_lost, who() + " gave up: " + said.text, true);
    if (state_ == state::greeting && said.what == wire::kind::hello) return greet(said, now);
    if (state_ == state::starting && said.what == wire::kind::ready) {
        wire::message go;
        go.what = wire::kind::go;
        talk_.send(go, {home_.lock.get(), home_.listener.get()});
        state_ = state::giving;
        limit_ = after(now, home_.how.give_limit);
        home_.tell(event::kind::successor_ready, {}, who());
        return {};
    }
    if (note_answer(said)) return {};
    if (state_ == state::finished && said.what == wire::kind::serving) {
        home_.tell(event::kind::replaced, {}, who() + " serves");
        return outcome::replaced;
    }
    return fail(errc::bad_restart_message, who() + " sent a message out of turn", false);
}

// Also after the fence, for what was sent before it. False: it is no answer to a gift.
bool successor_link::note_answer(const wire::message& answer)
{
    if (answer.what != wire::kind::taken && answer.what != wire::kind::declined) return false;
    gift_entry* const entry = ledger_.find(answer.number);
    if (entry == nullptr) return false;
    if (answer.what == wire::kind::declined) {
        return_gift(*entry, errc::gift_declined, answer.text);
        return true;
    }
    event given;
    given.what = event::kind::given;
    given.gift = answer.number;
    given.tag  = entry->tag;
    (void)ledger_.answered(answer.number); // the descriptor closes here
    home_.events.push_back({std::move(given), {}});
    return true;
}

// All that may fail for want of memory comes first: the gift is in the ledger or in an event, at any moment.
void successor_link::return_gift(gift_entry& one, const error_code& why, const std::string& text)
{
    home_.left.reserve(home_.left.size() + 1);
    event back;
    back.what           = event::kind::returned;
    back.gift           = one.number;
    back.tag            = one.tag;
    back.connection.tag = one.tag;
    back.size           = one.size;
    back.why            = why;
    back.text           = text;
    home_.events.push_back({std::move(back), {}});
    pending_event& told        = home_.events.back();
    told.one.connection.bytes  = std::move(one.bytes);
    told.one.connection.socket = descriptor(one.socket.release());
    told.memory                = std::move(one.memory);
    home_.left.push_back({one.number, one.tag, why});
    (void)ledger_.answered(one.number);
}

// The order matters. The fence comes first: behind it nothing becomes the successor's. Then the verdict, before the program hears
// of anything: if this process is killed from here on, the successor knows that it has not inherited. Then a lock and a socket that
// the successor does not have, in case that it is stopped and stays. The program hears of its gifts last.
successor_link::outcome successor_link::fail(const error_code& why, std::string text, bool died)
{
    const bool was_let_in_before = was_let_in();
    talk_.refuse_more();
    talk_.drop_outbox();
    arrived_message late;
    while (talk_.receive(late) == arrival::message) {
        if (late.content.is != wire::verdict::good) continue;
        if (state_ == state::finished && late.content.text.what == wire::kind::serving) {
            home_.tell(event::kind::replaced, {}, who() + " serves");
            return outcome::replaced;
        }
        note_answer(late.content.text);
    }
    if (verdict_) {
        const std::uint64_t dismissed = 1;
        (void)!::write(verdict_.get(), &dismissed, sizeof dismissed); // a counter below its limit takes it always
    }
    wire::message farewell;
    farewell.what = wire::kind::dismissed;
    farewell.text = text;
    if (!died) (void)talk_.send_now(farewell); // for people; the verdict decides
    error_code kept_old;
    if (was_let_in_before && !died) home_.place.renew(home_.lock, home_.listener, kept_old);
    if (kept_old) text += "; the lock of the service could not be renewed (" + kept_old.message() + "): end that process";
    while (gift_entry* const one = ledger_.first())
        return_gift(*one, why, text);
    home_.tell(event::kind::successor_failed, why, std::move(text));
    return outcome::failed;
}

} // namespace sharedsock::restart::detail
