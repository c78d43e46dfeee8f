// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// How a network fails a peer: routers that say that a host cannot be reached, hosts that hear nothing, calls that fail.
#include "support/deadline.hpp"
#include "support/network_verbs.hpp"
#include "support/peer_words.hpp"
#include "support/plain_socket.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <string>
#include <system_error>

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

namespace test {
namespace {

void check(bool good, const char* what)
{
    if (!good) throw std::system_error(errno, std::generic_category(), what);
}

std::uint16_t internet_checksum(const unsigned char* bytes, std::size_t size)
{
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i + 1 < size; i += 2)
        sum += static_cast<std::uint32_t>(bytes[i] << 8 | bytes[i + 1]);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons(static_cast<std::uint16_t>(~sum));
}

// The beginning of the next TCP packet to that port: its IP header and 8 bytes more, which an ICMP message quotes.
struct quoted_packet {
    std::array<unsigned char, sizeof(iphdr) + 8> bytes;
    in_addr sender;
};
quoted_packet next_packet_to(int raw, std::uint16_t port)
{
    std::array<unsigned char, 65'536> room;
    for (;;) {
        const auto size = ::recv(raw, room.data(), room.size(), 0);
        check(size > 0, "recv of a raw socket");
        iphdr header{};
        tcphdr segment{};
        std::memcpy(&header, room.data(), sizeof header);
        if (header.ihl != 5 || static_cast<std::size_t>(size) < sizeof header + sizeof segment) continue;
        std::memcpy(&segment, room.data() + sizeof header, sizeof segment);
        if (ntohs(segment.dest) != port) continue;
        quoted_packet found{};
        std::memcpy(found.bytes.data(), room.data(), found.bytes.size());
        found.sender.s_addr = header.saddr;
        return found;
    }
}

std::string unreachable(const std::string& rest)
{
    words line(rest);
    const int code          = look_up<int>({{"network", ICMP_NET_UNREACH}, {"host", ICMP_HOST_UNREACH}}, line.next("what"));
    const auto port         = line.number<std::uint16_t>("port");
    const plain_socket tcp  = plain_socket(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP));
    const plain_socket icmp = plain_socket(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
    const timeval limit{patience.count() / 1000, 0};
    check(tcp.descriptor() >= 0 && icmp.descriptor() >= 0, "raw sockets");
    check(::setsockopt(tcp.descriptor(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0, "SO_RCVTIMEO");

    const quoted_packet lost = next_packet_to(tcp.descriptor(), port);
    std::array<unsigned char, sizeof(icmphdr) + sizeof lost.bytes> message{};
    icmphdr header{};
    header.type = ICMP_DEST_UNREACH;
    header.code = static_cast<std::uint8_t>(code);
    std::memcpy(message.data() + sizeof header, lost.bytes.data(), lost.bytes.size());
    std::memcpy(message.data(), &header, sizeof header);
    header.checksum = internet_checksum(message.data(), message.size());
    std::memcpy(message.data(), &header, sizeof header);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr   = lost.sender;
    check(::sendto(icmp.descriptor(), message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) > 0,
          "sendto of ICMP");
    return "ok";
}

std::string deaf(const std::string& descriptor)
{
    sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    const sock_fprog filter{1, nothing};
    check(::setsockopt(std::stoi(descriptor), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0, "SO_ATTACH_FILTER");
    return "ok";
}

std::string fail_calls(const std::string& rest)
{
    words line(rest);
    const auto descriptor = line.number<std::uint32_t>("descriptor");
    const auto error      = look_up<std::uint32_t>(
        {{"network_down", ENETDOWN}, {"no_buffer_space", ENOBUFS}, {"address_family_not_supported", EAFNOSUPPORT}},
        line.next("error"));
    sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_recvfrom, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_recvmsg, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendto, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, descriptor, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
    check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS");
    check(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0, "PR_SET_SECCOMP");
    return "ok";
}

} // namespace

void add_network_failure_verbs(role_context::handlers& verbs)
{
    verbs["unreachable"] = unreachable;
    verbs["deaf"]        = deaf;
    verbs["fail_calls"]  = fail_calls;
}

} // namespace test
