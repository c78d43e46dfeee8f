// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "process/ipc/post_office.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/descriptors.hpp"
#include "support/scratch_segment.hpp"
#include "support/skip.hpp"

#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace test;

namespace {

// Writes messages that no mailbox would.
class enemy {
public:
    explicit enemy(const std::string& path)
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        if (::connect(connection_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            throw std::runtime_error("connect " + path);
        }
    }

    void send(const void* bytes, std::size_t size, const std::vector<int>& descriptors = {})
    {
        iovec piece{const_cast<void*>(bytes), size};
        msghdr message{};
        message.msg_iov    = &piece;
        message.msg_iovlen = 1;
        std::vector<char> control(CMSG_SPACE(sizeof(int) * descriptors.size()));
        if (!descriptors.empty()) {
            message.msg_control    = control.data();
            message.msg_controllen = control.size();
            cmsghdr* rights        = CMSG_FIRSTHDR(&message);
            rights->cmsg_level     = SOL_SOCKET;
            rights->cmsg_type      = SCM_RIGHTS;
            rights->cmsg_len       = CMSG_LEN(sizeof(int) * descriptors.size());
            std::memcpy(CMSG_DATA(rights), descriptors.data(), sizeof(int) * descriptors.size());
        }
        if (::sendmsg(connection_.get(), &message, MSG_NOSIGNAL) != static_cast<ssize_t>(size)) {
            throw std::runtime_error("sendmsg");
        }
    }
    void send(const mail_message& text, const std::vector<int>& descriptors = {}) { send(&text, sizeof text, descriptors); }

private:
    unique_fd connection_{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
};

} // namespace

TEST_CASE("a message with the wrong descriptors is dropped, nothing of it is left, and the next one arrives", "[fault-67]")
{
    post_office here;
    enemy hostile(here.path(0));
    hostile.send(request());
    REQUIRE(here.next()); // the connection is accepted
    const std::size_t before = open_descriptors();
    socket_pair pair;
    const socket_pair other;
    const unique_fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const std::size_t own   = 5; // of the four sockets and the file
    const int one           = pair.near.get();
    const mail_message good = offer_of(one, 9);

    SECTION("none where one is due") { hostile.send(good); }
    SECTION("two") { hostile.send(good, {one, one}); }
    SECTION("as many as fit into one message") { hostile.send(good, std::vector<int>(253, one)); }
    SECTION("a file") { hostile.send(good, {file.get()}); }
    SECTION("another socket") { hostile.send(good, {other.near.get()}); }
    SECTION("one where none is due") { hostile.send(request(), {one}); }
    SECTION("a grant without one")
    {
        mail_message grant = good;
        grant.what         = mail_message::kind::grant;
        hostile.send(grant);
    }

    CHECK_FALSE(here.next());
    CHECK(here.box.dropped() == 1);
    CHECK(open_descriptors() == before + own);
    hostile.send(good, {one});
    pair.near.reset();
    auto arrived = here.next();
    REQUIRE(arrived);
    CHECK(arrived->text.nonce == 9);
    arrived.reset();
    CHECK(peer_closed(pair.far.get())); // no copy was left anywhere
    CHECK(here.box.dropped() == 1);
}

TEST_CASE("a malformed message is dropped with its descriptor, and the next one arrives", "[G10]")
{
    post_office here;
    enemy hostile(here.path(0));
    const socket_pair pair;
    const int one           = pair.near.get();
    const mail_message good = offer_of(one, 9);
    mail_message bad        = good;
    char large[1000]        = {};
    std::memcpy(large, &good, sizeof good);

    SECTION("short") { hostile.send(&good, sizeof good - 1, {one}); }
    SECTION("long") { hostile.send(large, sizeof good + 1, {one}); }
    SECTION("very long") { hostile.send(large, sizeof large, {one}); }
    SECTION("of another magic")
    {
        bad.magic ^= 1;
        hostile.send(bad, {one});
    }
    SECTION("of no kind")
    {
        bad.what = static_cast<mail_message::kind>(GENERATE(0u, 5u, 0xffff'ffffu));
        hostile.send(bad, {one});
    }
    hostile.send(good, {one});
    const std::size_t before = open_descriptors();
    const auto arrived       = here.next();
    REQUIRE(arrived);
    CHECK(arrived->text.nonce == 9);
    CHECK(here.box.dropped() == 1);
    CHECK(open_descriptors() == before + 2); // the connection and the descriptor
}

TEST_CASE("an empty message ends its connection and leaves no descriptor behind", "[G10]")
{
    post_office here;
    socket_pair pair;
    const std::size_t before = open_descriptors();
    {
        enemy hostile(here.path(0));
        hostile.send("", 0, {pair.near.get()});
        CHECK_FALSE(here.next());
        CHECK(open_descriptors() == before + 1); // the enemy's own end
    }
    pair.near.reset();
    CHECK(peer_closed(pair.far.get()));
}

SHAREDSOCK_CHILD_ROLE("writes as another user")
{
    if (::seteuid(65'534) != 0) {
        throw std::runtime_error("seteuid");
    }
    enemy stranger(role.args.at(0));
    stranger.send(request());
    role.say("sent");
    role.hear();
    return 0;
}

TEST_CASE("a message of another user is not read even if the directory lets it in", "[G9]")
{
    if (::geteuid() != 0) {
        test::skip("only root can act as another user");
        return;
    }
    post_office here;
    std::filesystem::permissions(here.scratch.path(), std::filesystem::perms::all);
    std::filesystem::permissions(here.path(0), std::filesystem::perms::all);
    test::child_process stranger("writes as another user", {here.path(0)});
    stranger.wait_for("sent");
    const std::size_t before = open_descriptors();
    CHECK_FALSE(here.next());
    CHECK(here.box.dropped() == 1);
    CHECK(open_descriptors() == before);
    REQUIRE_FALSE(here.send(0, request(1)));
    CHECK(here.next()->text.nonce == 1);
}

TEST_CASE("messages that offer no true ticket, or one ticket twice, leave no descriptor with the process that serves",
          "[G10][fault-67]")
{
    scratch_segment segment;
    const connection one(segment);
    const sharedsock::ticket waiting = one.socket.duplicate(segment->self());
    segment->poll();
    enemy hostile("/dev/shm/sharedsock." + std::to_string(::geteuid()) + "." + segment.name() + "/ways/box." +
                  std::to_string(segment->self().index));
    mail_message offer        = offer_of(one.socket.native_handle()); // nonce 0, as every record has that is no ticket
    offer.receiver            = segment->self().index;
    offer.receiver_generation = segment->self().generation;
    hostile.send(&offer, 1);
    segment->poll(); // the connection is accepted
    const std::size_t before = open_descriptors();
    for (int count = 0; count < 5; ++count)
        hostile.send(offer, {one.socket.native_handle()});
    offer.handle            = waiting.handle;
    offer.handle_generation = waiting.handle_generation;
    for (int count = 0; count < 5; ++count)
        hostile.send(offer, {one.socket.native_handle()});
    offer.nonce = waiting.nonce;
    for (int count = 0; count < 5; ++count)
        hostile.send(offer, {one.socket.native_handle()});
    segment->poll();
    CHECK(open_descriptors() == before);
    CHECK(sharedsock::shared_socket::redeem(segment, waiting).is_open());
}
