// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The one weakness of the kernel's byte lock: other code of the process can drop it (liveness_lock.hpp). The process notices at its
// tick or at its next call, and takes the byte anew; or, if other processes have swept it meanwhile, it says so.
#include "attach/handle.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "support/role.hpp"
#include "support/scratch_segment.hpp"

#include <chrono>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace fs = std::filesystem;
namespace ss = sharedsock;
using namespace std::chrono_literals;

namespace {

std::string word(const ss::error_code& ec)
{
    return ec ? ec == ss::errc::identity_lost && ec == std::errc::identifier_removed ? "identity_lost" : ec.message() : "ok";
}

// A process with one shared socket, whose events it owns.
struct careless {
    explicit careless(const std::string& name) : segment(ss::segment::open(name)), pair(segment)
    {
        segment.native_handle(); // this process serves
        ss::select_options options;
        options.tell_loss = true;
        pair.socket.event_select(event, ss::network_event::read, options);
    }

    // Does as a program does that looks into all files of a directory.
    void open_and_close_lock_file(const std::string& path) { ::close(::open(path.c_str(), O_RDONLY | O_CLOEXEC)); }

    // Serves for the time of two ticks: if another event woke it first, one tick has passed all the same.
    std::string tick()
    {
        for (const test::deadline end(2s); !end.passed();) {
            pollfd serving{segment.native_handle(), POLLIN, 0};
            if (::poll(&serving, 1, 100) == 1) segment.poll();
        }
        return "ok";
    }

    std::string use()
    {
        ss::error_code ec;
        ss::ticket made = pair.socket.duplicate(segment.self(), ec);
        if (!ec) ss::shared_socket::redeem(segment, made, ec);
        return word(ec);
    }

    // Does as a call does that had read its own identity before others took the process for dead.
    std::string reserve()
    {
        ss::error_code ec;
        const auto reserved = ss::detail::handle::reserve(segment.attachment(), member, pair.socket.impl()->socket());
        reserved->member(ec);
        return word(ec);
    }

    ss::segment segment;
    ss::detail::membership& member = *segment.attachment()->member();
    test::connection pair;
    ss::event_object event;
};

} // namespace

SHAREDSOCK_CHILD_ROLE(careless)
{
    careless self(role.args.at(0));
    role.say("ready");
    return role.serve({
        {"lose", [&](const std::string& path) { return self.open_and_close_lock_file(path), "ok"; }},
        {"tick", [&](const std::string&) { return self.tick(); }},
        {"use", [&](const std::string&) { return self.use(); }},
        {"quiet",
         [&](const std::string&) {
             pollfd serving{self.segment.native_handle(), POLLIN, 0};
             return ::poll(&serving, 1, 1500) == 0 ? "yes" : "no";
         }},
        {"reserve", [&](const std::string&) { return self.reserve(); }},
        {"handles",
         [&](const std::string&) {
             ss::error_code ec;
             return self.pair.socket.handles(ec).empty() ? word(ec) : "some";
         }},
        {"told", [&](const std::string&) { return self.event.is_set() ? "yes" : "no"; }},
        {"send",
         [&](const std::string&) {
             ss::error_code ec;
             self.pair.socket.send(std::as_bytes(std::span("x", 1)), 0, ec);
             return word(ec);
         }},
        {"again",
         [&](const std::string& name) {
             ss::segment anew = ss::segment::open(name);
             test::connection other(anew);
             other.say("?");
             std::byte byte{};
             return other.socket.receive(std::span(&byte, 1)) == 1 && byte == std::byte{0x3f} ? "ok" : "nothing came";
         }},
        {"close_all",
         [&](const std::string&) {
             ::syscall(SYS_close_range, 512, ~0U, 0); // the lock files are up there
             return "ok";
         }},
    });
}

namespace {

struct fixture {
    fixture() { child.wait_for("ready"); }

    std::string lock_file() const
    {
        for (const fs::directory_entry& one : fs::directory_iterator("/dev/shm"))
            if (const fs::path path = one.path(); path.string().ends_with("." + home.name())) return path / "life.0";
        return "no segment directory";
    }

    test::scratch_segment home;
    test::child_process child{"careless", {home.name()}};
};

} // namespace

TEST_CASE("a byte that other code has dropped is taken anew at the tick, before another process misses it", "[fault-29]")
{
    fixture f;
    REQUIRE(fs::exists(f.lock_file()));
    REQUIRE(f.child.ask("lose " + f.lock_file()) == "ok");
    CHECK(f.child.ask("tick") == "ok");
    CHECK(f.home->sweep() == 0);
    CHECK(f.home->processes().size() == 2);
    CHECK(f.child.ask("use") == "ok");
    CHECK(f.child.ask("told") == "no");
}

TEST_CASE("a process that was swept because other code had dropped its byte is told, and may begin anew", "[fault-29]")
{
    fixture f;
    REQUIRE(f.child.ask("lose " + f.lock_file()) == "ok");
    REQUIRE(f.home->sweep() == 1);
    SECTION("at its tick")
    {
        CHECK(f.child.ask("tick") == "ok");
        CHECK(f.child.ask("send") == "identity_lost");
    }
    SECTION("at a call of its own, within a second")
    {
        CHECK(test::eventually([&] { return f.child.ask("use") == "identity_lost"; }));
    }
    CHECK(f.child.ask("use") == "identity_lost");
    CHECK(f.child.ask("handles") == "identity_lost");
    CHECK(f.child.ask("reserve") == "identity_lost");
    CHECK(f.child.ask("send") == "identity_lost");
    CHECK(f.child.ask("told") == "yes");  // of the loss of its registration (G3)
    CHECK(f.child.ask("quiet") == "yes"); // the serving loop does not spin
    CHECK(f.child.ask("again " + f.home.name()) == "ok");
    CHECK(f.home->processes().size() == 1);
    f.child.kill(SIGTERM);
    f.child.wait();
    CHECK(f.home->sweep() == 0);
}

TEST_CASE("a process whose descriptors were all closed is told that its identity is lost", "[fault-28]")
{
    fixture f;
    REQUIRE(f.child.ask("close_all") == "ok");
    CHECK(test::eventually([&] { return f.child.ask("use") == "identity_lost"; }));
    CHECK(f.child.ask("told") == "yes");
    CHECK(test::eventually([&] { return f.home->sweep() == 1; }));
    CHECK(f.home->processes().size() == 1);
}
