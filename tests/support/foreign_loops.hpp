// The ways in which a program's own loop may wait for a descriptor: none of them knows of the library.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace test {

/// Whether `descriptor` becomes readable within `limit`, asked in one of these ways: "poll", "epoll" (level-triggered),
/// "epoll_edge", "select", "asio" (a `posix::stream_descriptor` on an io_context). A way starts anew with each call, as a loop
/// does that begins to watch. Throws if the kernel refuses the descriptor.
bool readable_by(const std::string& way, int descriptor, std::chrono::milliseconds limit);

/// All of them.
std::vector<std::string> ways_to_wait();

/// One epoll(7) that watches a descriptor edge-triggered (EPOLLET) from its construction on, as a program's loop does for ever.
class edge_triggered_loop {
public:
    explicit edge_triggered_loop(int descriptor);
    ~edge_triggered_loop();
    edge_triggered_loop(const edge_triggered_loop&)            = delete;
    edge_triggered_loop& operator=(const edge_triggered_loop&) = delete;

    /// Whether an edge came since the last call, or comes within `limit`.
    bool wakes(std::chrono::milliseconds limit);

private:
    int epoll_;
};

} // namespace test
