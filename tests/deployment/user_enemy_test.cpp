// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Another user, who may not attach, and an attached process that has become another user, against the rest.
#include "deployment/deployed_peer.hpp"
#include "support/catch.hpp"
#include "support/in_child.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/sharedsock.hpp>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace ss = sharedsock;
namespace fs = std::filesystem;
using test::deployed_peer;

namespace {

bool become_nobody() { return ::setgroups(0, nullptr) == 0 && ::setgid(test::nobody) == 0 && ::setuid(test::nobody) == 0; }

bool connects(const fs::path& path)
{
    const int one = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    const bool done = ::connect(one, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(one);
    return done;
}

} // namespace

TEST_CASE("another user reaches no file of a segment, whatever its own mode is", "[fault-137]")
{
    if (test::skipped_without_root()) return;
    ss::segment_options options{.sockets = 64, .processes = 8};
    if (GENERATE(false, true)) options.group = test::www;
    test::scratch_segment segment(options);
    deployed_peer member(segment.name(), options);
    REQUIRE(member.ask("listener l") != "");
    REQUIRE(member.ask("event e") == "ok");
    REQUIRE(member.ask("event_select l e accept") == "ok");
    const fs::path directory = "/dev/shm/sharedsock.0." + segment.name();
    std::vector<fs::path> files;
    for (const auto& one : fs::recursive_directory_iterator(directory))
        files.push_back(one.path());
    REQUIRE(files.size() == 7); // memory, life.0, bell.all, ways, two mailboxes, a doorbell
    CHECK(test::in_child([&] {
              if (!become_nobody()) return std::string("may not");
              std::string reached;
              for (const fs::path& file : files) {
                  const bool opened  = ::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC) >= 0 || errno != EACCES;
                  const bool written = ::open(file.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC) >= 0 || errno != EACCES;
                  if (opened || written || connects(file) || ::unlink(file.c_str()) == 0) reached += file.string() + " ";
              }
              if (::mkfifo((directory / "ways" / "bell.5").c_str(), 0666) == 0) reached += "made a file ";
              if (::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0) reached += "opened the directory ";
              if (::rename(directory.c_str(), (directory.string() + "x").c_str()) == 0) reached += "renamed ";
              return reached;
          }) == "");
}

TEST_CASE("a process of the group may make files in the ways and nowhere else", "[fault-137]")
{
    if (test::skipped_without_root()) return;
    ss::segment_options options{.sockets = 64, .processes = 8};
    options.group = test::www;
    test::scratch_segment segment(options);
    const fs::path directory = "/dev/shm/sharedsock.0." + segment.name();
    CHECK(test::in_child([&] {
              const gid_t www = test::www;
              if (::setgroups(1, &www) != 0 || ::setgid(test::nobody) != 0 || ::setuid(test::nobody) != 0)
                  return std::string("may not");
              std::string done;
              for (const char* file : {"memory", "life.0", "bell.all"})
                  if (::unlink((directory / file).c_str()) == 0) done += file;
              if (::rmdir((directory / "ways").c_str()) == 0) done += "ways";
              if (::mkfifo((directory / "more").c_str(), 0666) == 0) done += "more";
              if (::chmod((directory / "memory").c_str(), 0666) == 0) done += "chmod";
              return done;
          }) == "");
}

TEST_CASE("an attached process of another user leads the others to no file of its choice", "[fault-138]")
{
    if (test::skipped_without_root()) return;
    test::scratch_segment segment;
    const test::scratch_directory outside;
    const fs::path target = outside.path() / "precious";
    std::ofstream(target) << "text";
    REQUIRE(::chmod(target.c_str(), 0600) == 0);
    const fs::path ways = "/dev/shm/sharedsock.0." + segment.name() + "/ways";
    // As such a process could: links under the names that the next process, index 1, uses.
    fs::create_symlink(target, ways / "bell.1");
    fs::create_symlink(target, ways / "box.1");

    deployed_peer next(segment.name());
    REQUIRE(next.answer() == "ready"); // the mailbox replaces the link
    REQUIRE(next.ask("listener l") != "");
    REQUIRE(next.ask("event e") == "ok");
    CHECK(next.ask("event_select l e accept").find("error") == 0); // and the doorbell is refused
    struct stat about {};
    REQUIRE(::stat(target.c_str(), &about) == 0);
    CHECK((about.st_mode & 07777) == 0600);
    CHECK(about.st_size == 4);

    // A mailbox's name that leads to another listener: nothing is sent there.
    fs::remove(ways / "box.1");
    const fs::path trap = outside.path() / "trap";
    const int listener  = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, trap.c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener, 4) == 0);
    fs::create_symlink(trap, ways / "box.1");
    test::connection pair(segment);
    ss::error_code ec;
    pair.socket.duplicate(segment->find_process(next.process().pid()).value(), ec);
    CHECK(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC) == -1);
    ::close(listener);
}

TEST_CASE("a message of a user whose processes are not attached is dropped, also where the ways are open to it", "[fault-137]")
{
    if (test::skipped_without_root()) return;
    test::scratch_segment segment;
    const fs::path directory = "/dev/shm/sharedsock.0." + segment.name();
    REQUIRE(::chmod(directory.c_str(), 0711) == 0);
    CHECK(test::in_child([&] {
              if (!become_nobody()) return std::string("may not");
              return std::string(connects(directory / "ways" / "box.0") ? "connected" : "refused");
          }) == "connected");
    segment->poll();
    REQUIRE(::chmod(directory.c_str(), 0700) == 0);
    // A process of that user that is attached is let in.
    deployed_peer member(segment.name());
    REQUIRE(member.ask("become 65534") == "ok");
    REQUIRE(member.ask("listener l") != "");
    CHECK(member.ask("duplicate l " + std::to_string(::getpid())).find("error") == std::string::npos);
    segment->poll();
    CHECK(segment->waiting_tickets().size() == 1);
}
