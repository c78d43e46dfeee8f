// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/socket_address.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace handoff {

void require(bool holds, const std::string& what); ///< throws if it does not

/// The answer of one of the processes.
struct answer {
    int status = 0;
    std::string worker;
    std::uint64_t moves = 0;
    std::uint64_t bytes = 0;
    std::string sha256;
    std::string path;
};
answer understand(const std::string& body); ///< the first line

std::string sum_of(std::string_view body); ///< its SHA-256

/// A client that keeps its connection, and waits, but never for ever.
class client {
public:
    explicit client(const sharedsock::socket_address& server);
    ~client();
    client(const client&)            = delete;
    client& operator=(const client&) = delete;

    void ask(const std::string& path, const std::string& body = {});
    void end(); ///< sends no more requests
    answer receive();

private:
    std::string take(std::size_t count);

    const int socket_;
    std::string unread_;
};

} // namespace handoff
