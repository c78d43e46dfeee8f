// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "audit/inspection.hpp"

#include "audit/cookie_inspection.hpp"
#include "audit/wording.hpp"
#include "layout/event_record.hpp"
#include "layout/index_span.hpp"
#include "tables/socket_table.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>

namespace sharedsock::command {
namespace {

using namespace detail;

constexpr int looks = 3;

std::string in_words(std::uint32_t index, std::uint32_t generation)
{
    return std::to_string(index) + '.' + std::to_string(generation);
}

// All that a dead process has left.
struct estate {
    std::uint32_t handles    = 0;
    std::uint32_t tickets    = 0;
    std::uint32_t half_made  = 0;
    std::uint32_t owned      = 0;
    std::uint32_t deliveries = 0;
    std::uint32_t locks      = 0;

    std::string in_words() const
    {
        std::vector<std::string> parts;
        const auto add = [&](std::uint32_t count, std::string_view singular) {
            if (count != 0) parts.push_back(counted(count, singular));
        };
        add(handles, "handle");
        add(tickets, "ticket");
        add(half_made, "socket half made");
        add(owned, "ownership of events");
        add(deliveries, "unfinished delivery");
        add(locks, "lock");
        return parts.empty() ? "nothing" : joined(parts, ", ");
    }
};

class inspector {
public:
    inspector(const table_view& bytes, const std::function<bool(std::uint32_t)>& alive)
        : bytes_(bytes), alive_(alive), list_of_(bytes_.handles_backed(), no_index)
    {}

    std::vector<finding> all()
    {
        check_processes();
        for (std::uint32_t index = 0; index < bytes_.sockets_backed(); ++index)
            check_slot(index);
        for (std::uint32_t index = 0; index < bytes_.handles_backed(); ++index) {
            check_handle(index); // after the lists: asks which handles are in them
        }
        for (const std::string& text : contradictions_of_cookies(bytes_))
            damage(text);
        check_lock(bytes_.header->names_lock.load(), "the name table");
        check_lock(bytes_.header->adoption_lock.load(), "adopting");
        check_names();
        report_the_dead();
        std::sort(findings_.begin(), findings_.end());
        return std::move(findings_);
    }

private:
    enum class standing { alive, dead, impossible };

    void damage(const std::string& text) { findings_.push_back({finding::weight::damage, text}); }

    // --- processes ------------------------------------------------------------------------------------------------

    void check_processes()
    {
        for (std::uint32_t index = 0; index < bytes_.capacity.processes; ++index) {
            const process_life life = load(*bytes_.process(index));
            if (!life.used) {
                continue;
            }
            if (life.generation == 0) {
                damage("process index " + std::to_string(index) + " is in use, but no process ever attached there");
            }
            if (!alive_(index) || life.unswept) {
                dead_.try_emplace(index);
            }
        }
    }

    // Whether a record may belong to a process index. Reports it if not; counts the records of the dead in `part`.
    standing judge(std::uint32_t process, std::uint32_t estate::*part, const std::string& what)
    {
        if (process >= bytes_.capacity.processes) {
            damage(what + " process index " + std::to_string(process) + ", which is beyond the table");
            return standing::impossible;
        }
        if (!load(*bytes_.process(process)).used) {
            damage(what + " process index " + std::to_string(process) + ", where no process is attached");
            return standing::impossible;
        }
        if (const auto found = dead_.find(process); found != dead_.end()) {
            ++(found->second.*part);
            return standing::dead;
        }
        return standing::alive;
    }

    void report_the_dead()
    {
        for (const auto& [index, left] : dead_) {
            const process_record& record = *bytes_.process(index);
            const std::string who        = "process " + in_words(index, load(record).generation) + " (" +
                                    printable({record.name, ::strnlen(record.name, sizeof record.name)}) + ", pid " +
                                    std::to_string(record.pid.load()) + ")";
            const std::string what = alive_(index) ? " is about to sweep its predecessor, which left: " : " died and left: ";
            findings_.push_back({finding::weight::unswept, who + what + left.in_words()});
        }
    }

    // --- handles --------------------------------------------------------------------------------------------------

    void check_handle(std::uint32_t index)
    {
        const handle_record& record = *bytes_.handle(index);
        const handle_life life      = load(record);
        const std::string name      = "handle " + in_words(index, life.generation);
        if (life.state == handle_state::free) {
            return;
        }
        if (life.state != handle_state::claimed && !in_list(life.state)) {
            return damage(name + " is in state " + std::to_string(static_cast<int>(life.state)) + ", which does not exist");
        }
        const bool ticket      = life.state != handle_state::held && life.state != handle_state::claimed;
        const standing process = judge(life.process, ticket ? &estate::tickets : &estate::handles, name + " is in the name of");
        if (process != standing::impossible) {
            check_reach(index, *bytes_.process(life.process), name);
        }
        if (process == standing::alive && life.state != handle_state::claimed) {
            check_tenant(record, life, name);
            check_socket_of(index, record, name);
        }
    }

