// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// As little HTTP as the clients need: the program compares the ways in which connections come.
#include "accept/conversation.hpp"
#include "accept/workload.hpp"

#include <cerrno>
#include <string_view>

#include <sys/socket.h>
#include <time.h>

namespace accept_bench {
namespace {

constexpr std::string_view keep = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nok\n";
constexpr std::string_view last = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";

std::int64_t own_time_ns()
{
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1'000'000'000ll + now.tv_nsec;
}

void work_long() // of this thread's own time: however busy the machine is, it is the same work
{
    const auto end = own_time_ns() + std::chrono::nanoseconds(long_request).count();
    while (own_time_ns() < end) {
    }
}

class minimal_http final : public conversation {
public:
    bool serve(int connection, worker_counters& counters) override
    {
        char request[1024]; // the clients send a request whole, and the next one after the answer
        const ssize_t got = ::recv(connection, request, sizeof request, 0);
        if (got < 0 && errno == EAGAIN) return true;
        if (got <= 0) return false;
        const std::string_view text(request, static_cast<std::size_t>(got));
        if (!text.ends_with("\r\n\r\n")) return false;
        if (text.starts_with("GET /long")) work_long();
        const bool close              = text.find("Connection: close") != text.npos;
        const std::string_view answer = close ? last : keep;
        if (::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return false;
        add(counters.requests);
        return !close;
    }
};

} // namespace

std::unique_ptr<conversation> make_minimal_http() { return std::make_unique<minimal_http>(); }

} // namespace accept_bench
