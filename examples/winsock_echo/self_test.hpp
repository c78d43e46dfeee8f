// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

/// Starts `program` as a server and tries it, as a client that knows nothing of Winsock or of the library. Returns the exit code.
int self_test(const char* program);
