// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "process/ipc/post_office.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/descriptors.hpp"

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace test;

namespace {

std::string word(const error_code& ec)
{
    return !ec ? "sent" : ec == errc::target_gone ? "target_gone" : ec == errc::mailbox_full ? "mailbox_full" : ec.message();
}

} // namespace

// Arguments: directory, index of the role's process. `offer <to>` sends one end of a socket pair, "far" says whether the kept end
// has a peer that answers; `take` receives a message, says its nonce and writes an "x" into its descriptor.
SHAREDSOCK_CHILD_ROLE(correspondent)
{
    const unique_fd directory = open_directory(role.args.at(0));
    const auto self           = static_cast<std::uint32_t>(std::stoul(role.args.at(1)));
    peers_of_one_user peers;
    mailbox box(directory.get(), peers);
    error_code ec;
    box.open(self, ec);
    role.say(ec ? ec.message() : "ready");

    const auto number = [](const std::string& text) { return static_cast<std::uint32_t>(std::stoul(text)); };
    return role.serve({
        {"offer",
         [&](const std::string& to) {
             const socket_pair pair;
             const mail_message text             = offer_of(pair.near.get(), self);
             [[maybe_unused]] const auto written = ::write(pair.far.get(), "from the dead", 13);
             box.send(number(to), text, pair.near.get(), ec);
             return word(ec);
         }},
        {"request",
         [&](const std::string& to) {
             box.send(number(to), request(self), -1, ec);
             return word(ec);
         }},
        {"take",
         [&](const std::string&) {
             const auto arrived = box.receive(ec);
             if (!arrived) {
                 return ec ? ec.message() : "nothing";
             }
             if (arrived->descriptor) {
                 [[maybe_unused]] const auto written = ::write(arrived->descriptor.get(), "x", 1);
             }
             return std::to_string(arrived->text.nonce);
         }},
        {"close",
         [&](const std::string&) {
             box.close(self);
             return std::string("closed");
         }},
        {"reopen",
         [&](const std::string&) {
             box.open(self, ec);
             return ec ? ec.message() : "ready";
         }},
    });
}

TEST_CASE("a message brings its words and its socket to another process", "[DUP-2]")
{
    post_office here;
    test::child_process other("correspondent", {here.scratch.path(), "1"});
    other.wait_for("ready");
    const socket_pair pair;

    REQUIRE_FALSE(here.send(1, offer_of(pair.near.get(), 77), pair.near.get()));
    CHECK(other.ask("take") == "77");
    char byte = 0;
    CHECK(::recv(pair.far.get(), &byte, 1, MSG_DONTWAIT) == 1);
    CHECK(other.ask("take") == "nothing");

    REQUIRE(other.ask("request 0") == "sent");
    CHECK(readable(here.box.native_handle()));
    const auto arrived = here.next();
    REQUIRE(arrived);
    CHECK(arrived->text.what == mail_message::kind::request);
    CHECK(arrived->text.nonce == 1);
    CHECK_FALSE(arrived->descriptor);
    CHECK_FALSE(here.next());
    CHECK_FALSE(readable(here.box.native_handle()));
    CHECK(here.box.dropped() == 0);
}

TEST_CASE("a message arrives though its sender was killed", "[DUP-7][G7]")
{
    post_office here;
    test::child_process sender("correspondent", {here.scratch.path(), "1"});
    sender.wait_for("ready");
    REQUIRE(sender.ask("offer 0") == "sent");
    REQUIRE(sender.ask("offer 0") == "sent");
    sender.kill(SIGKILL);
    REQUIRE(sender.wait() == -SIGKILL);

    const std::size_t before = open_descriptors();
    for (int i = 0; i < 2; ++i) {
        auto arrived = here.next();
        REQUIRE(arrived);
        char text[32];
        CHECK(::recv(arrived->descriptor.get(), text, sizeof text, MSG_DONTWAIT) == 13);
        CHECK((::fcntl(arrived->descriptor.get(), F_GETFD) & FD_CLOEXEC) != 0);
    }
    CHECK_FALSE(here.next());
    CHECK(open_descriptors() == before); // the dead one's connection is closed as well
    CHECK_FALSE(readable(here.box.native_handle()));
}

TEST_CASE("messages of many senders arrive, one by one and in each sender's order")
{
    post_office here;
    std::vector<test::child_process> senders;
    for (std::uint32_t i = 1; i <= 3; ++i) {
        senders.emplace_back("correspondent", std::vector<std::string>{here.scratch.path(), std::to_string(i)});
    }
    for (auto& sender : senders) {
        sender.wait_for("ready");
        REQUIRE(sender.ask("request 0") == "sent");
        REQUIRE(sender.ask("offer 0") == "sent");
    }
    std::vector<mail_message::kind> seen[4];
    while (const auto arrived = here.next()) {
        REQUIRE(arrived->text.nonce < 4);
        seen[arrived->text.nonce].push_back(arrived->text.what);
    }
    for (std::size_t i = 1; i <= 3; ++i) {
        CHECK(seen[i] == std::vector{mail_message::kind::request, mail_message::kind::offer});
    }
}

