// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The directory for segments is small, missing or read-only, as in containers: each call says so, and what to do.
#include "support/catch.hpp"
#include "support/in_child.hpp"
#include "support/skip.hpp"
#include "support/unique_name.hpp"

#include <sharedsock/sharedsock.hpp>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>

namespace fs = std::filesystem;
namespace ss = sharedsock;

namespace {

void check(bool good, const char* what)
{
    if (!good) throw std::system_error(errno, std::generic_category(), what);
}

// The result of `what` in a process with a /dev/shm of its own.
std::string with_shm(unsigned long flags, const char* options, const std::function<std::string()>& what)
{
    return test::in_child([&] {
        check(::unshare(CLONE_NEWNS) == 0, "unshare");
        check(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "mount /");
        check(::mount("none", "/dev/shm", "tmpfs", flags, options) == 0, "mount /dev/shm");
        return what();
    });
}

bool may_mount()
{
    if (with_shm(0, "size=64k", [] { return "yes"; }) == "yes") return true;
    test::skip("this process may not mount a tmpfs");
    return false;
}

std::string told(const ss::error_code& ec, ss::errc expected, const std::string& words)
{
    return ec == expected && ec.message().find(words) != std::string::npos ? "told" : "said: " + ec.message();
}

std::string files_left() { return std::to_string(std::distance(fs::directory_iterator("/dev/shm"), {})) + " files"; }

} // namespace

TEST_CASE("a /dev/shm that is too small for the segment is an error that says how to make it larger, and nothing is left",
          "[fault-177]")
{
    if (!may_mount()) return;
    CHECK(with_shm(0, "size=64k", [] {
              ss::error_code ec;
              ss::segment::create("home", {}, ec);
              return told(ec, ss::errc::directory_full, "--shm-size") + ", " + files_left();
          }) == "told, 0 files");
    CHECK(with_shm(0, "size=64k,nr_inodes=3", [] {
              ss::error_code ec;
              ss::segment::create("home", {.sockets = 4, .processes = 2}, ec);
              return told(ec, ss::errc::directory_full, "--shm-size");
          }) == "told");
}

TEST_CASE("a segment in a /dev/shm of 64 KiB works until its memory is full, and says so then", "[fault-177]")
{
    if (!may_mount()) return;
    CHECK(with_shm(0, "size=64k", [] {
              const ss::segment home =
                  ss::segment::create("home", {.sockets = 1'000, .processes = 4, .handles = 1'000, .names = 8});
              std::vector<ss::shared_socket> all;
              ss::error_code ec;
              while (!ec)
                  all.push_back(ss::shared_socket::open(home, AF_INET, SOCK_DGRAM, 0, ec));
              all.pop_back();
              std::string result = told(ec, ss::errc::directory_full, "--shm-size");
              if (all.empty()) return std::string("no socket could be made");
              if (home.capacity().sockets.used != all.size()) return std::string("a socket was lost");
              all.back().set_blocking(false); // each socket that was made is as good as before
              all.pop_back();
              all.push_back(ss::shared_socket::open(home, AF_INET, SOCK_DGRAM)); // in the place of the one that was closed
              return result;
          }) == "told");
}

TEST_CASE("a /dev/shm that is mounted read-only is an error that says so", "[fault-178]")
{
    if (!may_mount()) return;
    CHECK(with_shm(MS_RDONLY, "", [] {
              ss::error_code ec;
              ss::segment::create("home", {}, ec);
              std::string result = told(ec, ss::errc::directory_read_only, "segment_options::directory");
              ss::segment::create_unnamed({}, ec);
              result += ", " + told(ec, ss::errc::directory_read_only, "segment_options::directory");
              ss::segment::open("home", {}, ec);
              return result + ", " + told(ec, ss::errc::segment_not_found, "create it");
          }) == "told, told, told");
}

TEST_CASE("a directory for segments that does not exist is an error that says so", "[fault-178]")
{
    ss::segment_options options;
    options.directory = (fs::temp_directory_path() / test::unique_name()).string();
    ss::error_code ec;
    ss::segment::create("home", options, ec);
    CHECK(told(ec, ss::errc::directory_not_found, "segment_options::directory") == "told");
    ss::segment::open("home", options, ec);
    CHECK(told(ec, ss::errc::directory_not_found, "segment_options::directory") == "told");
    ss::segment::open_or_create("home", options, ec);
    CHECK(told(ec, ss::errc::directory_not_found, "segment_options::directory") == "told");
    ss::segment::create_unnamed(options, ec);
    CHECK(told(ec, ss::errc::directory_not_found, "segment_options::directory") == "told");
    ss::segment::remove("home", options, false, ec);
    CHECK(told(ec, ss::errc::directory_not_found, "segment_options::directory") == "told");
    CHECK(ec == std::errc::no_such_file_or_directory);
}
