// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "asio/stream_peer.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

namespace {

namespace asio = boost::asio;
namespace ss   = sharedsock;

std::string name_of(const ss::error_code& ec)
{
    if (!ec) return "ok";
    if (ec == ss::errc::registration_cancelled) return "registration_cancelled";
    if (ec == asio::error::operation_aborted) return "operation_aborted";
    if (ec == asio::error::eof) return "eof";
    if (ec == ss::errc::fence_pending) return "fence_pending";
    return ec.message();
}

// One operation of the peer: started by one command, its end asked for by another.
struct operation {
    std::array<char, 256> room{};
    std::promise<std::string> done;
    std::future<std::string> outcome = done.get_future();
};

} // namespace

SHAREDSOCK_CHILD_ROLE(stream_peer)
{
    auto segment = ss::segment::open(role.args.at(0));
    asio::io_context io;
    auto work = asio::make_work_guard(io);
    std::optional<ss::stream> stream;
    std::optional<ss::acceptor> acceptor;
    std::map<std::string, std::shared_ptr<operation>> operations;
    std::jthread runner;
    const auto run = [&] { runner = std::jthread([&] { io.run(); }); };
    run();
    // Streams are not safe for use by two threads: every call on one runs where its operations complete.
    const auto there  = [&](auto&& call) { return asio::post(io, asio::use_future(std::forward<decltype(call)>(call))).get(); };
    const auto begin  = [&](const std::string& name) { return operations[name] = std::make_shared<operation>(); };
    const auto quoted = [](const operation& one, std::size_t size) { return '"' + std::string(one.room.data(), size) + '"'; };

    role.say("ready");
    const int code = role.serve({
        {"redeem",
         [&](const std::string& text) {
             stream.emplace(io, ss::shared_socket::redeem(segment, ss::ticket::from_text(text)));
             return std::string("ok");
         }},
        {"redeem_listener",
         [&](const std::string& text) {
             acceptor.emplace(io.get_executor(), ss::shared_socket::redeem(segment, ss::ticket::from_text(text)),
                              ss::by_registration);
             return std::string("ok");
         }},
        {"read",
         [&](const std::string& name) {
             there([&] {
                 auto one = begin(name);
                 stream->async_read_some(asio::buffer(one->room), [one, quoted](ss::error_code ec, std::size_t size) {
                     one->done.set_value(ec ? name_of(ec) : quoted(*one, size));
                 });
             });
             return std::string("ok");
         }},
        {"write",
         [&](const std::string& rest) {
             std::istringstream words(rest);
             std::string name, text;
             words >> name >> text;
             there([&] {
                 auto one = begin(name);
                 text.copy(one->room.data(), one->room.size());
                 stream->async_write_some(asio::buffer(one->room.data(), text.size()),
                                          [one](ss::error_code ec, std::size_t) { one->done.set_value(name_of(ec)); });
             });
             return std::string("ok");
         }},
        {"stand_by",
         [&](const std::string& name) {
             there([&] {
                 auto one = begin(name);
                 stream->async_stand_by([one](ss::error_code ec) { one->done.set_value(name_of(ec)); });
             });
             return std::string("ok");
         }},
        {"accept",
         [&](const std::string& name) {
             there([&] {
                 auto one = begin(name);
                 acceptor->async_accept([&, one](ss::error_code ec, ss::stream made) {
                     if (!ec) stream = std::move(made);
                     one->done.set_value(name_of(ec));
                 });
             });
             return std::string("ok");
         }},
        {"take_over",
         [&](const std::string&) {
             return there([&] {
                 ss::error_code ec;
                 stream->take_over(ec);
                 return name_of(ec);
             });
         }},
        {"pass_on", [&](const std::string&) { return there([&] { return std::string(stream->pass_on() ? "yes" : "no"); }); }},
        {"owns", [&](const std::string&) { return there([&] { return std::string(stream->owns_events() ? "yes" : "no"); }); }},
        {"cancel_registration",
         [&](const std::string&) {
             return there([&] {
                 stream->socket().cancel_registration();
                 return std::string("ok");
             });
         }},
        {"select_instead",
         [&](const std::string&) {
             return there([&] {
                 static ss::event_object ready;
                 stream->socket().event_select(ready, ss::network_event::read);
                 return std::string("ok");
             });
         }},
        {"close",
         [&](const std::string&) {
             return there([&] {
                 stream->close();
                 return std::string("ok");
             });
         }},
        {"query",
         [&](const std::string&) {
             return there([&] {
                 const auto now = stream->socket().registration();
                 return now ? "owner=" + std::to_string(now->owner.index) + " kind=" + std::to_string(static_cast<int>(now->kind))
                            : std::string("nobody");
             });
         }},
        // Waits for the end of an operation, and answers how it ended; or that it has not.
        {"end_of",
         [&](const std::string& name) {
             auto& outcome = operations.at(name)->outcome;
             return outcome.wait_for(test::patience) == std::future_status::ready ? outcome.get() : std::string("pending");
         }},
        {"still_pending",
         [&](const std::string& name) {
             return std::string(
                 operations.at(name)->outcome.wait_for(std::chrono::milliseconds(150)) == std::future_status::ready ? "no" : "yes");
         }},
        // The context does nothing between these two, as in a process that is busy.
        {"busy",
         [&](const std::string&) {
             io.stop();
             runner.join();
             return std::string("ok");
         }},
        {"free",
         [&](const std::string&) {
             io.restart();
             run();
             return std::string("ok");
         }},
        {"in_fork_read",
         [&](const std::string&) { // the results of the child's first operations on the inherited stream
             io.stop();
             runner.join();
             io.notify_fork(asio::execution_context::fork_prepare);
             int ends[2];
             if (::pipe(ends) != 0) return std::string("pipe");
             const pid_t child = ::fork();
             if (child == 0) {
                 io.notify_fork(asio::execution_context::fork_child);
                 io.restart();
                 std::string first;
                 char room[8];
                 stream->async_read_some(asio::buffer(room), [&](ss::error_code ec, std::size_t) {
                     first = name_of(ec);
                     io.stop();
                 });
                 io.run();
                 const auto said = ::write(ends[1], first.data(), first.size());
                 ::_exit(said > 0 ? 0 : 1);
             }
             ::close(ends[1]);
             io.notify_fork(asio::execution_context::fork_parent);
             std::string said(64, '\0');
             const ssize_t size = ::read(ends[0], said.data(), said.size());
             ::close(ends[0]);
             ::waitpid(child, nullptr, 0);
             io.restart();
             run();
             return said.substr(0, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
         }},
    });
    work.reset();
    io.stop();
    runner.join();
    return code;
}
