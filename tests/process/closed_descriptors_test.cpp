// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Other code of the process closes descriptors of the library, and the program gets their numbers again. The library leaves those
// alone in every call, says that the identity in the segment is lost, and the segment can be opened anew.
#include "support/catch.hpp"
#include "support/deadline.hpp"
#include "support/descriptors.hpp"
#include "support/in_child.hpp"
#include "support/unique_name.hpp"

#include <sharedsock/sharedsock.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <sstream>
#include <stdexcept>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ss = sharedsock;

namespace {

// The program opens these at the numbers that have become free: kinds of files that show whether other code wrote to them.
class program_files {
public:
    explicit program_files(std::size_t count)
    {
        for (std::size_t i = 0; i < count; ++i) {
            const int number = i % 2 == 0 ? ::eventfd(0, EFD_NONBLOCK) : static_cast<int>(::memfd_create("program", 0));
            struct stat about {};
            ::fstat(number, &about);
            all_.push_back({number, about.st_ino, i % 2 == 0});
        }
    }
    program_files(const program_files&) = delete;

    std::string check() const
    {
        std::ostringstream wrong;
        for (const file& one : all_) {
            struct stat about {};
            std::uint64_t count = 0;
            if (::fstat(one.number, &about) != 0)
                wrong << ' ' << one.number << " is closed;";
            else if (about.st_ino != one.inode)
                wrong << ' ' << one.number << " is another file;";
            else if (one.counts ? ::read(one.number, &count, sizeof count) != -1 : about.st_size != 0)
                wrong << ' ' << one.number << " was written to;";
        }
        return wrong.str();
    }

private:
    struct file {
        int number;
        ino_t inode;
        bool counts;
    };
    std::vector<file> all_;
};

// A member of a segment that has one of each object that takes descriptors.
struct member {
    explicit member(const std::string& name) : where(ss::segment::open(name))
    {
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("no socket pair");
        socket = ss::shared_socket::adopt(where, ends[0]);
        event  = std::make_unique<ss::event_object>();
        socket.event_select(*event, ss::network_event::read);
        other_event = std::make_unique<ss::event_object>();
        where.native_handle();
        ss::hand_over_handle(where);
        kept = socket.duplicate(where.self()); // a message in this process's mailbox, by a connection that stays
    }
    void drop()
    {
        socket = {};
        event.reset();
        other_event.reset();
        where = {};
    }

