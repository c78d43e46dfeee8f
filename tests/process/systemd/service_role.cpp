// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/peer_errors.hpp"
#include "support/plain_socket.hpp"
#include "support/role.hpp"

#include <sharedsock/sharedsock.hpp>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ss = sharedsock;

namespace {

struct service {
    ss::systemd::passed_descriptors passed;
    ss::systemd::notifier manager = ss::systemd::notifier::from_environment();
    std::optional<test::plain_socket> connection;
    std::vector<ss::systemd::kept_connection> kept;

    std::string receive()
    {
        ss::error_code ec;
        passed = ss::systemd::passed_descriptors::receive(ec);
        test::succeed(ec);
        std::string names;
        for (const auto& one : passed) {
            if ((::fcntl(one.native_handle(), F_GETFD) & FD_CLOEXEC) == 0) throw std::runtime_error("not close-on-exec");
            names += (names.empty() ? "" : " ") + one.name();
        }
        return names;
    }

    // Accepts from the listener, and reads a few bytes more than it works on.
    std::string accept_and_keep(const std::string& listener)
    {
        const auto taken = passed.take(listener);
        connection.emplace(::accept4(taken.native_handle(), nullptr, nullptr, SOCK_CLOEXEC));
        const std::string read = connection->receive(4);
        ss::systemd::keep_connection(manager, "connection-1", connection->descriptor(), {std::as_bytes(std::span(read)), 77});
        return read;
    }

    std::string take_kept()
    {
        kept = take_kept_connections(passed);
        std::string all;
        for (const auto& one : kept)
            all += one.socket.name() + " " + std::to_string(one.tag) + " " +
                   std::string(reinterpret_cast<const char*>(one.bytes.data()), one.bytes.size()) + ";";
        return all + " left " + std::to_string(passed.size());
    }

    std::string answer_kept()
    {
        auto& one = kept.at(0);
        test::plain_socket client(one.socket.release());
        std::string line(reinterpret_cast<const char*>(one.bytes.data()), one.bytes.size());
        while (line.back() != '\n')
            line += client.receive(1);
        client.send(line);
        return "ok";
    }

    std::string adopt_and_serve(const std::string& segment_name)
    {
        const ss::segment segment = ss::segment::open(segment_name);
        auto taken                = passed.take("web");
        ss::shared_socket shared  = ss::shared_socket::adopt(segment, taken.native_handle());
        taken.release();
        ss::shared_socket accepted = shared.accept();
        accepted.send(std::as_bytes(std::span("hello", 5)));
        return "ok";
    }
};

std::string variables()
{
    std::string set;
    for (const char* const name : {"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"})
        if (std::getenv(name) != nullptr) set += name;
    return set;
}

} // namespace

/// args: a descriptor that it inherits and its name, for each that is passed on. Does what a manager does between fork and exec.
SHAREDSOCK_CHILD_ROLE(start of a service)
{
    role.raise_channel();
    std::string names;
    int next = 3;
    for (std::size_t i = 0; i + 1 < role.args.size(); i += 2) {
        const int from = std::stoi(role.args[i]);
        ::dup2(from, next++);
        ::close(from);
        names += (names.empty() ? "" : ":") + role.args[i + 1];
    }
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", std::to_string(next - 3).c_str(), 1);
    ::setenv("LISTEN_FDNAMES", names.c_str(), 1);
    role.become("service");
}

SHAREDSOCK_CHILD_ROLE(service)
{
    service one;
    return role.serve({
        {"receive", [&](const std::string&) { return one.receive(); }},
        {"variables", [](const std::string&) { return variables(); }},
        {"set",
         [](const std::string& rest) {
             const auto equals = rest.find('=');
             ::setenv(rest.substr(0, equals).c_str(), rest.substr(equals + 1).c_str(), 1);
             return std::string("ok");
         }},
        {"ready", [&](const std::string&) { return one.manager.ready(), std::string("ok"); }},
        {"barrier",
         [&](const std::string& rest) {
             ss::error_code ec;
             one.manager.barrier(std::chrono::milliseconds(std::stoi(rest)), ec);
             test::succeed(ec);
             return std::string("ok");
         }},
        {"accept_and_keep", [&](const std::string& rest) { return one.accept_and_keep(rest); }},
        {"take_kept", [&](const std::string&) { return one.take_kept(); }},
        {"answer_kept", [&](const std::string&) { return one.answer_kept(); }},
        {"adopt_and_serve", [&](const std::string& rest) { return one.adopt_and_serve(rest); }},
    });
}

/// args: the path of the listener. systemd(1) executes "service" in this process.
SHAREDSOCK_CHILD_ROLE(start of a service by systemd)
{
    role.become("service", {"/usr/bin/systemd-socket-activate", "--listen=" + role.args.at(0), "--fdname=web"});
}
