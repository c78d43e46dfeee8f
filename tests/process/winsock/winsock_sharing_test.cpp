// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Winsock's calls between processes: WSADuplicateSocket and WSASocket, and the owner of the events.
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "support/role.hpp"
#include "support/winsock_session.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <optional>
#include <string>

#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace test;

namespace {

// A WSAPROTOCOL_INFO travels as any bytes may: here as hexadecimal digits in a line.
std::string to_text(const ws::WSAPROTOCOL_INFO& info)
{
    std::string text;
    char two[3];
    for (std::size_t i = 0; i < sizeof info; ++i) {
        std::snprintf(two, sizeof two, "%02x", reinterpret_cast<const unsigned char*>(&info)[i]);
        text += two;
    }
    return text;
}

ws::WSAPROTOCOL_INFO from_text(const std::string& text)
{
    ws::WSAPROTOCOL_INFO info{};
    for (std::size_t i = 0; i < sizeof info; ++i)
        reinterpret_cast<unsigned char*>(&info)[i] = static_cast<unsigned char>(std::stoul(text.substr(2 * i, 2), nullptr, 16));
    return info;
}

std::string result_of(bool done) { return done ? "ok" : "error " + std::to_string(ws::WSAGetLastError()); }

ws::SOCKET redeem(ws::WSAPROTOCOL_INFO info)
{
    return ws::WSASocket(ws::FROM_PROTOCOL_INFO, ws::FROM_PROTOCOL_INFO, ws::FROM_PROTOCOL_INFO, &info, 0, ws::WSA_FLAG_OVERLAPPED);
}

} // namespace

// A Winsock program that keeps one SOCKET and one event object, and makes the calls that it is told.
SHAREDSOCK_CHILD_ROLE("winsock program")
{
    std::optional<winsock_session> session;
    ws::SOCKET s = ws::INVALID_SOCKET;
    ws::WSAEVENT event{};
    return role.serve({
        {"startup",
         [&](const std::string&) {
             session.emplace(role.args.at(0));
             event = ws::WSACreateEvent();
             return std::string("ok");
         }},
        {"redeem",
         [&](const std::string& text) {
             const ws::SOCKET redeemed = redeem(from_text(text));
             if (redeemed == ws::INVALID_SOCKET) return result_of(false);
             s = redeemed;
             return std::string("ok");
         }},
        {"duplicate",
         [&](const std::string& pid) {
             ws::WSAPROTOCOL_INFO info{};
             if (ws::WSADuplicateSocket(s, static_cast<ws::DWORD>(std::stoul(pid)), &info) != 0) return result_of(false);
             return to_text(info);
         }},
        {"select", [&](const std::string& mask) { return result_of(ws::WSAEventSelect(s, event, std::stol(mask)) == 0); }},
        {"wait",
         [&](const std::string& limit) {
             return std::string(signalled(event, static_cast<ws::DWORD>(std::stoul(limit))) ? "yes" : "no");
         }},
        {"enum",
         [&](const std::string&) {
             ws::WSANETWORKEVENTS happened{};
             const int failed = ws::WSAEnumNetworkEvents(s, event, &happened);
             return failed == 0 ? std::to_string(happened.lNetworkEvents) : result_of(false);
         }},
        {"send",
         [&](const std::string& text) { return std::to_string(ws::send(s, text.data(), static_cast<int>(text.size()), 0)); }},
        {"recv",
         [&](const std::string&) {
             char room[64];
             const int got = ws::recv(s, room, sizeof room, 0);
             return got < 0 ? result_of(false) : std::string(room, static_cast<std::size_t>(got));
         }},
        {"close", [&](const std::string&) { return result_of(ws::closesocket(s) == 0); }},
        {"exit",
         [&](const std::string&) {
             std::exit(7); // without WSACleanup
             return std::string();
         }},
    });
}

namespace {

// This process and another one, both between WSAStartup and WSACleanup in one segment.
struct two_processes {
    two_processes() { REQUIRE(other.ask("startup") == "ok"); }