    // A record that a sweep would not find is never freed.
    void check_reach(std::uint32_t index, const process_record& holder, const std::string& name)
    {
        if (!load_span(holder.handles).contains(index) && !load_span(holder.handles_in_sweep).contains(index)) {
            damage(name + " is beyond the reach of its process's sweep");
        }
    }

    // A handle belongs to one incarnation of a process index.
    void check_tenant(const handle_record& record, const handle_life& life, const std::string& name)
    {
        const std::uint32_t its = record.process_generation.load();
        const std::uint32_t now = load(*bytes_.process(life.process)).generation;
        if (its == now) {
            return;
        }
        const std::string whose = in_words(life.process, its) + ", but the process there is " + in_words(life.process, now);
        if (life.state == handle_state::offered) { // offered to a process that had died and was swept in this very moment
            findings_.push_back({finding::weight::unswept, name + " is a ticket for process " + whose});
        } else if (record.nonce.load() == 0) { // other such records may be tickets that are just being offered or redeemed
            damage(name + " is of process " + whose);
        }
    }

    void check_socket_of(std::uint32_t index, const handle_record& record, const std::string& name)
    {
        const std::uint32_t socket  = record.socket.load();
        const socket_slot* const to = bytes_.socket(socket);
        if (to == nullptr) {
            return damage(name + " refers to socket " + std::to_string(socket) + ", which does not exist");
        }
        const std::uint32_t generation = record.socket_generation.load();
        const slot_life life           = load(*to);
        if (to->lock.load() != 0 || life.state == slot_state::building) {
            return;
        }
        if (life.state != slot_state::live || life.generation != generation) {
            return damage(name + " refers to socket " + in_words(socket, generation) + ", which is gone");
        }
        if (!load_span(to->handles).contains(index)) {
            damage(name + " is beyond the reach of a repair of socket " + in_words(socket, generation));
        }
        if (list_of_[index] != socket && !broken(socket)) {
            damage(name + " is missing in the list of socket " + in_words(socket, generation));
        }
    }

    // --- sockets --------------------------------------------------------------------------------------------------

    void check_slot(std::uint32_t index)
    {
        const socket_slot& slot = *bytes_.socket(index);
        const slot_life life    = load(slot);
        const std::string name  = "socket " + in_words(index, life.generation);
        check_lock(slot.lock.load(), name);
        switch (life.state) {
        case slot_state::free:
            check_free(slot, name);
            break;
        case slot_state::building:
            judge(life.process, &estate::half_made, name + " is being made by");
            break;
        case slot_state::live:
            if (slot.lock.load() == 0) {
                check_list(index, slot, name);
            }
            check_registration(index, slot, name);
            break;
        default:
            damage(name + " is in state " + std::to_string(static_cast<int>(life.state)) + ", which does not exist");
        }
    }

    void check_free(const socket_slot& slot, const std::string& name)
    {
        if (slot.lock.load() != 0) {
            return;
        }
        if (slot.first_handle.load() != 0) {
            damage(name + " is free, but its list of handles is not empty");
        }
        if (load(slot.registration).owned()) {
            damage(name + " is free, but a process owns its events");
        }
    }

    // Every handle is passed at most once in all lists together, so this ends also if the bytes are damaged.
    void check_list(std::uint32_t index, const socket_slot& slot, const std::string& name)
    {
        const auto broken_by = [&](const std::string& why) {
            broken_.push_back(index);
            damage("the list of " + name + ' ' + why);
        };
        std::uint32_t next = slot.first_handle.load();
        if (next == 0) {
            return damage(name + " is live, but no process holds it");
        }
        for (const handle_record* record = nullptr; next != 0; next = record->next.load()) {
            const std::uint32_t handle = next - 1;
            record                     = bytes_.handle(handle);
            const std::string which    = "handle " + std::to_string(handle);
            if (record == nullptr) {
                return broken_by("leads to " + which + ", which does not exist");
            }
            if (list_of_[handle] != no_index) {
                return broken_by(list_of_[handle] == index ? "leads to " + which + " for a second time"
                                                           : "leads to " + which + ", which is in another list");
            }
            if (!in_list(load(*record).state)) {
                return broken_by("leads to " + which + ", which is not open");
            }
            if (record->socket.load() != index || record->socket_generation.load() != load(slot).generation) {
                return broken_by("leads to " + which + ", which is of another socket");
            }
            if (record->standby_order.load() > slot.standby_counter.load()) {
                damage(which + " stands by for " + name + " at a place that was never given");
            }
            list_of_[handle] = index;
        }
    }

