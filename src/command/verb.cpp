// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "verb.hpp"

#include <iostream>

namespace sharedsock::command {

const std::vector<verb>& verbs()
{
    static const std::vector<verb> all{
        {"list",
         "",
         "your segments: state, processes, sockets, memory, age",
         "States: live (a process is attached), idle (nobody is), stale boot (left over from before the last boot),\n"
         "other layout (made by another version of sharedsock), damaged, unreadable.\n"
         "An unnamed segment is shown as @<uuid>; its memory has no file, so only its members know what is in it.\n",
         {},
         0,
         0,
         list},
        {"show",
         "NAME",
         "all there is in a segment: processes, sockets, owners of events, names, tickets",
         "Addresses are what the kernel's tables say of a descriptor that a live holder has; \"?\" where there is "
         "none, as\n"
         "for a socket that is bound but neither listens nor is connected. 64-bit times are nanoseconds since the "
         "epoch.\n",
         {},
         1,
         1,
         show},
        {"who",
         "PORT|NAME [--segment S]",
         "who holds the socket on a port or under a name, and who owns its events",
         "Finds the sockets that listen on (or are bound to) PORT, that are published under NAME, or whose AF_UNIX "
         "path is\n"
         "NAME, in all of your segments or in S. Ends with 1 if there is none.\n",
         {"--segment"},
         1,
         1,
         who},
        {"check",
         "NAME",
         "whether a segment's bytes make sense; explains any damage in words",
         "Ends with 0 if there is no damage and with 1 if there is. What a dead process has left is no damage: the "
         "next\n"
         "sweep ends it. Changes nothing and takes no lock; what a running segment shows for an instant only is not "
         "told.\n",
         {},
         1,
         1,
         check},
        {"sweep",
         "NAME|--all",
         "ends what dead processes have left in a segment",
         "Attaches to the segment for a moment, as any process does that opens it, and says which dead were swept.\n",
         {"--all"},
         0,
         1,
         sweep},
        {"rm",
         "NAME [--force]",
         "removes a segment",
         "Refuses if a process is attached, unless --force is given: then attached processes go on with what they "
         "have, and\n"
         "nobody new can attach. Takes @<uuid> for what a crash has left of an unnamed segment.\n",
         {"--force"},
         1,
         1,
         rm},
    };
    return all;
}

void remark(const std::string& sentence) { std::cerr << "sharedsock: " << sentence << '\n'; }

} // namespace sharedsock::command
