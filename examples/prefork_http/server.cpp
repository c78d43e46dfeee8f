// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "server.hpp"

#include "worker.hpp"

#include <algorithm>
#include <iostream>
#include <stdexcept>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace prefork_http {

namespace ss = sharedsock;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

constexpr auto quick             = 1s; // a life shorter than this is a failure to start
constexpr int most_quick_deaths  = 10;
constexpr auto patience_to_drain = 4s;

ss::segment_options in(const options& wanted) { return {.sockets = 65'536, .directory = wanted.directory}; }

ss::segment make_segment(const options& wanted)
{
    ss::segment::remove(wanted.segment, in(wanted)); // of a run that was killed; throws if somebody still uses it
    return ss::segment::create(wanted.segment, in(wanted));
}

std::string how_it_ended(int status)
{
    if (WIFSIGNALED(status)) return "was killed by signal " + std::to_string(WTERMSIG(status));
    return "ended with " + std::to_string(WEXITSTATUS(status));
}

sigset_t block_signals()
{
    sigset_t ours;
    sigemptyset(&ours);
    for (const int signal : {SIGCHLD, SIGTERM, SIGINT})
        sigaddset(&ours, signal);
    ::sigprocmask(SIG_BLOCK, &ours, nullptr);
    return ours;
}

options with_name(options wanted)
{
    if (wanted.segment.empty()) wanted.segment = "prefork_http." + std::to_string(::getpid());
    return wanted;
}

} // namespace

server::server(options wanted)
    : options_(with_name(std::move(wanted))),
      signals_(block_signals()),
      scores_(options_.workers),
      segment_(make_segment(options_)),
      listener_(ss::shared_socket::listen(segment_, ss::socket_address::loopback(options_.port))),
      children_(options_.workers)
{
    segment_.publish("http", listener_);
    std::cout << "http://" << to_string(listener_.local_address()) << "/ segment " << options_.segment << std::endl;
}

server::~server()
{
    stop();
    ss::error_code ignored; // what is left can be seen with `sharedsock list`
    ss::segment::remove(options_.segment, in(options_), true, ignored);
}

void server::start()
{
    for (std::size_t place = 0; place < children_.size(); ++place)
        start_worker(place);
}

void server::start_worker(std::size_t place)
{
    const pid_t pid = ::fork(); // the library makes the child a member of the segment, with a handle of its own
    if (pid == 0) be_worker(place);
    if (pid < 0) throw std::system_error(errno, std::system_category(), "fork");
    children_[place] = {pid, steady_clock::now()};
    say("worker " + std::to_string(pid) + " starts");
}

void server::be_worker(std::size_t place)
{
    try {
        const pid_t parent = ::getppid();
        ::prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (::getppid() != parent) ::_exit(1); // it is gone already
        worker(listener_, scores_, place).run();
        listener_ = {}; // what the child has got by fork ends in order as well
        segment_  = {};
        ::_exit(0);
    } catch (const std::exception& failure) {
        std::cerr << "worker " << ::getpid() << ": " << failure.what() << std::endl;
        ::_exit(1);
    }
}

void server::run()
{
    for (;;) {
        const int signal = ::sigwaitinfo(&signals_, nullptr);
        if (signal == SIGTERM || signal == SIGINT) return;
        if (signal == SIGCHLD) replace_the_dead();
    }
}

void server::replace_the_dead()
{
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        child* const dead = find(pid);
        if (dead == nullptr) continue;
        say("worker " + std::to_string(pid) + ' ' + how_it_ended(status));
        dead->pid     = 0;
        quick_deaths_ = steady_clock::now() - dead->since < quick ? quick_deaths_ + 1 : 0;
        if (quick_deaths_ > most_quick_deaths) throw std::runtime_error("the workers die as soon as they start");
        start_worker(static_cast<std::size_t>(dead - children_.data()));
    }
}

bool server::stop()
{
    bool well = true;
    for (const child& each : children_)
        if (each.pid != 0) ::kill(each.pid, SIGTERM);
    const auto deadline = steady_clock::now() + patience_to_drain;
    const auto running  = [](const child& each) { return each.pid != 0; };
    while (std::any_of(children_.begin(), children_.end(), running)) {
        int status      = 0;
        const pid_t pid = ::waitpid(-1, &status, WNOHANG);
        if (child* const ended = pid > 0 ? find(pid) : nullptr) {
            say("worker " + std::to_string(pid) + ' ' + how_it_ended(status));
            well       = well && status == 0;
            ended->pid = 0;
        }
        if (pid > 0) continue;
        if (pid < 0 && errno == ECHILD) break;
        if (steady_clock::now() > deadline)
            for (const child& each : children_)
                if (each.pid != 0) ::kill(each.pid, SIGKILL);
        const timespec moment{0, 100'000'000};
        ::sigtimedwait(&signals_, nullptr, &moment);
    }
    return well;
}

server::child* server::find(pid_t pid)
{
    const auto found =
        std::find_if(children_.begin(), children_.end(), [&](const child& each) { return each.pid == pid; });
    return found == children_.end() ? nullptr : &*found;
}

void server::say(const std::string& line) const
{
    if (!options_.quiet) std::cout << line << std::endl;
}

} // namespace prefork_http