    bool broken(std::uint32_t socket) const { return std::binary_search(broken_.begin(), broken_.end(), socket); }

    void check_registration(std::uint32_t index, const socket_slot& slot, const std::string& name)
    {
        const registration_word word = load(slot.registration);
        if (word.owned() && judge(word.owner, &estate::owned, "the events of " + name + " are owned by") == standing::alive &&
            slot.lock.load() == 0 && !broken(index) && !holds(word.owner, index)) {
            damage("the events of " + name + " are owned by process index " + std::to_string(word.owner) +
                   ", which does not hold it");
        }
        if (word.delivering != no_index) {
            judge(word.delivering, &estate::deliveries, "an event of " + name + " is being delivered by");
        }
        if ((word.armed & ~word.mask) != 0 || (!word.owned() && word.mask != 0)) {
            damage(name + " is armed for events that its owner did not ask for");
        }
        if (later_epoch(load_record(slot.record).epoch, word.epoch)) {
            damage("the event record of " + name + " belongs to a registration that was never made");
        }
    }

    // Whether the process has an open handle in the list, which must be unbroken.
    bool holds(std::uint32_t process, std::uint32_t socket) const
    {
        bool found = false;
        handle_table::for_each(bytes_, socket, [&](std::uint32_t, const handle_record& record) {
            const handle_life life = load(record);
            found                  = life.process == process && life.state == handle_state::held;
            return !found;
        });
        return found;
    }

    // --- locks and names ------------------------------------------------------------------------------------------

    void check_lock(std::uint32_t word, const std::string& of)
    {
        if (word == 0) {
            return;
        }
        const std::uint32_t holder = (word & 0xffff) - 1;
        if (judge(holder, &estate::locks, "the lock of " + of + " is held by") != standing::alive) {
            return;
        }
        const std::uint32_t generation = word >> 16 & 0x7fff;
        if (generation != (load(*bytes_.process(holder)).generation & 0x7fff)) {
            damage("the lock of " + of + " is held by an earlier process at index " + std::to_string(holder));
        }
    }

    void check_names()
    {
        if (bytes_.header->names_lock.load() != 0) {
            return;
        }
        std::map<std::string, std::uint32_t> published; // names of live sockets; a name of a socket that is gone is free
        for (std::uint32_t index = 0; index < bytes_.capacity.names; ++index) {
            const name_record& record = bytes_.names[index];
            const record_id id        = published_socket(record);
            const std::size_t length  = ::strnlen(record.name, name_size);
            if (!id && record.socket_generation == 0) {
                continue;
            }
            const std::string what = "published name " + std::to_string(index) + " (\"" + printable({record.name, length}) + "\")";
            if (length == 0 || length == name_size) {
                damage(what + " is no text of 1 to 63 bytes");
                continue;
            }
            const socket_slot* const slot = bytes_.socket(id.index);
            if (slot == nullptr || id.generation > load(*slot).generation) {
                damage(what + " refers to socket " + in_words(id.index, id.generation) + ", which never existed");
            } else if (socket_table::find(bytes_, id) != nullptr) {
                const auto [first, is_new] = published.try_emplace(std::string(record.name, length), index);
                if (!is_new) {
                    damage(what + " is published a second time, as name " + std::to_string(first->second));
                }
            }
        }
    }

    const table_view& bytes_;
    const std::function<bool(std::uint32_t)>& alive_;
    std::map<std::uint32_t, estate> dead_; // by process index
    std::vector<std::uint32_t> list_of_;   // by handle: the socket in whose list it was found
    std::vector<std::uint32_t> broken_;    // sockets whose list is broken, in order
    std::vector<finding> findings_;
};

} // namespace

std::vector<finding> inspect(const table_view& bytes, const std::function<bool(std::uint32_t)>& alive)
{
    return inspector(bytes, alive).all();
}

std::vector<finding> inspect(const snapshot& state)
{
    return inspect(state.bytes(), [&](std::uint32_t process) { return state.alive(process); });
}

std::vector<finding> inspect(const std::string& name, const segment_options& options, error_code& ec)
{
    std::vector<finding> common;
    for (int look = 0; look < looks; ++look) {
        const snapshot state = snapshot::take(name, options, ec);
        if (ec) {
            return {};
        }
        std::vector<finding> now = inspect(state);
        if (look > 0) {
            std::vector<finding> both;
            std::set_intersection(common.begin(), common.end(), now.begin(), now.end(), std::back_inserter(both));
            now = std::move(both);
        }
        common = std::move(now);
        if (common.empty()) {
            break;
        }
    }
    return common;
}

} // namespace sharedsock::command
