// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "audit/repair.hpp"

#include "layout/index_span.hpp"
#include "tables/cookie_index.hpp"
#include "tables/process_table.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sharedsock::command {
namespace {

using namespace detail;

class mender {
public:
    explicit mender(membership& self) : self_(self), bytes_(self.bytes()) {}

    void mend()
    {
        self_.sweep_dead();
        lead_handles_back();
        for (std::uint32_t index = 0; index < bytes_.handles_backed(); ++index)
            mend_handle(index);
        std::map<std::uint32_t, std::vector<std::uint32_t>> handles_of;
        for (std::uint32_t index = 0; index < bytes_.handles_backed(); ++index)
            if (in_list(load(*bytes_.handle(index)).state)) handles_of[bytes_.handle(index)->socket.load()].push_back(index);
        for (std::uint32_t index = 0; index < bytes_.sockets_backed(); ++index)
            mend_socket(index, handles_of[index]);
        mend_names();
        robust_lock adoption = self_.adoption_lock(); // takes it over from a holder that is dead or never existed
        error_code ec;
        adoption.lock(ec);
        if (!ec) adoption.unlock();
        handle_table::rebuild_hints(bytes_);
        socket_table::rebuild_hints(bytes_);
    }

private:
    bool attached(std::uint32_t process) const
    {
        const process_record* const record = bytes_.process(process);
        return record != nullptr && load(*record).used;
    }

    // --- handles --------------------------------------------------------------------------------------------------

    bool has_socket(const handle_record& record) const { return bytes_.socket(record.socket.load()) != nullptr; }

    // A handle that does not know its socket belongs to the one list that leads to it.
    void lead_handles_back()
    {
        std::map<std::uint32_t, std::set<std::uint32_t>> lists_with; // by handle
        for (std::uint32_t index = 0; index < bytes_.sockets_backed(); ++index) {
            const socket_slot& slot = *bytes_.socket(index);
            if (load(slot).state != slot_state::live) continue;
            std::uint32_t next = slot.first_handle.load();
            for (std::uint32_t steps = 0; next != 0 && steps < bytes_.handles_backed(); ++steps) {
                const handle_record* const record = bytes_.handle(next - 1);
                if (record == nullptr) break;
                lists_with[next - 1].insert(index);
                next = record->next.load();
            }
        }
        for (const auto& [index, lists] : lists_with) {
            handle_record& record  = *bytes_.handle(index);
            const handle_life life = load(record);
            if (!in_list(life.state) || !attached(life.process) || has_socket(record) || lists.size() != 1) continue;
            error_code ec;
            const membership::slot_guard guard(self_, *lists.begin(), ec);
            if (!guard || load(record) != life || has_socket(record)) continue;
            record.socket_generation.store(load(*bytes_.socket(*lists.begin())).generation);
            record.socket.store(*lists.begin());
        }
    }

    void mend_handle(std::uint32_t index)
    {
        handle_record& record  = *bytes_.handle(index);
        const handle_life life = load(record);
        if (life.state == handle_state::free) return;
        const bool impossible = life.state != handle_state::claimed && !in_list(life.state);
        if (impossible || !attached(life.process) || (in_list(life.state) && !has_socket(record))) {
            end_handle(index, life);
            return;
        }
        widen(bytes_.process(life.process)->handles, index);
        const std::uint32_t incarnation = load(*bytes_.process(life.process)).generation;
        std::uint32_t its               = record.process_generation.load();
        if (life.state == handle_state::held && record.nonce.load() == 0 && its != incarnation)
            record.process_generation.compare_exchange_strong(its, incarnation);
    }

    // Of no process, or of no socket. This process takes it first, so that its own sweep ends it if this function does not.
    void end_handle(std::uint32_t index, const handle_life& life)
    {
        const handle_life ours{life.generation, self_.self().index, handle_state::claimed};
        error_code ec;
        const std::uint32_t socket = bytes_.handle(index)->socket.load();
        if (bytes_.socket(socket) == nullptr) {
            if (!handle_table::take(bytes_, index, life, ours)) return;
        } else {
            const membership::slot_guard guard(self_, socket, ec);
            if (!guard || !handle_table::take(bytes_, index, life, ours)) return;
            handle_table::relink(bytes_, socket); // without it
        }
        bytes_.handle(index)->standby_order.store(0);
        handle_table::free(bytes_, {index, life.generation});
    }

    // --- sockets --------------------------------------------------------------------------------------------------

