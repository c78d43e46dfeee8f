// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "events/detector.hpp"

#include "support/catch.hpp"

#include <cerrno>
#include <cstdint>

#include <poll.h>
#include <sys/epoll.h>

using namespace sharedsock::detail;

namespace {

constexpr std::uint32_t all = ev_read | ev_write | ev_oob | ev_accept | ev_connect | ev_close;
constexpr short in = POLLIN, out = POLLOUT, pri = POLLPRI, err = POLLERR, hup = POLLHUP, rdhup = POLLRDHUP;

struct expectation {
    const char* rule;
    const char* what;
    observation seen;
    std::uint32_t mask;
    std::uint32_t happened;
    int connect_error = 0;
    int close_error   = 0;
};

// clang-format off
// Built by name, so that a row below reads as an observation.
struct seen : observation {
    explicit seen(int shown = 0) { revents = static_cast<short>(shown); }
    seen with_data() { data = true; return *this; }
    seen datagram() { stream = false; data = (revents & in) != 0; return *this; }
    seen without_data() { data = false; return *this; }
    seen kept() { urgent_kept = true; return *this; }
    seen peer_ended() { peer_end = true; return *this; }
    seen unbound() { bound = false; return *this; }
    seen unix_socket() { local = true; return *this; }
    seen inline_urgent() { oob_inline = true; return *this; }
    seen flag(std::uint32_t bits) { flags |= bits; return *this; }
    seen attempt(connect_phase now, int error = 0) { phase = now; connect_error = error; return *this; }
    seen ended_by(int error) { terminal_error = error; return *this; }
};
// clang-format on

// The events that poll(2) was seen to show of sockets of each kind in each state (Linux 6.18), and the result for each.
const expectation cases[] = {
    // Listening sockets.
    {"EVT-15", "a listener with a pending connection", seen(in).flag(flag_listening), all, ev_accept},
    {"EVT-15", "a listener without a pending connection", seen(0).flag(flag_listening), all, 0},
    {"EVT-15", "a Unix listener that was shut down and has one pending still gives it",
     seen(in | rdhup | hup).unix_socket().flag(flag_listening), all, ev_accept},
    {"EVT-23", "a TCP listener that was shut down is no listener any more", seen(out | hup), all, 0},
    // Streams that are not connected.
    {"EVT-23", "a fresh stream socket shows OUT and HUP, and nothing happens", seen(out | hup), all, 0},
    {"EVT-23", "a fresh Unix stream or seqpacket socket shows OUT and HUP, and nothing happens", seen(out | hup).unix_socket(), all,
     0},
    {"EVT-16", "a connect that is under way", seen(0).attempt(connect_phase::in_progress), all, 0},
    {"EVT-16", "a connect whose outcome another process has not yet told", seen(out).attempt(connect_phase::in_progress), all, 0},
    {"EVT-17", "an attempt that failed: the reason, no WRITE, no CLOSE",
     seen(in | out | err | hup | rdhup).attempt(connect_phase::failed, ECONNREFUSED), all, ev_connect, ECONNREFUSED},
    {"EVT-17", "a failed attempt whose error was collected",
     seen(in | out | hup | rdhup).attempt(connect_phase::failed, ECONNREFUSED), all, ev_connect, ECONNREFUSED},
    {"EVT-17", "an attempt that was shut down while it was under way",
     seen(out | err | hup).attempt(connect_phase::failed, ECONNRESET), all, ev_connect, ECONNRESET},
    {"EVT-17", "an attempt without a way to the host", seen(out | hup).attempt(connect_phase::failed, ENETUNREACH), all, ev_connect,
     ENETUNREACH},
    {"EVT-26", "an attempt that timed out", seen(in | out | err | hup | rdhup).attempt(connect_phase::failed, ETIMEDOUT), all,
     ev_connect, ETIMEDOUT},
    {"EVT-17", "a failed attempt that CONNECT has told", seen(in | out | hup | rdhup).attempt(connect_phase::told_failed), all, 0},
    // Connected streams.
    {"EVT-10", "connected just now: CONNECT and WRITE", seen(out).attempt(connect_phase::connected), all, ev_connect | ev_write},
    {"EVT-16", "connected, and CONNECT has told", seen(out).attempt(connect_phase::told), all, ev_write},
    {"EVT-16", "an accepted socket never has CONNECT", seen(out), all, ev_write},
    {"EVT-8", "connected just now, with data", seen(in | out).with_data().attempt(connect_phase::connected), all,
     ev_read | ev_connect | ev_write},
    {"EVT-8", "data", seen(in | out).with_data(), all, ev_read | ev_write},
    {"EVT-11", "a full send queue", seen(0), all, 0},
    {"EVT-11", "data and a full send queue", seen(in).with_data(), all, ev_read},
    // Urgent data.
    {"EVT-13", "urgent data", seen(out | pri), all, ev_oob | ev_write},
    {"EVT-13", "urgent data and data", seen(in | out | pri).with_data(), all, ev_read | ev_oob | ev_write},
    {"EVT-13", "urgent data of AF_UNIX shows as readable, and is not", seen(in | out | pri).unix_socket(), all, ev_oob | ev_write},
    {"EVT-13", "AF_UNIX shows as readable even when it has been received", seen(in | out).unix_socket(), all, ev_write},
    {"EVT-13", "urgent data with a full send queue", seen(pri), all, ev_oob},
    {"EVT-13", "urgent data with SO_OOBINLINE is data", seen(in | out | pri).with_data().inline_urgent(), all, ev_read | ev_write},
    {"EVT-14", "urgent data received past", seen(out).kept(), all, ev_oob | ev_write},
    {"EVT-14", "urgent data received past, with data behind it", seen(in | out).with_data().kept(), all,
     ev_read | ev_oob | ev_write},
    {"EVT-14", "urgent data received past, with SO_OOBINLINE on meanwhile", seen(out).kept().inline_urgent(), all, ev_write},
    {"EVT-14", "urgent data received past, after the peer's end", seen(in | out | rdhup).kept(), all, ev_oob | ev_close},
    {"EVT-19", "urgent data in front of the last data and the end", seen(in | out | pri | rdhup).with_data(), all,
     ev_read | ev_oob},
    {"EVT-19", "urgent data and the end, without other data", seen(in | out | pri | rdhup), all, ev_oob | ev_close},
    {"EVT-19", "urgent data and the end on AF_UNIX, without other data", seen(in | out | pri | hup | rdhup).unix_socket(), all,
     ev_oob | ev_close},
    {"EVT-13", "urgent data that a reset has made unreceivable", seen(in | out | pri | hup | rdhup).ended_by(ECONNRESET), all,
     ev_close, 0, ECONNRESET},
    {"EVT-14", "urgent data received past before a reset", seen(in | out | hup | rdhup).ended_by(ECONNRESET).kept(), all,
     ev_oob | ev_close, 0, ECONNRESET},
    // Ends.
    {"EVT-9", "the orderly end is CLOSE and not READ", seen(in | out | rdhup), all, ev_close},
    {"EVT-9", "the orderly end with a full send queue is CLOSE and not READ", seen(in | rdhup), all, ev_close},
    {"EVT-9", "the orderly end is not READ if CLOSE is not nominated", seen(in | out | rdhup), ev_read, ev_close | ev_write},
    {"EVT-19", "the end waits for the data before it", seen(in | out | rdhup).with_data(), all, ev_read},
    {"EVT-19", "the end of AF_UNIX waits for the data before it", seen(in | out | hup | rdhup).with_data().unix_socket(), all,
     ev_read},
    {"EVT-20", "the end does not wait for data if READ is not nominated", seen(in | out | rdhup).with_data(), ev_close | ev_write,
     ev_read | ev_close},
    {"EVT-18", "a reset", seen(in | out | err | hup | rdhup).ended_by(ECONNRESET), all, ev_close, 0, ECONNRESET},
    {"EVT-18", "a reset of AF_UNIX", seen(in | out | err | hup | rdhup).unix_socket().ended_by(ECONNRESET), all, ev_close, 0,
     ECONNRESET},
    {"EVT-18", "a peer that ended in order and refused what was sent after it", seen(in | out | hup | rdhup).ended_by(EPIPE), all,
     ev_close},
    {"EVT-19", "the same with data before its end", seen(in | out | hup | rdhup).with_data().ended_by(EPIPE), all, ev_read},
    {"EVT-18", "a time-out is an abort", seen(in | out | hup | rdhup).ended_by(ETIMEDOUT), all, ev_close, 0, ECONNABORTED},
    {"EVT-18", "a peer that has become unreachable is an abort", seen(in | out | hup | rdhup).ended_by(EHOSTUNREACH), all, ev_close,
     0, ECONNABORTED},
    {"EVT-18", "a network that went down has a code of its own", seen(in | out | hup | rdhup).ended_by(ENETDOWN), all, ev_close, 0,
     ENETDOWN},
    {"EVT-19", "an abortive end does not wait for data", seen(in | out | hup | rdhup).with_data().ended_by(ECONNRESET), all,
     ev_read | ev_close, 0, ECONNRESET},
    {"STATE-9", "a reset whose error another process has taken", seen(in | out | hup | rdhup), all, ev_close, 0, ECONNRESET},
    {"EVT-18", "the peer's end after a local shutdown of sending", seen(in | out | hup | rdhup).flag(flag_shut_send), all,
     ev_close},
    {"EVT-19", "the peer's end after a local shutdown of sending, with data before it",
     seen(in | out | hup | rdhup).with_data().flag(flag_shut_send), all, ev_read},
    {"EVT-18", "a reset after a local shutdown of sending",
     seen(in | out | err | hup | rdhup).flag(flag_shut_send).ended_by(ECONNRESET), all, ev_close, 0, ECONNRESET},
    {"EVT-18", "the end of a Unix stream shows HUP and is orderly", seen(in | out | hup | rdhup).unix_socket(), all, ev_close},
    {"EVT-18", "half the end of a Unix stream", seen(in | out | rdhup).unix_socket(), all, ev_close},
    {"EVT-18", "the end of a Unix stream after a local shutdown of sending",
     seen(in | out | hup | rdhup).unix_socket().flag(flag_shut_send), all, ev_close},
    {"EVT-21", "WRITE goes on after the peer's end if CLOSE is not nominated", seen(in | out | rdhup), ev_write,
     ev_close | ev_write},
    {"EVT-21", "CONNECT is told although the end has come already", seen(in | out | rdhup).attempt(connect_phase::connected), all,
     ev_connect | ev_close},
    // Acts of this side.
    {"EVT-22", "a local shutdown of sending shows nothing", seen(out).flag(flag_shut_send), all, 0},
    {"EVT-22", "a local shutdown of receiving is no CLOSE", seen(in | out | rdhup).flag(flag_shut_receive), all, ev_write},
    {"EVT-22", "data that comes after a local shutdown of receiving", seen(in | out | rdhup).with_data().flag(flag_shut_receive),
     all, ev_read | ev_write},
    {"EVT-22", "the peer's end after a local shutdown of receiving shows nothing new",
     seen(in | out | rdhup).flag(flag_shut_receive).peer_ended(), all, ev_close},
    {"EVT-22", "a local shutdown of both is no CLOSE", seen(in | out | hup | rdhup).flag(flag_shut_send | flag_shut_receive), all,
     0},
    {"EVT-22", "the peer's end after a local shutdown of both",
     seen(in | out | hup | rdhup).flag(flag_shut_send | flag_shut_receive).peer_ended(), all, ev_close},
    {"EVT-22", "a reset after a local shutdown of both",
     seen(in | out | err | hup | rdhup).flag(flag_shut_send | flag_shut_receive).ended_by(ECONNRESET), all, ev_close, 0,
     ECONNRESET},
    {"EVT-22", "a local shutdown of receiving on AF_UNIX", seen(in | out | rdhup).unix_socket().flag(flag_shut_receive), all,
     ev_write},
    {"EVT-22", "the peer's end after a local shutdown of receiving on AF_UNIX",
     seen(in | out | hup | rdhup).unix_socket().flag(flag_shut_receive), all, ev_close},
    {"EVT-22", "a local shutdown of both on AF_UNIX",
     seen(in | out | hup | rdhup).unix_socket().flag(flag_shut_send | flag_shut_receive), all, 0},
    // Datagrams.
    {"EVT-9", "a datagram, of any size", seen(in | out).datagram(), all, ev_read | ev_write},
    {"EVT-11", "a datagram, and no room to send", seen(in).datagram(), all, ev_read},
    {"EVT-12", "a datagram socket with an address", seen(out).datagram(), all, ev_write},
    {"EVT-12", "an unbound datagram socket is not writable", seen(out).datagram().unbound(), all, 0},
    {"EVT-12", "an unbound datagram socket of AF_UNIX is writable", seen(out).datagram().unix_socket(), all, ev_write},
    {"EVT-16", "a datagram socket's connect", seen(out).datagram().attempt(connect_phase::connected), all, ev_connect | ev_write},
    {"EVT-16", "a datagram socket's connect that failed", seen(out).datagram().attempt(connect_phase::failed, ENETUNREACH), all,
     ev_connect | ev_write, ENETUNREACH},
    {"EVT-22", "an answer that the peer has no such port is no CLOSE", seen(out | err).datagram(), all, ev_write},
    {"EVT-22", "a datagram socket has no CLOSE", seen(in | out | rdhup | hup).datagram(), all, ev_read | ev_write},
    {"EVT-9", "a local shutdown of receiving is no datagram",
     seen(in | out | rdhup).datagram().without_data().flag(flag_shut_receive), all, ev_write},
    {"EVT-22", "a local shutdown of both is no datagram, with an error that waits",
     seen(in | out | err | hup | rdhup).datagram().without_data().flag(flag_shut_send | flag_shut_receive), all, 0},
};

} // namespace

