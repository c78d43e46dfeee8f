// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"
#include "tables/handle_table.hpp"

#include <sharedsock/process_id.hpp>

#include <boost/intrusive/list.hpp>

namespace sharedsock::detail {

/// An acknowledged hand-over of this process, from the moment when its message is out until it is settled, as the attachment knows
/// it. Whichever thread hears that it is settled sets the alarm, for the thread that waits for this.
struct outgoing_hand_over : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    record_id record;          ///< the handle record that becomes the target's
    process_id target;         ///< which is to take it
    unique_fd alarm;           ///< a timer
    bool alarm_wanted = false; ///< guarded by the attachment's mutex, as is the next
    bool alarm_kept   = false; ///< the program has its number: it rings from the settlement to the end of this object
};

} // namespace sharedsock::detail
