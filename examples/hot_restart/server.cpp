// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "server.hpp"

#include <sharedsock/hand_over.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <span>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <poll.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ss    = sharedsock;
using happening = ss::restart::event::kind;

namespace hot_restart {
namespace {

constexpr std::uint64_t carry_format = 1;  // the tag: how the next version is to read the bytes
constexpr std::uint64_t flawless     = 10; // connections that a bad version takes before its flaw shows

ss::restart::options options_for(const setting& how)
{
    ss::restart::options all;
    all.directory        = how.directory;
    all.wait_for_upgrade = true;
    all.answer_limit     = std::chrono::milliseconds(500); // short, for the test
    return all;
}

int take_signals()
{
    sigset_t which;
    sigemptyset(&which);
    sigaddset(&which, SIGUSR2);
    sigaddset(&which, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &which, nullptr);
    return ::signalfd(-1, &which, SFD_CLOEXEC | SFD_NONBLOCK);
}

} // namespace

line_server::line_server(setting how)
    : how_(std::move(how)),
      service_(ss::restart::generation::join("lines", options_for(how_))),
      listener_(service_.listen("lines", ss::socket_address::loopback(0))),
      signals_(take_signals())
{
    if (how_.bad == flaw::refuse) throw std::runtime_error("the configuration is wrong");
    service_.ready();
    if (service_.is_successor()) return;
    ss::socket_address bound;
    socklen_t size = ss::socket_address::capacity();
    ::getsockname(listener_.native_handle(), bound.data(), &size);
    bound.resize(size);
    std::cout << "port " << bound.port() << "\nserving " << ::getpid() << " with 0" << std::endl;
}

int line_server::run()
{
    while (!ends_) {
        std::vector<pollfd> asked{{signals_.native_handle(), POLLIN, 0}, {service_.native_handle(), POLLIN, 0}};
        if (!gives_) {
            asked.push_back({listener_.native_handle(), POLLIN, 0});
            for (const auto& [descriptor, state] : clients_)
                asked.push_back({descriptor, POLLIN, 0});
        }
        if (::poll(asked.data(), asked.size(), -1) < 0 && errno != EINTR) throw std::runtime_error("poll");
        if (asked[0].revents != 0) on_signal();
        for (std::size_t i = 3; i < asked.size(); ++i) {
            if (asked[i].revents == 0 || serve(asked[i].fd, clients_.at(asked[i].fd))) continue;
            clients_.erase(asked[i].fd);
            ::close(asked[i].fd);
        }
        if (!gives_) accept_all();
        while (auto happened = ends_ ? std::nullopt : service_.poll())
            on_event(*happened);
    }
    for (const auto& [descriptor, state] : clients_)
        ::close(descriptor);
    return 0;
}

void line_server::on_signal()
{
    signalfd_siginfo one{};
    while (::read(signals_.native_handle(), &one, sizeof one) == static_cast<ssize_t>(sizeof one)) {
        if (one.ssi_signo == SIGTERM) ends_ = true;
        if (one.ssi_signo == SIGUSR2) start_next();
    }
}

// As a deployment does it: another program is at the path, or has other arguments.
void line_server::start_next()
{
    std::ifstream file(how_.next_version);
    std::vector<std::string> words{how_.program, "--serve", how_.directory, how_.next_version};
    words.insert(words.end(), std::istream_iterator<std::string>(file), {});
    std::vector<char*> arguments;
    for (std::string& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    if (::posix_spawn(&next_, how_.program.c_str(), nullptr, nullptr, arguments.data(), environ) != 0) next_ = 0;
}

void line_server::on_event(ss::restart::event& one)
{
    switch (one.what) {
    // --- as predecessor
    case happening::successor_ready:
        gives_ = true;
        given_ = 0;
        for (const auto& [descriptor, state] : clients_)
            to_give_.push_back(descriptor);
        give_some();
        break;
    case happening::given:
        ++given_;
        give_some();
        break;
    case happening::returned: {
        take_over(std::move(one.connection));
        ss::error_code gone;
        if (one.why == ss::errc::gift_declined)
            service_.dismiss("it declines what this version gives", gone); // or it has gone already
        break;
    }
    case happening::successor_failed:
        if (next_ != 0) { // it may hang, with what it has taken
            ::kill(next_, SIGKILL);
            ::waitpid(std::exchange(next_, 0), nullptr, 0);
        }
        to_give_.clear();
        gives_ = has_finished_ = false;
        std::cout << "failed " << given_ << std::endl;
        break;
    case happening::replaced:
        ends_ = true;
        break;
    // --- as successor
    case happening::offered: {
        if (how_.bad == flaw::decline) {
            service_.decline(one.gift, "a tag that this version does not know");
            break;
        }
        ss::error_code ec;
        auto taken = service_.take(one.gift, ec);
        if (ec == std::errc::operation_would_block) break; // it is offered again, or this process is dismissed
        if (ec) throw ss::system_error(ec);
        take_over(std::move(taken));
        ++taken_;
        be_bad();
        break;
    }
    case happening::serving:
        std::cout << "serving " << ::getpid() << " with " << taken_ << std::endl;
        break;
    case happening::dismissed:
        throw std::runtime_error(one.text);
    case happening::successor_joined:
    case happening::time_is_up: // all is given at once here
        break;
    }
}

void line_server::be_bad()
{
    if (taken_ != flawless) return;
    if (how_.bad == flaw::crash) ::kill(::getpid(), SIGKILL);
    if (how_.bad == flaw::hang) ::kill(::getpid(), SIGSTOP);
    if (how_.bad == flaw::kills_predecessor) ::kill(service_.predecessor().pid, SIGKILL);
}

void line_server::give_some()
{
    while (!to_give_.empty()) {
        const int descriptor = to_give_.back();
        const client& state  = clients_.at(descriptor);
        if (!service_.can_give(sizeof state.lines + state.unfinished.size())) return; // after the next answer
        std::string bytes(reinterpret_cast<const char*>(&state.lines), sizeof state.lines);
        bytes += state.unfinished;
        service_.give(descriptor, {std::as_bytes(std::span(bytes)), carry_format});
        clients_.erase(descriptor);
        to_give_.pop_back();
    }
    if (!std::exchange(has_finished_, true)) service_.finish();
}

// From the predecessor, or back from the successor.
void line_server::take_over(ss::restart::connection from)
{
    client state;
    if (from.tag != carry_format || from.bytes.size() < sizeof state.lines) return; // closes it
    std::memcpy(&state.lines, from.bytes.data(), sizeof state.lines);
    state.unfinished.assign(reinterpret_cast<const char*>(from.bytes.data()) + sizeof state.lines,
                            from.bytes.size() - sizeof state.lines);
    clients_.emplace(from.socket.release(), std::move(state));
}

void line_server::accept_all()
{
    for (;;) {
        const int accepted = ::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
        if (accepted < 0) return;
        clients_.emplace(accepted, client{});
    }
}

// False: the client has gone.
bool line_server::serve(int descriptor, client& state)
{
    char room[4096];
    const ssize_t got = ::recv(descriptor, room, sizeof room, MSG_DONTWAIT);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    state.unfinished.append(room, static_cast<std::size_t>(got));
    for (std::size_t end = 0; (end = state.unfinished.find('\n')) != std::string::npos;) {
        const std::string answer = std::to_string(++state.lines) + ' ' + state.unfinished.substr(0, end + 1);
        state.unfinished.erase(0, end + 1);
        if (::send(descriptor, answer.data(), answer.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(answer.size())) return false;
    }
    return true;
}

} // namespace hot_restart
