// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstdint>
#include <string>

namespace tls_workers {

/// The answers to `words`, over a connection whose certificate the client has checked against `certificate` (PEM) and the name
/// "localhost". Two clients: Asio's, and `openssl s_client`.
std::string ask_with_asio(std::uint16_t port, const std::string& certificate, const std::string& words);
std::string ask_with_openssl(std::uint16_t port, const std::string& certificate, const std::string& words);

bool has_openssl(); ///< the program

} // namespace tls_workers
