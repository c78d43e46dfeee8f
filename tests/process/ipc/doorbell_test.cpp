// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "ipc/doorbell.hpp"

#include "layout/layout.hpp"
#include "process/ipc/post_office.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/descriptors.hpp"
#include "support/unique_name.hpp"

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using sharedsock::errc;
using sharedsock::error_code;
using sharedsock::detail::doorbells;
using sharedsock::detail::unique_fd;
using test::open_directory;
using rung = doorbells::rung;
using ids  = std::vector<std::uint32_t>;

namespace {

constexpr std::uint32_t processes     = 16;
constexpr std::uint32_t ids_in_a_bell = 16'384;

// A directory as segments have it, and one process's side of its doorbells.
struct tower {
    test::scratch_directory scratch;
    unique_fd directory = open_directory(scratch.path());
    doorbells bells{directory.get(), processes};

    std::string path(std::uint32_t index) const { return scratch.path() / ("bell." + std::to_string(index)); }
    void hang(std::uint32_t self)
    {
        error_code ec;
        bells.hang(self, ec);
        REQUIRE_FALSE(ec);
    }
};

ids answer(doorbells& bells, std::size_t room = 64)
{
    ids heard(room);
    heard.resize(bells.answer(heard));
    return heard;
}

bool rings(const doorbells& bells)
{
    pollfd bell{bells.native_handle(), POLLIN, 0};
    return ::poll(&bell, 1, 0) == 1 && bell.revents == POLLIN;
}

std::string word(rung result) { return result == rung::yes ? "yes" : result == rung::overflow ? "overflow" : "nobody"; }

} // namespace

// Arguments: directory, index of the role's process. Verbs: hang, answer, ring <index> <id>.
SHAREDSOCK_CHILD_ROLE(ringer)
{
    const unique_fd directory = open_directory(role.args.at(0));
    const auto self           = static_cast<std::uint32_t>(std::stoul(role.args.at(1)));
    doorbells bells(directory.get(), processes);
    return role.serve({
        {"hang",
         [&](const std::string&) {
             error_code ec;
             bells.hang(self, ec);
             return ec ? ec.message() : "hung";
         }},
        {"answer",
         [&](const std::string&) {
             std::string text;
             for (const auto id : answer(bells)) {
                 text += std::to_string(id) + " ";
             }
             return text;
         }},
        {"ring",
         [&](const std::string& rest) {
             const auto space = rest.find(' ');
             return word(bells.ring(static_cast<std::uint32_t>(std::stoul(rest)),
                                    static_cast<std::uint32_t>(std::stoul(rest.substr(space)))));
         }},
    });
}

TEST_CASE("a doorbell wakes its owner and names the rung sockets, in order")
{
    tower here;
    CHECK(here.bells.native_handle() == -1);
    here.hang(3);
    CHECK_FALSE(rings(here.bells));
    CHECK(answer(here.bells).empty());

    test::child_process ringer("ringer", {here.scratch.path(), "4"});
    CHECK(ringer.ask("ring 3 70") == "yes");
    CHECK(ringer.ask("ring 3 71") == "yes");
    CHECK(rings(here.bells));
    CHECK(answer(here.bells) == ids{70, 71});
    CHECK_FALSE(rings(here.bells));

    CHECK(ringer.ask("hang") == "hung");
    CHECK(here.bells.ring(4, 72) == rung::yes);
    CHECK(ringer.ask("answer") == "72 ");
}

TEST_CASE("a doorbell is read in parts if the room is small")
{
    tower here;
    here.hang(0);
    for (std::uint32_t id = 0; id < 5; ++id) {
        REQUIRE(here.bells.ring(0, id) == rung::yes);
    }
    CHECK(answer(here.bells, 0).empty());
    CHECK(answer(here.bells, 3) == ids{0, 1, 2});
    CHECK(answer(here.bells, 3) == ids{3, 4});
}

