// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "soak/ledger_worker.hpp"

#include <atomic>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ledger {

worker::worker(const assignment& told, shared_books& kept)
    : told_(told),
      kept_(kept),
      desk_(kept->desks[told.place]),
      random_(told.seed),
      segment_(ss::segment::open(told.segment, options(told)))
{
    announce();
}

worker::~worker() = default;

ss::segment_options worker::options(const assignment& told)
{
    ss::segment_options result;
    result.directory = told.directory;
    result.patience  = 200ms;
    return result;
}

ss::segment worker::attach_again() { return ss::segment::open(told_.segment, options(told_)); }

void worker::announce() { desk_.process = packed(segment_.self()); }

void worker::work()
{
    while (!kept_->end.load()) {
        const std::uint32_t round = kept_->quiet.load();
        if (round % 2 == 0) {
            enter(doing::acts);
            if (unpacked(desk_.process) != segment_.self()) announce();
            act();
            desk_.episodes.fetch_add(1, std::memory_order_relaxed);
            continue;
        }
        enter(doing::rests);
        desk_.settled = round;
        while (kept_->quiet.load() == round && !kept_->end.load()) {
            segment_.poll();
            receive_all(segment_);
            rest();
        }
    }
    enter(doing::tears_down);
    let_go();
}

void worker::pause()
{
    pollfd letters{segment_.native_handle(), POLLIN, 0};
    ::poll(&letters, 1, 5);
}

void worker::find(const char* format, ...)
{
    std::uint32_t none = 0;
    if (desk_.wrote.compare_exchange_strong(none, 1)) {
        char text[400];
        va_list arguments;
        va_start(arguments, format);
        std::vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        std::snprintf(desk_.finding, sizeof desk_.finding, "%s%s",
                      depth_ == 0   ? ""
                      : depth_ == 1 ? "its child: "
                                    : "its child's child: ",
                      text);
        desk_.wrote = 2;
    }
    ::_exit(3);
}

bool worker::went_well(const ss::error_code& ec, const char* what)
{
    desk_.operations.fetch_add(1, std::memory_order_relaxed);
    if (!ec) return true;
    for (const ss::errc allowed :
         {ss::errc::fence_pending, ss::errc::lock_timeout, ss::errc::not_the_owner, ss::errc::target_gone, ss::errc::mailbox_full,
          ss::errc::ticket_used, ss::errc::handle_table_full, ss::errc::socket_table_full, ss::errc::no_serving_holder,
          ss::errc::ticket_descriptor_lost, ss::errc::name_not_published, ss::errc::registration_cancelled,
          ss::errc::hand_over_not_taken}) // its target was stopped, or busy
        if (ec == allowed) return false;
    if (ec == std::errc::operation_would_block || ec == std::errc::resource_unavailable_try_again ||
        ec == std::errc::operation_canceled)
        return false;
    find("%s failed with an error that no worker caused: %s", what, ec.message().c_str());
}

// --- lines -----------------------------------------------------------------------------------------------------------

ss::shared_socket worker::open_line(std::uint32_t line)
{
    ss::error_code ec;
    ss::shared_socket opened = ss::shared_socket::open_published(segment_, "s" + std::to_string(line), ec);
    went_well(ec, "open_published");
    return opened;
}

// A child's handles are not on the desk: they end with the child.
void worker::count_handle(std::uint32_t line, int change)
{
    if (depth_ == 0) desk_.handles[line].fetch_add(static_cast<std::uint32_t>(change));
}

void worker::keep(std::uint32_t, ss::shared_socket&&) {}

void worker::book(std::uint32_t line, std::span<const record> taken, bool in_order)
{
    for (const record& one : taken) {
        if (one.line != line) find("socket %u: a record of socket %u was taken from it", line, one.line);
        if (in_order && one.number < last_[line])
            find("socket %u: record %u was taken after record %u", line, one.number, last_[line] - 1);
        if (in_order) last_[line] = one.number + 1;
        if (kept_->taken[line][one.number % ring].fetch_add(1) != 0) find("socket %u: record %u was taken twice", line, one.number);
        kept_->received.fetch_add(1, std::memory_order_relaxed);
    }
}

