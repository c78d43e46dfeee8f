// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "detector.hpp"
#include "support/catch.hpp"

#include <cerrno>
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
    int close_error = 0;
};

// Built by name, so that a row below reads as what was seen.
struct seen : observation {
    explicit seen(int shown = 0) { revents = static_cast<short>(shown); }
    seen with_data() { data = true; return *this; }
    seen datagram() { stream = false; data = (revents & in) != 0; return *this; }
    seen unbound() { bound = false; return *this; }
    seen unix_socket() { local = true; return *this; }
    seen inline_urgent() { oob_inline = true; return *this; }
    seen flag(std::uint32_t bits) { flags |= bits; return *this; }
    seen attempt(connect_phase now, int error = 0) { phase = now; connect_error = error; return *this; }
    seen ended_by(int error) { terminal_error = error; return *this; }
};

const expectation cases[] = {
    // Listening sockets.
    {"EVT-15", "a listener with a pending connection", seen(in).flag(flag_listening), all, ev_accept},
    {"EVT-15", "a listener without one", seen(0).flag(flag_listening), all, 0},
    {"EVT-23", "a listener that was shut down", seen(in | rdhup | hup).flag(flag_listening), all, ev_accept},
    // Streams that are not connected.
    {"EVT-23", "a fresh stream socket shows OUT and HUP, and nothing happens", seen(out | hup), all, 0},
    {"EVT-16", "a connect that is under way", seen(0).attempt(connect_phase::in_progress), all, 0},
    {"EVT-17", "an attempt that failed: the reason, no WRITE, no CLOSE", seen(in | out | err | hup | rdhup).attempt(connect_phase::failed, ECONNREFUSED), all, ev_connect, ECONNREFUSED},
    {"EVT-17", "the same after CONNECT has told", seen(in | out | hup | rdhup).attempt(connect_phase::told_failed), all, 0},
    // Connected streams.
    {"EVT-10", "connected just now: CONNECT and WRITE", seen(out).attempt(connect_phase::connected), all, ev_connect | ev_write},
    {"EVT-16", "an accepted socket never has CONNECT", seen(out), all, ev_write},
    {"EVT-8", "data", seen(in | out).with_data(), all, ev_read | ev_write},
    {"EVT-11", "data and a full send queue", seen(in).with_data(), all, ev_read},
    {"EVT-13", "urgent data", seen(out | pri), all, ev_oob | ev_write},
    {"EVT-13", "urgent data with SO_OOBINLINE is data", seen(in | out | pri).with_data().inline_urgent(), all, ev_read | ev_write},
    // Ends.
    {"EVT-9", "the orderly end is CLOSE and not READ", seen(in | out | rdhup), all, ev_close},
    {"EVT-19", "the end waits for the data before it", seen(in | out | rdhup).with_data(), all, ev_read},
    {"EVT-20", "but not if READ is not nominated", seen(in | out | rdhup).with_data(), ev_close | ev_write, ev_read | ev_close},
    {"EVT-18", "a reset", seen(in | out | err | hup | rdhup).ended_by(ECONNRESET), all, ev_close, 0, ECONNRESET},
    {"EVT-18", "a broken pipe is a reset", seen(in | out | hup | rdhup).ended_by(EPIPE), all, ev_close, 0, ECONNRESET},
    {"EVT-18", "a time-out is an abort", seen(in | out | hup | rdhup).ended_by(ETIMEDOUT), all, ev_close, 0, ECONNABORTED},
    {"EVT-19", "an abortive end does not wait for data", seen(in | out | hup | rdhup).with_data().ended_by(ECONNRESET), all, ev_read | ev_close, 0, ECONNRESET},
    {"STATE-9", "a reset whose error another process has taken", seen(in | out | hup | rdhup), all, ev_close, 0, ECONNRESET},
    {"EVT-18", "the peer's end after a local shutdown of sending", seen(in | out | hup | rdhup).flag(flag_shut_send), all, ev_close},
    {"EVT-22", "a local shutdown of receiving is no CLOSE", seen(in | out | rdhup).flag(flag_shut_receive), all, ev_write},
    {"EVT-22", "nor is a local shutdown of both", seen(in | out | hup | rdhup).flag(flag_shut_send | flag_shut_receive), all, 0},
    {"EVT-18", "the end of a Unix stream shows HUP and is orderly", seen(in | out | hup | rdhup).unix_socket(), all, ev_close},
    {"EVT-21", "WRITE goes on after the peer's end if CLOSE is not nominated", seen(in | out | rdhup), ev_write, ev_close | ev_write},
    // Datagrams.
    {"EVT-9", "a datagram, of any size", seen(in | out).datagram(), all, ev_read | ev_write},
    {"EVT-12", "an unbound datagram socket is not writable", seen(out).datagram().unbound(), all, 0},
    {"EVT-16", "a datagram socket's connect", seen(out).datagram().attempt(connect_phase::connected), all, ev_connect | ev_write},
    {"EVT-22", "a datagram socket has no CLOSE", seen(in | out | rdhup | hup).datagram(), all, ev_read | ev_write},
};

} // namespace

TEST_CASE("every combination that the kernel shows is the events that its rule says", "[EVT-8][EVT-9][EVT-10][EVT-13][EVT-15][EVT-16][EVT-17][EVT-18][EVT-19][EVT-20][EVT-22][EVT-23]")
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
    CHECK(epoll_interest(ev_read) == (EPOLLET | EPOLLIN));
    CHECK(epoll_interest(ev_write) == (EPOLLET | EPOLLOUT));
    CHECK(epoll_interest(ev_connect) == (EPOLLET | EPOLLOUT));
    CHECK(epoll_interest(ev_accept) == (EPOLLET | EPOLLIN));
    CHECK(epoll_interest(ev_oob) == (EPOLLET | EPOLLPRI));
    CHECK(epoll_interest(ev_close) == (EPOLLET | EPOLLIN | EPOLLRDHUP));
    CHECK(epoll_interest(0) == EPOLLET);
}