TEST_CASE("every combination that the kernel shows gives the events of its rule",
          "[EVT-8][EVT-9][EVT-10][EVT-11][EVT-12][EVT-13][EVT-14][EVT-15][EVT-16][EVT-17][EVT-18][EVT-19][EVT-20][EVT-21][EVT-22]["
          "EVT-23][EVT-26]")
{
    for (const expectation& one : cases) {
        INFO(one.rule << ": " << one.what);
        const detection found = detect(one.seen, one.mask);
        CHECK(found.happened == one.happened);
        CHECK(found.connect_error == one.connect_error);
        CHECK(found.close_error == one.close_error);
    }
}

TEST_CASE("the interest shows every change that a nominated event needs, on edges only")
{
    CHECK(epoll_interest(ev_read) == (EPOLLET | EPOLLIN | EPOLLRDHUP | EPOLLPRI));
    CHECK(epoll_interest(ev_write) == (EPOLLET | EPOLLOUT));
    CHECK(epoll_interest(ev_connect) == (EPOLLET | EPOLLOUT));
    CHECK(epoll_interest(ev_accept) == (EPOLLET | EPOLLIN));
    CHECK(epoll_interest(ev_oob) == (EPOLLET | EPOLLPRI));
    CHECK(epoll_interest(ev_close) == (EPOLLET | EPOLLIN | EPOLLRDHUP));
    CHECK(epoll_interest(0) == EPOLLET);
}