bool worker::take_some(ss::shared_socket& from, std::uint32_t line)
{
    ss::error_code ec;
    record room[handful];
    hold(line, +1);
    const std::size_t size = from.receive(std::as_writable_bytes(std::span(room)), MSG_DONTWAIT, ec);
    if (size % sizeof(record) != 0) find("socket %u: a receive gave %zu bytes, which are no whole records", line, size);
    book(line, std::span(room).first(size / sizeof(record)));
    hold(line, -1);
    return went_well(ec, "receive") && size != 0;
}

std::optional<ss::registration_info> worker::registration(const ss::shared_socket& of)
try {
    return of.registration();
} catch (const ss::system_error& failed) {
    went_well(failed.code(), "registration");
    return std::nullopt;
}

// --- hand-overs ------------------------------------------------------------------------------------------------------

ss::process_id worker::somebody() { return unpacked(kept_->desks[any(places)].process); }

std::uint32_t worker::new_parcel(ss::process_id target, std::uint32_t line, std::size_t count)
{
    const std::uint32_t tag = kept_->next_parcel.fetch_add(1);
    parcel& one             = kept_->parcels[tag % hand_overs];
    one.giver               = told_.place;
    one.target              = packed(target);
    one.line                = line;
    one.count               = static_cast<std::uint32_t>(count);
    return tag;
}

void worker::parcel_given(std::uint32_t tag, const ss::error_code& ec)
{
    kept_->parcels[tag % hand_overs].accepted = went_well(ec, "hand_over") ? 1 : 2;
}

void worker::parcel_came(ss::handed_over&& got)
{
    const auto tag = static_cast<std::uint32_t>(got.tag);
    parcel& one    = kept_->parcels[tag % hand_overs];
    if (packed(segment_.self()) != one.target && packed(got.socket.where().self()) != one.target)
        find("hand-over %u of worker %u came to another process than its target", tag, one.giver.load());
    if (one.accepted == 2)
        find("hand-over %u of worker %u arrived although the giver was told that it had failed", tag, one.giver.load());
    if (one.arrived.fetch_add(1) != 0) find("hand-over %u of worker %u arrived twice", tag, one.giver.load());
    const std::uint32_t line = one.line;
    if (line == nowhere) return;
    const auto* const first = reinterpret_cast<const record*>(got.bytes.data());
    if (got.bytes.size() != one.count * sizeof(record))
        find("hand-over %u brought %zu bytes instead of %zu", tag, got.bytes.size(), one.count * sizeof(record));
    book(line, {first, one.count}, false);
    if (kept_->socket_id[line] != got.socket.id()) find("hand-over %u brought another socket than that of line %u", tag, line);
    keep(line, std::move(got.socket));
}

void worker::receive_all(const ss::segment& where)
{
    for (;;) {
        ss::error_code ec;
        auto got = ss::receive_hand_over(where, ec);
        if (!went_well(ec, "receive_hand_over") || !got) return;
        parcel_came(*std::move(got));
    }
}

// --- the role --------------------------------------------------------------------------------------------------------

std::unique_ptr<worker> make_worker(const std::string& scenario, const assignment& told, shared_books& kept)
{
    if (scenario == "events") return make_events(told, kept);
    if (scenario == "streams") return make_streams(told, kept);
    if (scenario == "forks") return make_forks(told, kept);
    if (scenario == "pending") return make_pending(told, kept);
    if (scenario == "standard") return make_standard(told, kept);
    if (scenario == "closed") return make_closed(told, kept);
    if (scenario == "namespaces") return make_namespaces(told, kept);
    throw std::invalid_argument("no scenario is called " + scenario);
}

} // namespace ledger
