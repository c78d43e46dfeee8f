// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// TLS by several processes that share one listener: Asio's ssl::stream on sharedsock's stream, unchanged. Clients are
// `openssl s_client`, where it is installed, and Asio's; they check the certificate, which is made for this run.
#include "support/child.hpp"
#include "support/own_segment.hpp"
#include "tls_workers/certificate.hpp"
#include "tls_workers/clients.hpp"
#include "tls_workers/worker.hpp"

#include <sharedsock/sharedsock.hpp>

#include <iostream>
#include <map>
#include <sstream>
#include <vector>

#include <sched.h>
#include <unistd.h>

namespace {

namespace ss = sharedsock;
using play::require;

constexpr std::size_t worker_count = 3;
constexpr int rounds               = 6;

/// Waits until all workers have attached, and stand by or accept: from then on the turns go round.
void wait_for_workers(const ss::shared_socket& listener)
{
    for (;;) {
        std::size_t waiting = 0;
        for (const ss::handle_info& each : listener.handles())
            waiting += each.accepts_in_turn;
        if (waiting == worker_count) return;
        ::sched_yield();
    }
}

/// Has one conversation; the pid of the worker that answered.
pid_t converse(int round, const std::string& heard)
{
    std::istringstream lines(heard);
    std::string first, second;
    std::getline(lines, first);
    std::getline(lines, second);
    const std::string pid = first.substr(0, first.find(':'));
    require(heard == pid + ": round " + std::to_string(round) + "\n" + pid + ": bye\n", "the answers are right: " + heard);
    return std::stoi(pid);
}

void run(const ss::segment& segment)
{
    auto listener       = ss::shared_socket::listen(segment, ss::socket_address::loopback(0));
    const auto port     = listener.local_address().port();
    const auto identity = tls_workers::make_identity();
    std::vector<play::child> workers;
    for (std::size_t i = 0; i < worker_count; ++i)
        workers.emplace_back([&] { return tls_workers::work(std::move(listener), identity); });
    wait_for_workers(listener);

    const bool with_openssl = tls_workers::has_openssl();
    std::map<pid_t, int> conversations;
    for (int round = 0; round < rounds; ++round) {
        const std::string words = "round " + std::to_string(round) + "\nbye\n";
        if (with_openssl) ++conversations[converse(round, tls_workers::ask_with_openssl(port, identity.certificate, words))];
        ++conversations[converse(round, tls_workers::ask_with_asio(port, identity.certificate, words))];
    }
    require(conversations.size() == worker_count, "every worker has its turn");
    bool refused = false;
    try {
        tls_workers::ask_with_asio(port, tls_workers::make_identity().certificate, "bye\n");
    } catch (const std::exception&) {
        refused = true;
    }
    require(refused, "a client that trusts another certificate does not talk to the server");
    for (const auto& [pid, count] : conversations)
        std::cout << "worker " << pid << ": " << count << " conversations\n";
    if (!with_openssl) std::cout << "openssl is not installed: only Asio's client was used\n";
    std::cout << (with_openssl ? 2 * rounds : rounds) << " TLS conversations, " << worker_count << " workers" << std::endl;
}

} // namespace

int main()
try {
    const play::own_segment segment(play::name_of("tls_workers"));
    run(segment.here);
    return 0;
} catch (const std::exception& failure) {
    std::cerr << "tls_workers: " << failure.what() << std::endl;
    return 1;
}
