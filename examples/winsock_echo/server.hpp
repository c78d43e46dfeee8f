// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

/// Listens on 127.0.0.1 (port 0: any) and says on which port. Echoes every other connection itself and hands the rest to a
/// child process, until it has had `connections` of them (0: for ever). The child runs `program`, with the argument
/// "--worker". Returns the exit code.
int run_server(const char* program, unsigned short port, int connections);

/// The child: echoes the connections that come from its parent, until there are no more. Returns how many there were.
int run_worker();