TEST_CASE("a socket in the mailbox of a process that dies or closes it is closed", "[DUP-8][G6]")
{
    post_office here;
    test::child_process receiver("correspondent", {here.scratch.path(), "1"});
    receiver.wait_for("ready");
    socket_pair pair;
    REQUIRE_FALSE(here.send(1, offer_of(pair.near.get()), pair.near.get()));
    pair.near.reset();
    REQUIRE_FALSE(readable(pair.far.get()));

    SECTION("killed") { receiver.kill(SIGKILL); }
    SECTION("closed") { REQUIRE(receiver.ask("close") == "closed"); }
    SECTION("closed with the connection accepted")
    {
        socket_pair another;
        REQUIRE(receiver.ask("take") == "0");
        REQUIRE_FALSE(here.send(1, offer_of(another.near.get()), another.near.get()));
        pair = std::move(another);
        pair.near.reset();
        REQUIRE(receiver.ask("close") == "closed");
    }
    CHECK(peer_closed(pair.far.get()));
    CHECK(here.send(1, request()) == errc::target_gone);
    CHECK(here.send(1, request()) == errc::target_gone);
}

TEST_CASE("a message to an index without a process is refused at once", "[ERR-2]")
{
    post_office here;
    const std::size_t before = open_descriptors();
    CHECK(here.send(9, request()) == errc::target_gone);
    CHECK(open_descriptors() == before);
    CHECK(here.send(0, offer_of(-1), 100'000) == boost::system::errc::bad_file_descriptor);
}

TEST_CASE("the next incarnation binds the mailbox that a dead one left, and gets messages by a new connection", "[G7]")
{
    post_office here;
    test::child_process first("correspondent", {here.scratch.path(), "1"});
    first.wait_for("ready");
    REQUIRE_FALSE(here.send(1, request(5)));
    first.kill(SIGKILL);
    REQUIRE(first.wait() == -SIGKILL);
    REQUIRE(std::filesystem::exists(here.path(1)));

    test::child_process second("correspondent", {here.scratch.path(), "1"});
    second.wait_for("ready");
    REQUIRE_FALSE(here.send(1, request(6)));
    CHECK(second.ask("take") == "6");
    CHECK(second.ask("take") == "nothing");
}

TEST_CASE("a message to a new incarnation does not go to the old one, whose child may still have its mailbox")
{
    post_office here;
    test::child_process first("correspondent", {here.scratch.path(), "1"});
    first.wait_for("ready");
    mail_message text        = request(1);
    text.receiver_generation = 1;
    REQUIRE_FALSE(here.send(1, text));

    test::child_process second("correspondent", {here.scratch.path(), "1"}); // binds the name anew; the first still listens
    second.wait_for("ready");
    text                     = request(2);
    text.receiver_generation = 2;
    REQUIRE_FALSE(here.send(1, text));
    CHECK(second.ask("take") == "2");
    CHECK(first.ask("take") == "1");
    CHECK(first.ask("take") == "nothing");
}

TEST_CASE("a mailbox has its mode whatever the umask, and goes when it is closed", "[fault-62]")
{
    post_office here;
    error_code ec;
    const mode_t before = ::umask(0777);
    mailbox strict(here.directory.get(), here.peers);
    strict.open(1, ec);
    REQUIRE_FALSE(ec);
    ::umask(0);
    mailbox lax(here.directory.get(), here.peers);
    lax.open(2, ec);
    ::umask(before);
    REQUIRE_FALSE(ec);
    for (const std::uint32_t index : {1u, 2u}) {
        struct stat what {};
        REQUIRE(::stat(here.path(index).c_str(), &what) == 0);
        CHECK(what.st_mode == (S_IFSOCK | 0666));
    }
    strict.close(1);
    CHECK_FALSE(std::filesystem::exists(here.path(1)));
    CHECK(strict.native_handle() == -1);
    strict.close(1);
    strict.open(1, ec);
    CHECK_FALSE(ec);
    CHECK_FALSE(here.send(1, request()));
}

// Forks in a child, because fork(2) in a test process would copy the reporter. The grandchild's exit code says what it saw.
SHAREDSOCK_CHILD_ROLE("opens a mailbox in a forked child")
{
    const unique_fd directory = open_directory(role.args.at(0));
    peers_of_one_user peers;
    mailbox box(directory.get(), peers);
    error_code ec;
    box.open(1, ec);
    box.send(1, request(1), -1, ec);
    const bool accepted = box.receive(ec).has_value();
    box.send(1, request(2), -1, ec);

    box.lock();
    const pid_t process = ::fork();
    box.unlock();
    if (process == 0) {
        box.abandon();
        bool well = box.native_handle() == -1;
        box.open(2, ec);
        box.send(2, request(3), -1, ec);
        const auto arrived = box.receive(ec);
        well               = well && arrived && arrived->text.nonce == 3 && !box.receive(ec);
        box.close(2);
        ::_exit(well ? 0 : 1);
    }
    int status = -1;
    ::waitpid(process, &status, 0);
    const auto arrived = box.receive(ec);
    box.send(1, request(4), -1, ec);
    const auto later = box.receive(ec);
    const bool well  = accepted && arrived && arrived->text.nonce == 2 && later && later->text.nonce == 4;
    role.say(well ? std::to_string(status) : "the parent's mailbox was disturbed");
    return 0;
}

TEST_CASE("a forked child gives up the parent's mailbox undisturbed and opens its own", "[DUP-17][fault-24]")
{
    const post_office here;
    test::child_process parent("opens a mailbox in a forked child", {here.scratch.path()});
    CHECK(parent.line() == "0");
    CHECK(std::filesystem::exists(here.path(1)));
    CHECK_FALSE(std::filesystem::exists(here.path(2)));
}
