// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "process/command/command_damage.hpp"

#include "layout/registration_word.hpp"
#include "process/command/command_stage.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cstdint>

namespace test::command {

memory_of::memory_of(const std::string& name, const std::string& directory)
{
    sharedsock::error_code ec;
    file_ = sharedsock::detail::segment_file::open(name, options_of(directory), ec);
    REQUIRE_FALSE(ec);
    bytes = sharedsock::detail::table_view(file_->base(), file_->plan());
}

// The stage has socket 0, held through handles 0 and 1 by the processes 0 and 1 (the ticket for 1 became its handle).
const std::vector<seeded_damage>& damages()
{
    using namespace sharedsock::detail;
    static const std::vector<seeded_damage> all{
        {"is live, but no process holds it", [](table_view& bytes) { bytes.socket(0)->first_handle.store(0); }},
        {"for a second time", [](table_view& bytes) { bytes.handle(0)->next.store(bytes.socket(0)->first_handle.load()); }},
        {"leads to handle 4000000", [](table_view& bytes) { bytes.socket(0)->first_handle.store(4'000'001); }},
        {"which is not open", [](table_view& bytes) { bytes.socket(0)->first_handle.store(8); }},
        {"is missing in the list",
         [](table_view& bytes) {
             socket_slot& slot = *bytes.socket(0);
             slot.first_handle.store(bytes.handle(slot.first_handle.load() - 1)->next.load());
         }},
        {"refers to socket 9999, which does not exist", [](table_view& bytes) { bytes.handle(0)->socket.store(9999); }},
        {"is of process 0.77", [](table_view& bytes) { bytes.handle(0)->process_generation.store(77); }},
        {"which is gone",
         [](table_view& bytes) {
             bytes.socket(0)->life.store(slot_life{1, no_index, slot_state::free}.encode());
         }},
        {"is free, but its list", [](table_view& bytes) { bytes.socket(3)->first_handle.store(1); }},
        {"is free, but a process owns its events",
         [](table_view& bytes) { bytes.socket(3)->registration.store(registration_word{}.taken_over(0, 1).encode()); }},
        {"is in state 9, which does not exist", [](table_view& bytes) { bytes.socket(3)->life.store(0x900); }},
        {"owned by process index 5, where no process is attached",
         [](table_view& bytes) { bytes.socket(0)->registration.store(registration_word{}.taken_over(5, 1).encode()); }},
        {"beyond the table",
         [](table_view& bytes) { bytes.socket(0)->registration.store(registration_word{}.taken_over(9000, 1).encode()); }},
        {"is being delivered by process index 7",
         [](table_view& bytes) {
             registration_word word = load(bytes.socket(0)->registration);
             word.delivering        = 7;
             bytes.socket(0)->registration.store(word.encode());
         }},
        {"armed for events that its owner did not ask for",
         [](table_view& bytes) { bytes.socket(0)->registration.store(load(bytes.socket(0)->registration).encode() | 1); }},
        {"a registration that was never made", [](table_view& bytes) { bytes.socket(0)->record.store(std::uint64_t{500} << 40); }},
        {"the lock of socket 0.0 is held by process index 11", [](table_view& bytes) { bytes.socket(0)->lock.store(12); }},
        {"is missing in the index by cookie",
         [](table_view& bytes) {
             for (std::uint32_t index = 0; index < bytes.sockets_backed(); ++index)
                 for (atomic_u64& place : bytes.socket(index)->cookies)
                     place.store(0);
         }},
        {"the lock of adopting is held by", [](table_view& bytes) { bytes.header->adoption_lock.store(13); }},
        {"the lock of the name table is held by", [](table_view& bytes) { bytes.header->names_lock.store(13); }},
        {"which never existed", [](table_view& bytes) { bytes.names[0].socket = 7000; }},
        {"is no text of 1 to 63 bytes", [](table_view& bytes) { std::fill_n(bytes.names[0].name, name_size, 'x'); }},
        {"is published a second time",
         [](table_view& bytes) {
             bytes.names[1].socket            = bytes.names[0].socket;
             bytes.names[1].socket_generation = bytes.names[0].socket_generation;
             std::copy_n(bytes.names[0].name, name_size, bytes.names[1].name);
         }},
    };
    return all;
}

} // namespace test::command