    ws::DWORD pid() const { return static_cast<ws::DWORD>(other.pid()); }
    // The other process's SOCKET becomes a handle to the same socket.
    void share(ws::SOCKET s)
    {
        ws::WSAPROTOCOL_INFO info{};
        REQUIRE(ws::WSADuplicateSocket(s, pid(), &info) == 0);
        REQUIRE(other.ask("redeem " + to_text(info)) == "ok");
    }

    winsock_session session;
    child_process other{"winsock program", {session.name()}};
};

} // namespace

TEST_CASE("a SOCKET that was duplicated to another process lives on there", "[winsock][DUP-2][DUP-6]")
{
    two_processes both;
    const connected_pair pair;
    ws::WSAPROTOCOL_INFO info{};
    REQUIRE(ws::WSADuplicateSocket(pair.near, both.pid(), &info) == 0);
    CHECK(info.iAddressFamily == AF_INET);
    CHECK(info.iSocketType == SOCK_STREAM);
    CHECK(info.iProtocol == IPPROTO_TCP);
    REQUIRE(ws::closesocket(pair.near) == 0);
    REQUIRE(both.other.ask("redeem " + to_text(info)) == "ok");
    CHECK(both.other.ask("send hello") == "5");
    char room[8];
    CHECK(ws::recv(pair.far, room, sizeof room, 0) == 5);
    CHECK(both.other.ask("close") == "ok");
    CHECK(ws::recv(pair.far, room, sizeof room, 0) == 0);
}

TEST_CASE("the target of WSADuplicateSocket may call WSAStartup after the duplication", "[winsock][DUP-2]")
{
    const winsock_session session;
    child_process child("winsock program", {session.name()}); // has not called anything yet
    const connected_pair pair;
    ws::WSAPROTOCOL_INFO info{};
    REQUIRE(ws::WSADuplicateSocket(pair.near, static_cast<ws::DWORD>(child.pid()), &info) == 0);
    REQUIRE(ws::closesocket(pair.near) == 0);
    REQUIRE(child.ask("startup") == "ok");
    REQUIRE(child.ask("redeem " + to_text(info)) == "ok"); // while this process sits here and does nothing for it
    CHECK(child.ask("send late") == "4");
    char room[8];
    CHECK(ws::recv(pair.far, room, sizeof room, 0) == 4);
}

TEST_CASE("a duplication for a process in the middle of WSAStartup is good", "[winsock][DUP-2]")
{
    const winsock_session session;
    const connected_pair pair;
    for (int round = 0; round < 10; ++round) {
        child_process child("winsock program", {session.name()});
        REQUIRE(child.ask("enum").substr(0, 5) == "error"); // the child runs
        ws::WSAPROTOCOL_INFO info{};
        child.tell("startup");
        for (int i = 0; i < 50; ++i) { // before, meanwhile and after
            REQUIRE(ws::WSADuplicateSocket(pair.near, static_cast<ws::DWORD>(child.pid()), &info) == 0);
            ::usleep(20);
        }
        REQUIRE(child.line() == "ok");
        REQUIRE(child.ask("redeem " + to_text(info)) == "ok");
    }
}

TEST_CASE("a protocol info is good for one handle, in the process it was made for", "[winsock][DUP-3][DUP-4]")
{
    two_processes both;
    child_process third("winsock program", {both.session.name()});
    REQUIRE(third.ask("startup") == "ok");
    const connected_pair pair;
    ws::WSAPROTOCOL_INFO info{};
    REQUIRE(ws::WSADuplicateSocket(pair.near, both.pid(), &info) == 0);
    const std::string invalid = "error " + std::to_string(ws::WSAEINVAL);
    CHECK(third.ask("redeem " + to_text(info)) == invalid);
    ws::WSAPROTOCOL_INFO forged = info;
    forged.reserved_ticket[20] ^= 1;
    CHECK(both.other.ask("redeem " + to_text(forged)) == invalid);
    CHECK(both.other.ask("redeem " + to_text(info)) == "ok");
    CHECK(both.other.ask("redeem " + to_text(info)) == invalid);

    ws::WSAPROTOCOL_INFO nobodys{};
    CHECK(ws::WSADuplicateSocket(pair.near, 0, &nobodys) == ws::SOCKET_ERROR);
    CHECK(ws::WSAGetLastError() == ws::WSAEINVAL);
    CHECK(ws::last_error_reason() == sharedsock::errc::target_gone);
    CHECK_FALSE(nobodys.iVersion == 2); // untouched
}

