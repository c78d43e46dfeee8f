// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

namespace sharedsock::detail {

/// Mistakes that somebody could make in what must survive a death. A harness that cannot fail proves nothing, so some test
/// binaries (negative controls, tests/CMakeLists.txt) are built with one of these and have to find it. The library has none.
enum class mistake {
    sweep_forgets_delivery,  ///< the dead's delivery is left: nobody may ever claim again
    sweep_forgets_locks,     ///< a lock that names the dead is left where no handle leads to it
    sweep_does_not_ring,     ///< whoever the dead had cancelled, or had not yet woken, is not told
    sweep_does_not_rearm,    ///< what the dead had read and not yet re-enabled stays disarmed
    claim_checks_then_acts,  ///< the claim looks, and then writes, in two steps
    finish_does_not_ring,    ///< a new owner that was kept out by the delivery is not woken
    re_enable_does_not_ring, ///< the owner in another process does not look again
    lock_ignores_generation, ///< a lock of the former tenant of an index passes for one of the present tenant
    repair_forgets_list,     ///< a list that a dead holder left half changed stays so
};

#ifdef SHAREDSOCK_DELIBERATE_BUG
consteval bool deliberately(mistake which) noexcept { return which == mistake::SHAREDSOCK_DELIBERATE_BUG; }
#else
consteval bool deliberately(mistake) noexcept { return false; }
#endif

} // namespace sharedsock::detail