TEST_CASE("a ring to a doorbell that was never opened, or to an index out of range, is not heard")
{
    tower here;
    CHECK(here.bells.ring(5, 1) == rung::nobody);
    CHECK(here.bells.ring(processes, 1) == rung::nobody);
    CHECK(here.bells.ring(sharedsock::detail::no_index, 1) == rung::nobody);
    CHECK_FALSE(std::filesystem::exists(here.path(5)));

    error_code ec;
    here.bells.hang(processes, ec);
    CHECK(ec == boost::system::errc::invalid_argument);
}

TEST_CASE("a doorbell that is opened after a failed ring hears the next one")
{
    tower here;
    REQUIRE(here.bells.ring(5, 1) == rung::nobody);
    test::child_process other("ringer", {here.scratch.path(), "5"});
    REQUIRE(other.ask("hang") == "hung");
    CHECK(here.bells.ring(5, 1) == rung::yes);
    CHECK(other.ask("answer") == "1 ");
}

TEST_CASE("a ring survives the death of the process that rang", "[G7]")
{
    tower here;
    here.hang(0);
    test::child_process ringer("ringer", {here.scratch.path(), "1"});
    REQUIRE(ringer.ask("ring 0 9") == "yes");
    ringer.kill(SIGKILL);
    REQUIRE(ringer.wait() == -SIGKILL);
    CHECK(rings(here.bells));
    CHECK(answer(here.bells) == ids{9});
}

TEST_CASE("ringing the doorbell of a dead process raises no SIGPIPE, and the next incarnation finds it empty", "[fault-71]")
{
    tower here;
    test::child_process first("ringer", {here.scratch.path(), "1"});
    REQUIRE(first.ask("hang") == "hung");
    test::child_process ringer("ringer", {here.scratch.path(), "2"}); // with SIGPIPE as it is by default
    REQUIRE(ringer.ask("ring 1 5") == "yes");
    first.kill(SIGKILL);
    REQUIRE(first.wait() == -SIGKILL);

    CHECK(ringer.ask("ring 1 6") == "yes");
    here.hang(1);
    CHECK(answer(here.bells).empty());
    CHECK(ringer.ask("ring 1 7") == "yes"); // by the descriptor it had before
    CHECK(answer(here.bells) == ids{7});
}

TEST_CASE("a full doorbell overflows without blocking, still wakes, and works once it is emptied", "[fault-44]")
{
    tower here;
    here.hang(0);
    for (std::uint32_t id = 0; id < ids_in_a_bell; ++id) {
        REQUIRE(here.bells.ring(0, id) == rung::yes);
    }
    CHECK(here.bells.ring(0, 1) == rung::overflow);
    CHECK(rings(here.bells));

    ids all(ids_in_a_bell);
    std::iota(all.begin(), all.end(), 0u);
    CHECK(answer(here.bells, 2 * ids_in_a_bell) == all);
    CHECK_FALSE(rings(here.bells));
    CHECK(here.bells.ring(0, 1) == rung::yes);
}