    void mend_socket(std::uint32_t index, const std::vector<std::uint32_t>& handles)
    {
        error_code ec;
        const membership::slot_guard guard(self_, index, ec); // takes it over from a holder that is dead or never existed
        if (!guard) return;
        socket_slot& slot = *bytes_.socket(index);
        mend_life(index, slot, handles);
        if (load(slot).state == slot_state::building) return;
        if (load(slot).state == slot_state::free) {
            slot.first_handle.store(0);
            cancel_of(slot, [](const registration_word& word) { return word.owned() || word.mask != 0; });
            return;
        }
        std::uint64_t last_place = slot.standby_counter.load();
        for (const std::uint32_t handle : handles) {
            const handle_record* const record = bytes_.handle(handle);
            if (record == nullptr) continue;
            widen(slot.handles, handle);
            last_place = std::max(last_place, record->standby_order.load());
        }
        slot.standby_counter.store(last_place);
        socket_table::repair(bytes_, index);
        if (load(slot).state == slot_state::live) mend_registration(index, slot);
        if (const record_id now{index, load(slot).generation}; socket_table::find(bytes_, now) != nullptr)
            if (!cookie_index::find(bytes_, slot.cookie)) cookie_index::add(bytes_, now, slot.cookie);
        self_.ring_holders(index);
    }

    // Marked as free while processes hold it, in a state that does not exist, or being made by no process.
    void mend_life(std::uint32_t index, socket_slot& slot, const std::vector<std::uint32_t>& handles)
    {
        const slot_life seen = load(slot);
        if (seen.state == slot_state::live) return;
        if (seen.state == slot_state::building && attached(seen.process)) return;
        std::set<std::uint32_t> generations;
        for (const std::uint32_t handle : handles)
            if (bytes_.handle(handle)->socket.load() == index) generations.insert(bytes_.handle(handle)->socket_generation.load());
        slot_life now{seen.generation + 1, no_index, slot_state::free};
        if (generations.size() == 1 && seen.state != slot_state::building) {
            now = {*generations.begin(), no_index, slot_state::live};
        } else if (seen.state == slot_state::free) {
            return;
        }
        std::uint64_t expected = seen.encode();
        if (slot.life.compare_exchange_strong(expected, now.encode()) && now.state == slot_state::free)
            bytes_.socket_map.set_free(index);
    }

    template <class Wrong>
    void cancel_of(socket_slot& slot, Wrong wrong)
    {
        change(slot.registration, [&](const registration_word& word) -> std::optional<registration_word> {
            if (!wrong(word)) return std::nullopt;
            return word.cancelled();
        });
    }

    void mend_registration(std::uint32_t index, socket_slot& slot)
    {
        const registration_word seen = load(slot.registration); // before the look at the holders
        if (seen.owned() && !holds(seen.owner, index))
            cancel_of(slot, [&](const registration_word& word) { return word.owned_by(seen.owner, seen.epoch); });
        change(slot.registration, [&](const registration_word& word) -> std::optional<registration_word> {
            registration_word next = word;
            if (next.delivering != no_index && !attached(next.delivering)) next.delivering = no_index;
            if (!next.owned()) next.mask = 0;
            next.armed &= next.mask;
            if (next == word) return std::nullopt;
            return next;
        });
        std::uint64_t record = slot.record.load();
        if (later_epoch(event_record::decode(record).epoch, load(slot.registration).epoch))
            slot.record.compare_exchange_strong(record, event_record{load(slot.registration).epoch}.encode());
    }

    bool holds(std::uint32_t process, std::uint32_t socket) const
    {
        bool found = false;
        if (attached(process))
            handle_table::for_each(bytes_, socket, [&](std::uint32_t, const handle_record& record) {
                const handle_life life = load(record);
                found                  = life.process == process && life.state == handle_state::held;
                return !found;
            });
        return found;
    }

    // --- names ----------------------------------------------------------------------------------------------------

    void mend_names()
    {
        robust_lock lock = self_.name_lock();
        error_code ec;
        lock.lock(ec); // takes it over from a holder that is dead or never existed
        if (ec) return;
        const std::scoped_lock guard(std::adopt_lock, lock);
        std::set<std::string> known;
        for (std::uint32_t index = 0; index < bytes_.capacity.names; ++index) {
            name_record& record = bytes_.names[index];
            if (record.socket_generation == 0) continue;
            const std::size_t length = ::strnlen(record.name, name_size);
            const record_id id{record.socket, record.socket_generation - 1};
            const socket_slot* const slot = bytes_.socket(id.index);
            const bool impossible = length == 0 || length == name_size || slot == nullptr || id.generation > load(*slot).generation;
            const bool live       = !impossible && socket_table::find(bytes_, id) != nullptr;
            if (impossible || (live && !known.emplace(record.name, length).second)) {
                record.socket_generation = 0;
                record.socket            = 0;
            }
        }
    }

    membership& self_;
    table_view& bytes_;
};

} // namespace

void repair(detail::membership& self) { mender(self).mend(); }

} // namespace sharedsock::command