    ss::segment where;
    int ends[2] = {-1, -1};
    ss::shared_socket socket;
    std::unique_ptr<ss::event_object> event, other_event;
    ss::ticket kept;
};

std::string word(const ss::error_code& ec) { return !ec ? "ok" : ec == ss::errc::identity_lost ? "identity_lost" : ec.message(); }

// A whole use of a segment, from opening it.
std::string use_anew(const std::string& name)
{
    ss::segment where = ss::segment::open(name);
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return "no socket pair";
    ss::shared_socket socket = ss::shared_socket::adopt(where, ends[0]);
    ss::event_object event;
    socket.event_select(event, ss::network_event::read);
    ss::shared_socket again = ss::shared_socket::redeem(where, socket.duplicate(where.self()));
    if (::send(ends[1], "x", 1, 0) != 1) return "nothing was sent";
    event.wait();
    std::byte byte{};
    if (again.receive(std::span(&byte, 1)) != 1) return "nothing came";
    ::close(ends[1]);
    return "ok";
}

using first_call = std::function<std::string(member&)>;

const std::map<std::string, first_call>& first_calls()
{
    static const std::map<std::string, first_call> all = {
        {"duplicate",
         [](member& of) {
             ss::error_code ec;
             of.socket.duplicate(of.where.self(), ec);
             return word(ec);
         }},
        {"handles",
         [](member& of) {
             ss::error_code ec;
             of.socket.handles(ec);
             return word(ec);
         }},
        {"event_select",
         [](member& of) {
             ss::error_code ec;
             of.socket.event_select(*of.event, ss::network_event::write, {}, ec);
             return word(ec);
         }},
        {"redeem",
         [](member& of) {
             ss::error_code ec;
             ss::shared_socket::redeem(of.where, of.kept, ec);
             return word(ec);
         }},
        {"publish",
         [](member& of) {
             ss::error_code ec;
             of.where.publish("name", of.socket, ec);
             return word(ec);
         }},
        {"receive_hand_over",
         [](member& of) {
             ss::error_code ec;
             ss::receive_hand_over(of.where, ec);
             return word(ec);
         }},
        {"poll, then close",
         [](member& of) {
             of.where.poll();
             ss::error_code ec;
             of.socket.close(ec);
             return word(ec);
         }},
    };
    return all;
}

const std::map<std::string, std::pair<unsigned, unsigned>>& closed_ranges()
{
    static const std::map<std::string, std::pair<unsigned, unsigned>> all = {{"from 3 on", {3, ~0u}}, {"from 100 on", {100, ~0u}}};
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

std::set<int> open_numbers()
{
    std::set<int> all;
    for (int number = 3; number < 1024; ++number)
        if (::fcntl(number, F_GETFD) != -1) all.insert(number);
    return all;
}

} // namespace

TEST_CASE("after other code closed the descriptors the first call says identity_lost, and nothing of the program is touched",
          "[fault-96]")
{
    const home place;
    for (const auto& [how, range] : closed_ranges())
        for (const auto& [what, call] : first_calls()) {
            INFO(what << " after all were closed " << how);
            CHECK(test::in_child([&] {
                      member old(place.name);
                      ::syscall(SYS_close_range, range.first, range.second, 0);
                      const program_files files(64);
                      std::string said = call(old);
                      old.event->wait(std::chrono::milliseconds(1));
                      old.other_event->set();
                      old.other_event->reset();
                      said += files.check() + ", anew " + use_anew(place.name) + files.check();
                      old.drop();
                      return said + files.check() + ", and again " + use_anew(place.name) + files.check();
                  }) == "identity_lost, anew ok, and again ok");
        }
}

TEST_CASE("a registration that changes nothing touches no closed descriptor, and one that changes something says identity_lost",
          "[fault-96]")
{
    const home place;
    for (const auto& [how, range] : closed_ranges()) {
        INFO("all were closed " << how);
        CHECK(test::in_child([&] {
                  member old(place.name);
                  ::syscall(SYS_close_range, range.first, range.second, 0);
                  const program_files files(64);
                  ss::error_code ec;
                  old.socket.event_select(*old.event, ss::network_event::read, {}, ec); // as it is: says nothing, or what is true
                  std::string said = !ec || ec == ss::errc::identity_lost ? "" : ec.message();
                  old.socket.event_select(*old.event, ss::network_event::read | ss::network_event::write, {}, ec);
                  said += word(ec) + files.check();
                  old.drop();
                  return said + files.check();
              }) == "identity_lost");
    }
}

TEST_CASE("a segment is opened anew before any old object has noticed a loss, and the old ones leave its descriptors alone",
          "[fault-96]")
{
    const home place;
    for (const auto& [how, range] : closed_ranges()) {
        INFO("all were closed " << how);
        CHECK(test::in_child([&] {
                  auto old = std::make_unique<member>(place.name);
                  ::syscall(SYS_close_range, range.first, range.second, 0);
                  const auto left = open_numbers();
                  member fresh(place.name); // gets the numbers that the old member believes to have
                  const auto with_fresh = open_numbers();
                  old->drop();
                  old.reset();
                  for (const int number : with_fresh)
                      if (!left.contains(number) && ::fcntl(number, F_GETFD) == -1)
                          return "the old one has closed " + std::to_string(number);
                  ss::error_code ec;
                  const ss::ticket made = fresh.socket.duplicate(fresh.where.self(), ec);
                  if (!ec) ss::shared_socket::redeem(fresh.where, made, ec);
                  if (::send(fresh.ends[1], "x", 1, 0) != 1) return std::string("nothing was sent");
                  fresh.event->wait();
                  return word(ec);
              }) == "ok");
    }
}

TEST_CASE("a process that has kept its lock files and lost its other descriptors says identity_lost within a second or so",
          "[fault-96]")
{
    const home place;
    CHECK(test::in_child([&] {
              member old(place.name);
              ::syscall(SYS_close_range, 3, 511, 0);
              const program_files files(64);
              ss::error_code ec;
              for (const test::deadline end; !end.passed() && ec != ss::errc::identity_lost;)
                  old.socket.handles(ec);
              const std::string said = word(ec) + files.check() + ", anew " + use_anew(place.name) + files.check();
              old.drop();
              return said + files.check();
          }) == "identity_lost, anew ok");
}

TEST_CASE("whichever one descriptor of the library other code has closed, the program's file in its place stays open to the end",
          "[fault-96]")
{
    const home place;
    const std::string count = test::in_child([&] {
        const auto before = open_numbers();
        member one(place.name);
        return std::to_string(open_numbers().size() - before.size());
    });
    REQUIRE(std::stoi(count) > 10);
    for (int which = 0; which < std::stoi(count); ++which) {
        INFO("descriptor " << which);
        CHECK(test::in_child([&] {
                  const auto before = open_numbers();
                  member one(place.name);
                  std::vector<int> made;
                  for (const int number : open_numbers())
                      if (!before.contains(number) && number != one.ends[1]) made.push_back(number);
                  if (static_cast<std::size_t>(which) >= made.size()) return std::string();
                  const int number  = made[static_cast<std::size_t>(which)];
                  const int program = static_cast<int>(::memfd_create("program", 0));
                  ::dup3(program, number, 0); // closes the library's
                  struct stat about {
                  }, now{};
                  ::fstat(program, &about);
                  ss::error_code ec;
                  one.socket.duplicate(one.where.self(), ec);
                  one.drop();
                  if (::fstat(number, &now) != 0) return "closed: " + std::to_string(number);
                  return std::string(now.st_ino == about.st_ino && now.st_size == 0 ? "" : "another file, or written to");
              }) == "");
    }
}

TEST_CASE("a lock file that other code opens and closes makes no descriptor leak at the end", "[fault-96]")
{
    const home place;
    CHECK(test::in_child([&] {
              const std::size_t before = test::open_descriptors();
              {
                  member one(place.name);
                  const std::string path = "/dev/shm/sharedsock." + std::to_string(::geteuid()) + '.' + place.name + "/life.0";
                  ::close(::open(path.c_str(), O_RDWR | O_CLOEXEC));
                  one.drop();
                  ::close(one.ends[1]);
              }
              return std::to_string(static_cast<long>(test::open_descriptors()) - static_cast<long>(before));
          }) == "0");
}