TEST_CASE("a process may duplicate a SOCKET for itself, and a duplicate for another process", "[winsock][DUP-10]")
{
    two_processes both;
    const connected_pair pair;
    both.share(pair.near);
    ws::closesocket(pair.near);
    const std::string text = both.other.ask("duplicate " + std::to_string(::getpid()));
    const ws::SOCKET back  = redeem(from_text(text));
    REQUIRE(back != ws::INVALID_SOCKET);
    ws::WSAPROTOCOL_INFO info{};
    REQUIRE(ws::WSADuplicateSocket(back, static_cast<ws::DWORD>(::getpid()), &info) == 0);
    const ws::SOCKET again = redeem(info);
    REQUIRE(again != ws::INVALID_SOCKET);
    CHECK(again != back);
    CHECK(ws::send(again, "x", 1, 0) == 1);
    CHECK(ws::closesocket(back) == 0);
    CHECK(ws::send(again, "y", 1, 0) == 1);
    CHECK(ws::library_socket(again)->handles().size() == 2);
}

TEST_CASE("WSASocket without a ticket makes a socket of its own", "[winsock]")
{
    const winsock_session session;
    ws::WSAPROTOCOL_INFO description{};
    description.iAddressFamily = AF_INET;
    description.iSocketType    = SOCK_DGRAM;
    CHECK(ws::library_socket(redeem(description))->type() == SOCK_DGRAM);
    CHECK(ws::library_socket(ws::WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0, 0))->type() == SOCK_STREAM);
    CHECK(ws::WSASocket(ws::FROM_PROTOCOL_INFO, 0, 0, nullptr, 0, 0) == ws::INVALID_SOCKET);
    CHECK(ws::WSAGetLastError() == ws::WSAEINVAL);
    CHECK(ws::WSASocket(AF_INET, SOCK_STREAM, 0, nullptr, 0, 0x1000) == ws::INVALID_SOCKET);
    CHECK(ws::WSAGetLastError() == ws::WSAEINVAL);
}

TEST_CASE("WSAEventSelect in one process takes the events from the other", "[winsock][REG-2][REG-10]")
{
    two_processes both;
    const connected_pair pair;
    const ws::WSAEVENT event = ws::WSACreateEvent();
    REQUIRE(ws::WSAEventSelect(pair.near, event, ws::FD_READ) == 0);
    both.share(pair.near);

    REQUIRE(both.other.ask("select " + std::to_string(ws::FD_READ)) == "ok");
    REQUIRE(ws::send(pair.far, "x", 1, 0) == 1);
    CHECK(both.other.ask("wait 20000") == "yes");
    CHECK_FALSE(signalled(event)); // a loss is silent (REG-10)
    CHECK(both.other.ask("enum") == std::to_string(ws::FD_READ));
    CHECK(both.other.ask("wait 0") == "no");
    CHECK(both.other.ask("recv") == "x");

    // This process takes the events back: data that is there is reported at once (REG-7).
    REQUIRE(ws::send(pair.far, "y", 1, 0) == 1);
    CHECK(both.other.ask("wait 20000") == "yes");
    REQUIRE(ws::WSAEventSelect(pair.near, event, ws::FD_READ) == 0);
    CHECK(signalled(event));
    CHECK(both.other.ask("enum") == std::to_string(ws::FD_READ)); // the record is the socket's: any process may collect it (ENUM-7)
    u_long off = 0;
    CHECK(ws::ioctlsocket(pair.near, FIONBIO, &off) == ws::SOCKET_ERROR);
    REQUIRE(both.other.ask("select 0") == "ok"); // through any handle (REG-5)
    CHECK(ws::ioctlsocket(pair.near, FIONBIO, &off) == 0);
}

