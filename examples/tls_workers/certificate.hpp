// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <string>

namespace tls_workers {

/// A key and a self-signed certificate for "localhost", good for an hour; both in PEM.
struct identity {
    std::string key;
    std::string certificate;
};

/// Makes a new one, in memory only. Throws `std::runtime_error`.
identity make_identity();

} // namespace tls_workers