TEST_CASE("half an id in a doorbell makes its owner look at everything", "[G10]")
{
    tower here;
    here.hang(0);
    const unique_fd enemy(::open(here.path(0).c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    REQUIRE(::write(enemy.get(), "x", 1) == 1);
    REQUIRE(here.bells.ring(0, 5) == rung::yes);
    const ids heard = answer(here.bells);
    CHECK(std::count(heard.begin(), heard.end(), sharedsock::detail::no_index) == 1);
    REQUIRE(here.bells.ring(0, 6) == rung::yes);
    CHECK(answer(here.bells) == ids{6});
}

TEST_CASE("a doorbell has its mode whatever the umask, and is opened once", "[fault-62]")
{
    tower here;
    const mode_t before = ::umask(0777);
    here.hang(0);
    ::umask(0);
    doorbells open_minded(here.directory.get(), processes);
    error_code ec;
    open_minded.hang(1, ec);
    ::umask(before);
    REQUIRE_FALSE(ec);
    for (const std::uint32_t index : {0u, 1u}) {
        struct stat what {};
        REQUIRE(::stat(here.path(index).c_str(), &what) == 0);
        CHECK(what.st_mode == (S_IFIFO | 0666));
    }

    REQUIRE(here.bells.ring(0, 8) == rung::yes);
    here.hang(0);
    CHECK(answer(here.bells) == ids{8}); // not emptied again
}

TEST_CASE("a doorbell's path that is no FIFO is not rung, opened or followed", "[fault-63]")
{
    tower here;
    std::ofstream(here.path(1)) << "a file";
    std::filesystem::create_symlink(here.path(1), here.path(2));
    error_code ec;
    here.bells.hang(1, ec);
    CHECK(ec == errc::segment_damaged);
    here.bells.hang(2, ec);
    CHECK(ec == boost::system::errc::too_many_symbolic_link_levels);
    CHECK(here.bells.ring(1, 65) == rung::nobody);
    CHECK(here.bells.ring(2, 65) == rung::nobody);
    CHECK(std::filesystem::file_size(here.path(1)) == 6);
}

TEST_CASE("a full descriptor table loses no ring of a doorbell", "[fault-41]")
{
    tower here;
    here.hang(0);
    test::child_process other("ringer", {here.scratch.path(), "1"});
    REQUIRE(other.ask("hang") == "hung");

    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    std::vector<unique_fd> hoard;
    const rlimit few{64, before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
    for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) {
        hoard.emplace_back(fd);
    }
    const rung first  = here.bells.ring(1, 5);
    const rung second = here.bells.ring(1, 6);
    const rung nobody = here.bells.ring(2, 7);
    hoard.clear();
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);

    CHECK(first == rung::yes);
    CHECK(second == rung::yes);
    CHECK(nobody == rung::nobody);
    CHECK(other.ask("answer") == "5 6 ");
}

TEST_CASE("a doorbell costs each process that rings one descriptor, which is closed on exec and at the end")
{
    tower here;
    here.hang(0);
    const std::size_t before = test::open_descriptors();
    {
        doorbells ringer(here.directory.get(), processes);
        REQUIRE(ringer.ring(0, 1) == rung::yes);
        REQUIRE(ringer.ring(0, 2) == rung::yes);
        CHECK(test::open_descriptors() == before + 1);
    }
    CHECK(test::open_descriptors() == before);
    CHECK((::fcntl(here.bells.native_handle(), F_GETFD) & FD_CLOEXEC) != 0);
}

// Forks in a child, because fork(2) in a test process would copy the reporter. The grandchild's exit code says what it saw.
SHAREDSOCK_CHILD_ROLE("rings after a fork")
{
    const unique_fd directory = open_directory(role.args.at(0));
    doorbells bells(directory.get(), processes);
    error_code ec;
    bells.hang(1, ec);
    const bool kept     = bells.ring(0, 1) == rung::yes;
    const pid_t process = ::fork();
    if (process == 0) {
        bells.abandon();
        bool well = bells.native_handle() == -1 && bells.ring(0, 2) == rung::yes && bells.ring(1, 3) == rung::yes;
        bells.hang(2, ec);
        well = well && !ec && bells.ring(2, 4) == rung::yes && answer(bells) == ids{4};
        ::_exit(well ? 0 : 1);
    }
    int status = -1;
    ::waitpid(process, &status, 0);
    role.say(kept && answer(bells) == ids{3} ? std::to_string(status) : "the parent's bell was lost");
    return 0;
}

TEST_CASE("a forked child keeps its ways to others, leaves the parent's doorbell alone and opens its own", "[fault-24]")
{
    tower here;
    here.hang(0);
    test::child_process parent("rings after a fork", {here.scratch.path()});
    CHECK(parent.line() == "0");
    CHECK(answer(here.bells) == ids{1, 2});
}
