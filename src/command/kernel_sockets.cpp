// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "command/kernel_sockets.hpp"

#include "base/file_reading.hpp"

#include <array>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <stdexcept>

#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sharedsock::command {
namespace {

constexpr unsigned long unix_accepts = 0x1'0000; // __SO_ACCEPTCON, in the flags of /proc/net/unix

std::string read_link(const std::string& path)
{
    std::array<char, 256> target;
    const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
    return length < 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(length));
}

std::string process_path(pid_t pid, const std::string& rest) { return "/proc/" + std::to_string(pid) + '/' + rest; }

std::optional<std::uint64_t> socket_inode(pid_t pid, int descriptor)
{
    unsigned long long inode = 0;
    const std::string link   = read_link(process_path(pid, "fd/" + std::to_string(descriptor)));
    if (std::sscanf(link.c_str(), "socket:[%llu]", &inode) != 1) {
        return std::nullopt;
    }
    return inode;
}

// The file of /proc/<pid>/net that has sockets of this kind; empty if none.
std::string table_file(int family, int type)
{
    if (family == AF_UNIX) {
        return "unix";
    }
    const std::string suffix = family == AF_INET6 ? "6" : "";
    const bool ip            = family == AF_INET || family == AF_INET6;
    switch (ip ? type : 0) {
    case SOCK_STREAM:
        return "tcp" + suffix;
    case SOCK_DGRAM:
        return "udp" + suffix;
    case SOCK_RAW:
        return "raw" + suffix;
    default:
        return {};
    }
}

// "0100007F:1F90": the words of the address as this machine reads them, and the port.
std::optional<socket_address> ip_address(const std::string& text)
{
    const std::size_t colon = text.find(':');
    if (colon != 8 && colon != 32) {
        return std::nullopt;
    }
    const auto number = [](const std::string& digits) { return std::stoul(digits, nullptr, 16); };
    const auto port   = htons(static_cast<std::uint16_t>(number(text.substr(colon + 1))));
    std::array<std::uint32_t, 4> words{};
    for (std::size_t at = 0; at < colon; at += 8) {
        words[at / 8] = static_cast<std::uint32_t>(number(text.substr(at, 8)));
    }
    if (colon == 8) {
        sockaddr_in address{};
        address.sin_family      = AF_INET;
        address.sin_port        = port;
        address.sin_addr.s_addr = words[0];
        return socket_address(reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port   = port;
    std::memcpy(&address.sin6_addr, words.data(), sizeof address.sin6_addr);
    return socket_address(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

// sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …
std::optional<kernel_socket> ip_row(const std::string& line)
{
    std::istringstream columns(line);
    std::string slot, local, peer, state, skipped;
    kernel_socket row;
    columns >> slot >> local >> peer >> state >> skipped >> skipped >> skipped >> skipped >> skipped >> row.inode;
    const auto local_address = ip_address(local);
    if (!columns || !local_address) {
        return std::nullopt;
    }
    row.local     = *local_address;
    row.listening = state == "0A"; // TCP_LISTEN
    if (const auto peer_address = ip_address(peer); peer_address && peer_address->port() != 0) {
        row.peer = peer_address;
    }
    return row;
}

// num: refcount protocol flags type state inode path
std::optional<kernel_socket> unix_row(const std::string& line)
{
    std::istringstream columns(line);
    std::string number, references, protocol, flags, type, state, path;
    kernel_socket row;
    columns >> number >> references >> protocol >> flags >> type >> state >> row.inode;
    if (!columns) {
        return std::nullopt;
    }
    row.listening = (std::stoul(flags, nullptr, 16) & unix_accepts) != 0;
    if (columns.get() == ' ' && std::getline(columns, path)) {
        if (path.starts_with('@')) { // how the kernel shows an abstract name
            path.front() = '\0';
        }
        row.local = socket_address::local(path);
    } else {
        sockaddr unnamed{};
        unnamed.sa_family = AF_UNIX;
        row.local         = socket_address(&unnamed, sizeof unnamed.sa_family);
    }
    return row;
}

} // namespace

std::optional<kernel_socket> kernel_sockets::find(pid_t pid, int descriptor, int family, int type)
{
    const std::string file = table_file(family, type);
    const auto inode       = file.empty() ? std::nullopt : socket_inode(pid, descriptor);
    if (!inode) {
        return std::nullopt;
    }
    const table& rows = read(pid, file);
    const auto found  = rows.find(*inode);
    return found == rows.end() ? std::nullopt : std::optional(found->second);
}

const kernel_sockets::table& kernel_sockets::read(pid_t pid, const std::string& file)
{
    const auto [place, fresh] = tables_.try_emplace({read_link(process_path(pid, "ns/net")), file});
    if (!fresh) {
        return place->second;
    }
    std::istringstream lines(detail::read_file(process_path(pid, "net/" + file)).value_or(""));
    std::string line;
    std::getline(lines, line); // the headings
    while (std::getline(lines, line)) {
        try {
            if (const auto row = file == "unix" ? unix_row(line) : ip_row(line)) {
                place->second.emplace(row->inode, *row);
            }
        } catch (const std::logic_error&) { // a line of another form: a kernel that the library does not know yet
        }
    }
    return place->second;
}

bool is_own_pid_namespace(std::uint64_t pid_namespace)
{
    struct stat own;
    return ::stat("/proc/self/ns/pid", &own) == 0 && own.st_ino == pid_namespace;
}

} // namespace sharedsock::command
