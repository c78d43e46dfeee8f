// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A stream receives past an urgent byte, with Asio's lock of the descriptor held, while another handle of its process takes the
// registration from it.
#include "attach/attachment.hpp"
#include "attach/handle.hpp"
#include "base/ranked_mutex.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "support/scratch_segment.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace asio   = boost::asio;
namespace ss     = sharedsock;
namespace detail = sharedsock::detail;

namespace {

const ss::segment_options patient{.patience = std::chrono::minutes(10)};

// Whether a thread of this process waits in the kernel.
bool sleeps(pid_t thread)
{
    std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
    std::string text;
    std::getline(file, text);
    const auto name_end = text.rfind(')');
    return name_end != std::string::npos && text.size() > name_end + 2 && text[name_end + 2] == 'S';
}

struct two_handles {
    explicit two_handles(const std::string& name)
        : here(ss::segment::open(name, patient)), elsewhere(ss::segment::open(name, patient)), pair(here, AF_INET)
    {
        sibling = ss::shared_socket::redeem(here, pair.socket.duplicate(here.self()));
        sibling.event_select(ready, ss::network_event::oob); // from now on receives look out for urgent data
    }
    detail::registration_word word() const { return detail::load(sibling.impl()->slot().registration); }

    // The lock of the slot, as another process would hold it.
    void lock_slot()
    {
        ss::error_code ec;
        slot.emplace(*elsewhere.attachment()->member(), sibling.impl()->socket().index, ec);
        if (ec) throw ss::system_error(ec);
        detail::lock_ranks::released(detail::lock_rank::robust_lock);
    }

    ss::segment here, elsewhere;
    test::connection pair;
    ss::shared_socket sibling;
    ss::event_object ready;
    std::optional<detail::membership::slot_guard> slot;
};

} // namespace

// After a deadlock it says nothing, and the parent kills it when its patience ends.
SHAREDSOCK_CHILD_ROLE("loses its registration to a sibling while it receives past an urgent byte")
{
    two_handles s(role.args.at(0));
    asio::io_context io;
    ss::stream stream(io, std::move(s.pair.socket));
    stream.take_over();
    const std::uint32_t streams = s.word().epoch;
    if (::send(s.pair.peer, "!", 1, MSG_OOB) != 1) return 2;
    s.pair.say("rest");
    pollfd urgent{stream.native_handle(), POLLPRI, 0};
    if (::poll(&urgent, 1, -1) != 1) return 3;

    s.lock_slot();
    char text[8]{};
    ss::error_code received = ss::errc::closed_handle;
    std::size_t size        = 0;
    std::thread reader([&] {
        stream.async_read_some(asio::buffer(text), [&](ss::error_code ec, std::size_t bytes) {
            received = ec;
            size     = bytes;
        });
        io.run();
    });
    // It holds Asio's lock, delivers, and waits for the slot's lock.
    if (!test::eventually([&] { return s.word().delivering != detail::no_index; })) return 4;

    std::atomic<pid_t> taker_id{0};
    std::thread taker([&] {
        taker_id = ::gettid();
        s.sibling.event_select(s.ready, ss::network_event::oob | ss::network_event::read);
    });
    // It has the registration, and waits for Asio's lock to end the operations of the stream.
    if (!test::eventually([&] { return s.word().epoch != streams && sleeps(taker_id); })) return 5;
    s.slot.reset();
    reader.join();
    taker.join();

    const auto told = s.sibling.enum_network_events(s.ready).occurred;
    std::byte byte{};
    ss::error_code ec;
    const std::size_t got = s.sibling.receive({&byte, 1}, MSG_OOB, ec);
    role.say(!received && std::string(text, size) == "rest" ? "received" : "receive: " + received.message());
    role.say((told & ss::network_event::oob) != ss::network_event::none ? "OOB" : "no OOB");
    role.say(got == 1 && byte == std::byte{'!'} ? "urgent" : "urgent: " + ec.message());
    return 0;
}

TEST_CASE("a handle that takes over with OOB while its sibling stream receives past an urgent byte is told, without a deadlock",
          "[fault-114][EVT-14][asio]")
{
    test::scratch_segment segment;
    test::child_process child("loses its registration to a sibling while it receives past an urgent byte", {segment.name()});
    REQUIRE(child.line() == "received"); // a deadlock shows here
    CHECK(child.line() == "OOB");
    CHECK(child.line() == "urgent");
    CHECK(child.wait() == 0);
}
