// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The commands of a peer that get a socket, connect it, and give it up.
#include "support/peer_state.hpp"
#include "support/peer_values.hpp"
#include "support/plain_socket.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include <sys/socket.h>

namespace ss = sharedsock;

namespace test {

void peer_state::add_socket_verbs()
{
    add("open", [this](words& line, ss::error_code& ec) {
        static const std::map<std::string, std::pair<int, int>> kinds{
            {"tcp", {AF_INET, SOCK_STREAM}},  {"tcp6", {AF_INET6, SOCK_STREAM}},        {"udp", {AF_INET, SOCK_DGRAM}},
            {"unix", {AF_UNIX, SOCK_STREAM}}, {"seqpacket", {AF_UNIX, SOCK_SEQPACKET}}, {"unix_datagram", {AF_UNIX, SOCK_DGRAM}}};
        const std::string name    = line.next("handle");
        const auto [family, type] = look_up(kinds, line.next("kind"));
        keep(name, ss::shared_socket::open(segment_, family, type, 0, ec), ec);
    });
    add("dial", [this](words& line, ss::error_code& ec) {
        const std::string name = line.next("handle");
        plain_socket plain     = plain_socket::connect(line.number<std::uint16_t>("port"));
        auto adopted           = ss::shared_socket::adopt(segment_, plain.descriptor(), ec);
        if (!ec) plain.release();
        keep(name, std::move(adopted), ec);
    });
    add("dial_local", [this](words& line, ss::error_code& ec) {
        const std::string name = line.next("handle");
        const int type         = line.next("kind") == "seqpacket" ? SOCK_SEQPACKET : SOCK_STREAM;
        const auto address     = ss::socket_address::local(line.next("path"));
        plain_socket plain(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
        if (::connect(plain.descriptor(), address.data(), address.size()) != 0) misuse("dial_local");
        auto adopted = ss::shared_socket::adopt(segment_, plain.descriptor(), ec);
        if (!ec) plain.release();
        keep(name, std::move(adopted), ec);
    });
    add("adopt", [this](words& line, ss::error_code& ec) {
        const std::string name = line.next("handle");
        keep(name, ss::shared_socket::adopt(segment_, line.number("descriptor"), ec), ec);
    });
    add("listener", [this](words& line, ss::error_code& ec) {
        const std::string name = line.next("handle");
        auto made              = ss::shared_socket::listen(segment_, ss::socket_address::loopback(0), ec);
        succeed(ec);
        const std::string port = std::to_string(made.local_address().port());
        keep(name, std::move(made), ec);
        return port;
    });
    add("bind", [this](words& line, ss::error_code& ec) {
        const auto h = socket(line);
        h->bind(to_address(line.next("address"), h->family()), ec);
    });
    add("listen", [this](words& line, ss::error_code& ec) {
        const auto h       = socket(line);
        const auto backlog = line.maybe();
        h->listen(backlog ? words::to_number<int>(*backlog) : SOMAXCONN, ec);
    });
    add("connect", [this](words& line, ss::error_code& ec) {
        const auto h = socket(line);
        h->connect(to_address(line.next("address"), h->family()), ec);
    });
    add("accept", [this](words& line, ss::error_code& ec) {
        const auto listener    = socket(line);
        const std::string name = line.next("handle");
        keep(name, listener->accept(ec), ec);
    });
    add("close", [this](words& line, ss::error_code& ec) { socket(line)->close(ec); });
    add("drop", [this](words& line, ss::error_code&) {
        const std::string name = line.next("handle");
        socket_ptr dropped;
        const std::scoped_lock lock(mutex_);
        dropped = std::move(look_up_to_change(name));
        sockets_.erase(name);
    });
    add("forget", [this](words& line, ss::error_code&) {
        const std::string name = line.next("handle");
        const std::scoped_lock lock(mutex_);
        forgotten_.push_back(std::move(look_up_to_change(name)));
        sockets_.erase(name);
    });
    add("release", [this](words& line, ss::error_code& ec) { return std::to_string(socket(line)->release(ec)); });
    add("shutdown", [this](words& line, ss::error_code& ec) {
        const auto h = socket(line);
        h->shutdown(look_up<int>({{"receive", SHUT_RD}, {"send", SHUT_WR}, {"both", SHUT_RDWR}}, line.next("how")), ec);
    });
}

} // namespace test