TEST_CASE("a receive in one process permits the next FD_READ in another", "[winsock][EVT-3]")
{
    two_processes both;
    const connected_pair pair;
    both.share(pair.near);
    REQUIRE(both.other.ask("select " + std::to_string(ws::FD_READ)) == "ok");
    REQUIRE(ws::send(pair.far, "ab", 2, 0) == 2);
    REQUIRE(both.other.ask("wait 20000") == "yes");
    REQUIRE(both.other.ask("enum") == std::to_string(ws::FD_READ));
    CHECK(both.other.ask("wait 0") == "no");
    char byte = 0;
    CHECK(ws::recv(pair.near, &byte, 1, 0) == 1);
    CHECK(both.other.ask("wait 20000") == "yes");
}

TEST_CASE("the death of a process ends its WSAEventSelect", "[winsock][REG-18]")
{
    two_processes both;
    const connected_pair pair;
    both.share(pair.near);
    REQUIRE(both.other.ask("select " + std::to_string(ws::FD_READ)) == "ok");
    both.other.kill(SIGKILL);
    both.other.wait();
    CHECK_FALSE(ws::library_socket(pair.near)->registration());
    u_long off = 0;
    CHECK(ws::ioctlsocket(pair.near, FIONBIO, &off) == 0);
}

TEST_CASE("a process that ends without WSACleanup detaches, and the last one leaves nothing behind", "[winsock][G11]")
{
    const std::string name = unique_name();
    child_process alone("winsock program", {name});
    REQUIRE(alone.ask("startup") == "ok");
    CHECK(sharedsock::segment::open(name));
    alone.tell("exit");
    CHECK(alone.wait() == 7);
    sharedsock::error_code ec;
    sharedsock::segment::open(name, {}, ec);
    CHECK(ec == sharedsock::errc::segment_not_found);
}

TEST_CASE("a forked child has every SOCKET as a handle of its own", "[winsock][DUP-17]")
{
    const winsock_session session;
    const connected_pair pair;
    const ws::WSAEVENT event = ws::WSACreateEvent();
    REQUIRE(ws::WSAEventSelect(pair.near, event, ws::FD_READ) == 0);
    child_process late("winsock program", {session.name()}); // for which a thread answers from now on, here and not in the child
    ws::WSAPROTOCOL_INFO info{};
    REQUIRE(ws::WSADuplicateSocket(pair.near, static_cast<ws::DWORD>(late.pid()), &info) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const bool right = ws::send(pair.near, "hi", 2, 0) == 2 && !signalled(event) && ws::closesocket(pair.near) == 0;
        ::_exit(right ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    char room[8];
    CHECK(ws::recv(pair.far, room, sizeof room, 0) == 2);
    REQUIRE(ws::send(pair.far, "x", 1, 0) == 1);
    CHECK(signalled(event, patience_ms)); // the parent has its registration still
    REQUIRE(late.ask("startup") == "ok");
    CHECK(late.ask("redeem " + to_text(info)) == "ok");
}

TEST_CASE("the environment names the Winsock layer's segment", "[winsock]")
{
    // In a child: all tests share the environment of this process.
    child_process child("winsock by environment", {unique_name()});
    child.wait_for("right");
}

SHAREDSOCK_CHILD_ROLE("winsock by environment")
{
    ::setenv("SHAREDSOCK_WINSOCK_SEGMENT", role.args.at(0).c_str(), 1);
    ws::WSADATA data{};
    const bool right = ws::WSAStartup(ws::MAKEWORD(2, 2), &data) == 0 && ws::current_segment().name() == role.args.at(0);
    ws::WSACleanup();
    role.say(right ? "right" : "wrong");
    return 0;
}
