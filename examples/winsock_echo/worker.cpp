// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "echo_loop.hpp"
#include "net.hpp"
#include "process.hpp"
#include "server.hpp"

#include <cstdio>
#include <mutex>
#include <queue>
#include <thread>

namespace {

// Messages that the parent has sent and the loop has not collected yet.
struct arrivals {
    std::mutex mutex;
    std::queue<WSAPROTOCOL_INFO> waiting;
    bool ended = false;
};

// No event object tells of a pipe: a thread reads it, and sets one.
void read_arrivals(arrivals& all, WSAEVENT arrived)
{
    for (bool more = true; more;) {
        WSAPROTOCOL_INFO info;
        more = read_from_parent(&info, sizeof(info));
        const std::lock_guard<std::mutex> lock(all.mutex);
        if (more) all.waiting.push(info);
        all.ended = !more;
        WSASetEvent(arrived);
    }
}

// Makes a socket of each message, and gives it to the loop. Returns how many.
int take(arrivals& all, echo_loop& loop)
{
    const std::lock_guard<std::mutex> lock(all.mutex);
    int taken = 0;
    for (; !all.waiting.empty(); all.waiting.pop()) {
        const SOCKET s =
            WSASocket(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &all.waiting.front(), 0, WSA_FLAG_OVERLAPPED);
        if (s == INVALID_SOCKET) {
            std::fprintf(stderr, "worker: WSASocket failed: %d\n", WSAGetLastError());
        } else if (loop.serve(s)) { // this process owns the events from here, also if the parent had registered
            ++taken;
        } else {
            closesocket(s);
        }
    }
    return taken;
}

} // namespace

int run_worker()
{
    WSADATA data;
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return 0;
    int served = 0;
    {
        arrivals all;
        echo_loop loop;
        const WSAEVENT arrived = loop.add_signal([&] { served += take(all, loop); });
        std::thread reader([&] { read_arrivals(all, arrived); });
        loop.run([&] {
            if (loop.open_connections() > 0) return true;
            const std::lock_guard<std::mutex> lock(all.mutex);
            return !all.ended || !all.waiting.empty();
        });
        reader.join();
    }
    WSACleanup();
    return served;
}
