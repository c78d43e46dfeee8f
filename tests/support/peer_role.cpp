// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The role in which a test binary is a peer: see peer.hpp.
#include "support/peer_state.hpp"
#include "support/role.hpp"

SHAREDSOCK_CHILD_ROLE(peer)
{
    test::peer_state state(role.args.at(0));
    role.say("ready");
    return role.serve(state.verbs());
}
