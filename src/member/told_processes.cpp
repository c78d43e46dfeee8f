// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "member/told_processes.hpp"

#include "member/membership.hpp"

namespace sharedsock::detail {

// A process clears `resync` before it looks. So if the mark is still there, that look is yet to come, and sees this change too.
void told_processes::ring(membership& self, std::uint32_t process, std::uint32_t socket) noexcept
{
    if (sockets_ < sockets_rung) return self.ring(process, socket);
    process_record* const record = self.bytes().process(process);
    if (record == nullptr) return;
    const bool waits = record->resync.exchange(1) != 0;
    if (waits && asked_.test(process)) return;
    asked_.set(process);
    self.ring(process, no_index);
}

void told_processes::ring_holders(membership& self, std::uint32_t socket, std::uint32_t but) noexcept
{
    handle_table::for_each(self.bytes(), socket, [&](std::uint32_t, const handle_record& record) {
        const handle_life life = load(record);
        if (life.state == handle_state::held && life.process != but) ring(self, life.process, socket);
        return true;
    });
}

} // namespace sharedsock::detail
