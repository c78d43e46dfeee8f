// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "command/verb.hpp"

#include <iostream>
#include <string>

#include <sys/socket.h>

namespace sharedsock::command {

const std::vector<verb>& verbs()
{
    static const std::vector<verb> all{
        {.name     = "list",
         .operands = "",
         .summary  = "your segments: state, processes, sockets, memory, age",
         .details =
             R"(
States: live (a process is attached), idle (no process is), stale boot (left over from before the last boot), other layout
(made by another version of sharedsock), damaged, unreadable. An unnamed segment is shown as @<uuid>; its memory has no
file, so only its members know what is in it.
)",
         .options     = {},
         .least_words = 0,
         .most_words  = 0,
         .run         = list},
        {.name     = "show",
         .operands = "NAME",
         .summary  = "all records of a segment: processes, sockets, owners of events, names, tickets",
         .details =
             R"(
Addresses come from the kernel's table_view, by a descriptor of a live holder; "?" where the table_view have none, as for a
socket that is bound but neither listens nor is connected. Times in JSON are nanoseconds since 1970.
)",
         .options     = {},
         .least_words = 1,
         .most_words  = 1,
         .run         = show},
        {.name     = "who",
         .operands = "PORT|NAME [--segment S]",
         .summary  = "the holders of the socket on a port or under a name, and the owner of its events",
         .details =
             R"(
Finds the sockets that listen on (or are bound to) PORT, that are published under NAME, or whose AF_UNIX path is NAME,
in all of your segments or in S. Ends with 1 if there is none.
)",
         .options     = {"--segment"},
         .least_words = 1,
         .most_words  = 1,
         .run         = who},
        {.name     = "check",
         .operands = "NAME [--repair]",
         .summary  = "checks that a segment's bytes agree; explains any damage in words, and mends it",
         .details =
             R"(
Ends with 0 if there is no damage and with 1 if there is. Records of a dead process are no damage: the next sweep ends
them. Changes nothing and takes no lock. A contradiction that shows for an instant only is not reported.
--repair mends all that can be mended, while the segment's processes go on: it attaches for a moment, sweeps the dead, and
makes lists, ownerships, handles, names and hints agree with the handles of living processes. It says what it has mended,
and ends with 1 if some damage is left: a damaged header, or a socket that a stopped process has locked.
)",
         .options     = {"--repair"},
         .least_words = 1,
         .most_words  = 1,
         .run         = check},
        {.name     = "sweep",
         .operands = "NAME|--all",
         .summary  = "ends all that dead processes have left in a segment",
         .details =
             R"(
Attaches to the segment for a moment, as any process does that opens it, and says which dead processes it swept. Ends
with 1 if some are left because a stopped process holds a lock. --all sweeps every segment, and removes the files of
unnamed segments whose members have all died.
)",
         .options     = {"--all"},
         .least_words = 0,
         .most_words  = 1,
         .run         = sweep},
        {.name     = "rm",
         .operands = "NAME [--force]",
         .summary  = "removes a segment",
         .details =
             R"(
Refuses if a process is attached, unless --force is given: then attached processes go on with what they have, and no
other process can attach. Takes @<uuid> for the files that a crash has left of an unnamed segment.
)",
         .options     = {"--force"},
         .least_words = 1,
         .most_words  = 1,
         .run         = rm},
    };
    return all;
}

void remark(const std::string& sentence) { std::cerr << "sharedsock: " << sentence << '\n'; }

} // namespace sharedsock::command
