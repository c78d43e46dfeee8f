// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Processes that were started without standard streams: no text that they print may land in a descriptor of the library.
#include "base/new_fd.hpp"
#include "support/catch.hpp"
#include "support/deadline.hpp"
#include "support/in_child.hpp"
#include "support/role.hpp"
#include "support/unique_name.hpp"

#include <sharedsock/prefork.hpp>
#include <sharedsock/sharedsock.hpp>
#include <sharedsock/winsock/bridge.hpp>
#include <sharedsock/winsock/calls.hpp>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ss      = sharedsock;
namespace prefork = sharedsock::prefork;
namespace new_fd  = sharedsock::detail::new_fd;

namespace {

void close_standard_streams()
{
    for (int number = 0; number < 3; ++number)
        ::close(number);
}

// " 2" if 2 is open; nothing if none of the three is.
std::string open_standard_numbers()
{
    std::string all;
    for (int number = 0; number < 3; ++number)
        if (::fcntl(number, F_GETFD) != -1) all += ' ' + std::to_string(number);
    return all;
}

struct home {
    home() { ss::segment::create(name, {.sockets = 64, .processes = 16}); }
    ~home()
    {
        ss::error_code ignored;
        ss::segment::remove(name, {}, true, ignored);
    }
    const std::string name = test::unique_name();
};

// Of `sharedsock`, run by a shell with these redirections.
int exit_code_of_command(const std::string& words, const std::string& redirections)
{
    const int status = std::system((std::string(SHAREDSOCK_COMMAND_PATH) + ' ' + words + ' ' + redirections).c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int checked(const std::string& name) { return exit_code_of_command("check " + name, ">/dev/null"); }

prefork::options two_workers()
{
    prefork::options how;
    how.workers             = 2;
    how.parent_death_signal = SIGKILL;
    return how;
}

// Whether two workers become ready that have none of the standard numbers.
std::string run(prefork::supervisor workers)
{
    ss::error_code ec;
    workers.start();
    const std::string of_the_supervisor = open_standard_numbers();
    workers.wait_ready(std::chrono::seconds(60), ec);
    std::string said = of_the_supervisor + (ec ? ec.message() : "");
    for (const prefork::worker_status& one : workers.status())
        said += one.reason;
    return said;
}

void use_everything(const std::string& name, const std::function<void(const char*)>& look)
{
    ss::segment where = ss::segment::open(name);
    look("attached");
    ss::shared_socket listener = ss::shared_socket::listen(where, ss::socket_address::loopback(0));
    look("listens");
    where.publish("listener", listener);
    ss::event_object event;
    listener.event_select(event, ss::network_event::accept);
    look("has registered");
    where.native_handle();
    const auto served = where.serve_in_thread();
    ss::hand_over_handle(where);
    look("serves");
    ss::shared_socket client = ss::shared_socket::open(where, AF_INET, SOCK_STREAM);
    client.connect(listener.local_address());
    event.wait();
    ss::shared_socket connection = listener.accept();
    look("has accepted");
    ss::shared_socket again = ss::shared_socket::redeem(where, connection.duplicate(where.self()));
    look("has redeemed");
    const std::vector<std::byte> bytes(64 * 1024); // goes in a file of its own
    ss::hand_over_unacknowledged(std::move(again), where.self(), {bytes, 1});
    const auto handed = ss::receive_hand_over(where);
    look("was handed over");
    ss::turn_acceptor turns(ss::shared_socket::redeem(where, listener.duplicate(where.self())));
    look("accepts in turn");
    static_cast<void>(listener.duplicate_for_pid(::getppid()));
    look("keeps a ticket");
}

} // namespace

SHAREDSOCK_CHILD_ROLE("is a worker without standard streams")
{
    const std::string inherited = open_standard_numbers();
    prefork::worker self        = prefork::worker::inherit();
    if (!inherited.empty() || !open_standard_numbers().empty()) return 9;
    self.ready();
    self.wait_for_drain();
    return 0;
}

TEST_CASE("none of the library's descriptors is a standard one in a process that was started without them", "[fault-95]")
{
    const home place;
    CHECK(test::in_child([&] {
              close_standard_streams();
              std::string found;
              ss::segment where = ss::segment::open(place.name);
              if (!open_standard_numbers().empty()) found += "attached" + open_standard_numbers() + "; ";
              const ss::shared_socket listener = ss::shared_socket::listen(where, ss::socket_address::loopback(0));
              ss::event_object event;
              found += open_standard_numbers();
              ss::segment made = ss::segment::create(place.name + "x", {.sockets = 4, .processes = 2});
              ss::segment::remove(place.name + "x", {}, true);
              ss::segment unnamed = ss::segment::create_unnamed({.sockets = 4, .processes = 2});
              return found + open_standard_numbers();
          }) == "");
    CHECK(checked(place.name) == 0);
}

TEST_CASE("each operation that opens something leaves the standard numbers free", "[fault-95]")
{
    const home place;
    CHECK(test::in_child([&] {
              std::string found;
              close_standard_streams();
              const auto look = [&](const char* after) {
                  const std::string open = open_standard_numbers();
                  if (!open.empty()) found += std::string(after) + ':' + open + "; ";
              };
              use_everything(place.name, look);
              return found;
          }) == "");
    CHECK(checked(place.name) == 0);
}

TEST_CASE("two hundred lines to a standard error that is closed leave the segment sound", "[fault-95]")
{
    const home place;
    CHECK(test::in_child([&] {
              close_standard_streams();
              ss::segment where          = ss::segment::open(place.name);
              ss::shared_socket listener = ss::shared_socket::listen(where, ss::socket_address::loopback(0));
              where.publish("listener", listener);
              for (int i = 0; i < 200; ++i)
                  std::fprintf(stderr, "warning: something happened, number %d, and here is a long line of text about it\n", i);
              for (int number = 0; number < 3; ++number)
                  if (::write(number, "warning", 7) != -1) return std::string("another descriptor took it");
              ss::error_code ec;
              ss::shared_socket::open_published(where, "listener", ec);
              return ec ? ec.message() : std::string("ok");
          }) == "ok");
    CHECK(checked(place.name) == 0);
}

TEST_CASE("a thread that prints to a closed standard error while another attaches writes to none of the library's files",
          "[fault-95]")
{
    const home place;
    CHECK(test::in_child([&] {
              close_standard_streams();
              std::atomic<bool> done{false};
              std::thread printer([&] {
                  const std::string line(600, '?');
                  while (!done)
                      for (int number = 0; number < 3; ++number)
                          static_cast<void>(::write(number, line.data(), line.size()));
              });
              std::string said = "ok";
              for (int i = 0; i < 200 && said == "ok"; ++i) {
                  ss::error_code ec;
                  const ss::segment where = ss::segment::open(place.name, {}, ec);
                  if (ec) said = ec.message();
              }
              done = true;
              printer.join();
              return said;
          }) == "ok");
    CHECK(checked(place.name) == 0);
}

TEST_CASE("workers of a supervisor without standard streams get none of its descriptors as theirs", "[fault-95]")
{
    SECTION("executed")
    {
        CHECK(test::in_child([] {
                  close_standard_streams();
                  prefork::program self;
                  self.arguments = {"worker", "--child", "is a worker without standard streams"};
                  return run(prefork::supervisor(two_workers(), self));
              }) == "");
    }
    SECTION("forked")
    {
        CHECK(test::in_child([] {
                  close_standard_streams();
                  return run(prefork::supervisor(two_workers(), [](prefork::worker& self) {
                      if (!open_standard_numbers().empty()) throw std::runtime_error(open_standard_numbers());
                      self.ready();
                      self.wait_for_drain();
                      return 0;
                  }));
              }) == "");
    }
}

TEST_CASE("the command does no harm to a segment when it is run without standard streams", "[fault-95]")
{
    const home place;
    for (const char* const verb : {"list", "show", "check", "check --repair", "sweep"}) {
        const std::string words = std::string(verb) + (verb == std::string("list") ? "" : " " + place.name);
        exit_code_of_command(words, "<&- >&- 2>&-"); // the command has no stream to answer through
        INFO(words);
        CHECK(checked(place.name) == 0);
    }
}

TEST_CASE("sockets of the Winsock layer are never standard numbers", "[fault-95]")
{
    const std::string name = test::unique_name();
    CHECK(test::in_child([&] {
              close_standard_streams();
              namespace ws = ss::winsock;
              ws::use_segment(name, {.sockets = 16, .processes = 4});
              ws::WSADATA data;
              if (ws::WSAStartup(ws::MAKEWORD(2, 2), &data) != 0) return std::string("no startup");
              const auto one = ws::socket(AF_INET, SOCK_STREAM, 0);
              if (one == ws::INVALID_SOCKET) return std::string("no socket");
              const std::string open = open_standard_numbers();
              ws::closesocket(one);
              ws::WSACleanup();
              return open;
          }) == "");
    ss::error_code ignored;
    ss::segment::remove(name, {}, true, ignored);
}

TEST_CASE("a free standard number is occupied by a file that no thread can write to while the kernel makes a descriptor",
          "[fault-95]")
{
    CHECK(test::in_child([] {
              close_standard_streams();
              const auto listener = new_fd::socket(AF_UNIX, SOCK_STREAM, 0); // the first that shows that numbers are free
              const auto client   = new_fd::socket(AF_UNIX, SOCK_STREAM, 0);
              const sockaddr unnamed{AF_UNIX, {}};
              sockaddr_un address{};
              socklen_t size = sizeof address;
              if (::bind(listener.get(), &unnamed, sizeof unnamed.sa_family) != 0 || ::listen(listener.get(), 1) != 0 ||
                  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
                  return std::string("no listener");
              ss::detail::unique_fd accepted;
              std::thread waits([&] { accepted = new_fd::accept(listener.get(), nullptr, nullptr, 0); });
              for (const test::deadline end; open_standard_numbers() != " 0 1 2" && !end.passed();)
                  std::this_thread::yield();
              const std::string occupied = open_standard_numbers();
              const bool is_written      = ::write(2, "?", 1) != -1;
              const bool connects        = ::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0;
              waits.join();
              return occupied + std::string(is_written ? " written, " : " ") +
                     (connects && accepted ? "accepted" : "not accepted") + open_standard_numbers();
          }) == " 0 1 2 accepted");
}

TEST_CASE("a descriptor that cannot be moved above the standard numbers is an error, and is not kept", "[fault-95]")
{
    CHECK(test::in_child([] {
              close_standard_streams();
              const rlimit few{32, 32};
              ::setrlimit(RLIMIT_NOFILE, &few);
              std::vector<ss::detail::unique_fd> all;
              while (auto one = new_fd::event())
                  all.push_back(std::move(one));
              if (errno != EMFILE) return std::string("another error");
              const int received = ::open("/dev/null", O_RDONLY | O_CLOEXEC); // takes a standard number
              if (new_fd::received(received) || errno != EMFILE) return std::string("received what is too low");
              return open_standard_numbers();
          }) == "");
}
