// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/peer_values.hpp"

#include "support/peer_errors.hpp"

#include <cstdint>
#include <map>
#include <sstream>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace ss = sharedsock;

namespace test {

ss::network_event to_mask(const std::string& word)
{
    static const std::map<std::string, ss::network_event> names{
        {"none", ss::network_event::none},
        {"read", ss::network_event::read},
        {"write", ss::network_event::write},
        {"oob", ss::network_event::oob},
        {"accept", ss::network_event::accept},
        {"connect", ss::network_event::connect},
        {"close", ss::network_event::close},
        {"qos", ss::network_event::qos},
        {"group_qos", ss::network_event::group_qos},
        {"routing_interface_change", ss::network_event::routing_interface_change},
        {"address_list_change", ss::network_event::address_list_change},
        {"all", ss::network_event::all},
    };
    if (word.find_first_not_of("0123456789") == std::string::npos)
        return static_cast<ss::network_event>(words::to_number<std::uint32_t>(word));
    ss::network_event mask = ss::network_event::none;
    std::istringstream parts(word);
    for (std::string part; std::getline(parts, part, '|');)
        mask |= look_up(names, part);
    return mask;
}

ss::socket_address to_address(const std::string& word, int family)
{
    if (family == AF_UNIX) return ss::socket_address::local(word);
    if (const auto colon = word.rfind(':'); colon != std::string::npos) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port   = htons(words::to_number<std::uint16_t>(word.substr(colon + 1)));
        if (::inet_pton(AF_INET, word.substr(0, colon).c_str(), &address.sin_addr) != 1) misuse("no host: " + word);
        return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
    }
    const auto port = words::to_number<std::uint16_t>(word);
    return family == AF_INET6 ? ss::socket_address::loopback_v6(port) : ss::socket_address::loopback(port);
}

std::string to_text(const ss::network_events& events)
{
    std::string text;
    const auto add = [&](const std::string& word) { text += text.empty() ? word : "|" + word; };
    for (std::uint32_t bit = 1; bit < 1u << 10; bit <<= 1) {
        const auto one = static_cast<ss::network_event>(bit);
        if (!events.has(one)) continue;
        add(to_string(one));
        if (events.error(one)) text += "=" + condition_name(events.error(one));
    }
    if (events.lost) add("lost");
    return text.empty() ? "none" : text;
}

int to_flags(words& line)
{
    static const std::map<std::string, int> names{{"peek", MSG_PEEK},
                                                  {"oob", MSG_OOB},
                                                  {"all", MSG_WAITALL},
                                                  {"dontwait", MSG_DONTWAIT},
                                                  {"invalid", MSG_ERRQUEUE | MSG_OOB}};
    int flags = 0;
    while (const auto word = line.maybe())
        flags |= look_up(names, *word);
    return flags;
}

option_name to_option(const std::string& word)
{
    static const std::map<std::string, option_name> names{
        {"keepalive", {SOL_SOCKET, SO_KEEPALIVE}},
        {"reuseaddr", {SOL_SOCKET, SO_REUSEADDR}},
        {"oobinline", {SOL_SOCKET, SO_OOBINLINE}},
        {"rcvbuf", {SOL_SOCKET, SO_RCVBUF}},
        {"sndbuf", {SOL_SOCKET, SO_SNDBUF}},
        {"acceptconn", {SOL_SOCKET, SO_ACCEPTCONN}},
        {"nodelay", {IPPROTO_TCP, 1}}, // TCP_NODELAY, whose header conflicts with others
        {"user_timeout", {IPPROTO_TCP, 18}},
        {"syn_count", {IPPROTO_TCP, 7}},
        {"error", {SOL_SOCKET, SO_ERROR}},
        {"linger", {SOL_SOCKET, SO_LINGER}},
    };
    return look_up(names, word);
}

} // namespace test
