// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The commands of a peer that send and receive.
#include "support/peer_state.hpp"
#include "support/peer_values.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include <sys/socket.h>

namespace ss = sharedsock;

namespace test {
namespace {

std::size_t receive_all(ss::shared_socket& h, std::size_t wanted, ss::error_code& ec)
{
    std::vector<std::byte> room(std::min<std::size_t>(wanted, 1 << 20));
    std::size_t total = 0;
    while (total < wanted) {
        const std::size_t got = h.receive(std::span(room).first(std::min(room.size(), wanted - total)), 0, ec);
        if (ec || got == 0) break;
        total += got;
    }
    return total;
}

} // namespace

void peer_state::add_data_verbs()
{
    add("send", [this](words& line, ss::error_code& ec) {
        const auto h           = socket(line);
        const std::string text = line.next("text");
        const int flags        = to_flags(line);
        return std::to_string(h->send(std::as_bytes(std::span(text)), flags, ec));
    });
    add("send_many", [this](words& line, ss::error_code& ec) {
        const auto h     = socket(line);
        const auto count = line.number<std::size_t>("count");
        const std::string bytes(count, line.maybe().value_or("x").front());
        return std::to_string(h->send(std::as_bytes(std::span(bytes)), 0, ec));
    });
    add("send_until_full", [this](words& line, ss::error_code& ec) {
        const auto h = socket(line);
        const std::string bytes(65'536, 'x');
        std::size_t total = 0;
        while (!ec)
            total += h->send(std::as_bytes(std::span(bytes)), MSG_DONTWAIT, ec);
        if (ec == std::errc::operation_would_block) ec.clear();
        return std::to_string(total);
    });
    add("receive", [this](words& line, ss::error_code& ec) {
        const auto h = socket(line);
        std::string room(line.number<std::size_t>("size"), '\0');
        const int flags       = to_flags(line);
        const std::size_t got = h->receive(std::as_writable_bytes(std::span(room)), flags, ec);
        return got == 0 ? "end" : '"' + room.substr(0, got) + '"';
    });
    add("receive_count", [this](words& line, ss::error_code& ec) {
        const auto h      = socket(line);
        const auto wanted = line.number<std::size_t>("count");
        return std::to_string(receive_all(*h, wanted, ec));
    });
    add("receive_all", [this](words& line, ss::error_code& ec) {
        const auto h            = socket(line);
        const std::size_t total = receive_all(*h, SIZE_MAX, ec);
        if (ec == std::errc::operation_would_block) ec.clear();
        return std::to_string(total);
    });
}

} // namespace test
