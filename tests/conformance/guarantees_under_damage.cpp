// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The guarantees of the README while random bytes are written into the segment.
#include "attach/handle.hpp"
#include "conformance/restless.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/role.hpp"
#include "support/scratch_segment.hpp"

#include <chrono>
#include <cstdint>
#include <random>
#include <string>

#include <sys/socket.h>

namespace ss = sharedsock;

SHAREDSOCK_CHILD_ROLE("works on a segment that rots")
{
    const ss::segment_options options{
        .sockets = 16, .processes = 8, .directory = role.args.at(0), .patience = std::chrono::milliseconds(2)};
    const auto seed  = static_cast<unsigned>(std::stoul(role.args.at(1)));
    const int rounds = std::stoi(role.args.at(2));
    const int acts   = std::stoi(role.args.at(3));
    std::minstd_rand random(seed);
    for (int round = 0; round < rounds; ++round) {
        int succeeded          = 0;
        const std::string name = "rots-" + std::to_string(round);
        {
            const ss::segment segment = ss::segment::create(name, options);
            const ss::segment other   = ss::segment::open(name, options);
            test::connection s(segment, AF_INET);
            s.socket.set_blocking(false);
            const ss::detail::table_view& bytes = segment.attachment()->member()->bytes();
            auto* const memory                  = reinterpret_cast<unsigned char*>(bytes.header);
            const auto size                     = ss::detail::segment_plan::of(bytes.capacity).size_bytes;
            test::restless here(segment, ss::shared_socket::redeem(segment, s.socket.duplicate(segment.self())),
                                static_cast<unsigned>(random()));
            test::restless there(other, ss::shared_socket::redeem(other, s.socket.duplicate(other.self())),
                                 static_cast<unsigned>(random()));
            for (int i = 0; i < 20; ++i)
                here.act(), there.act(); // makes records to damage
            for (int i = 0; i < acts; ++i) {
                // Any byte but those that are looked at when a segment is opened, and more often one of a record in use.
                std::uint64_t at = 128 + random() % (size - 128);
                if (random() % 4 != 0) {
                    const auto* const record = random() % 2 == 0 ? reinterpret_cast<unsigned char*>(bytes.socket(random() % 8))
                                                                 : reinterpret_cast<unsigned char*>(bytes.handle(random() % 16));
                    if (record != nullptr) at = static_cast<std::uint64_t>(record - memory) + random() % 64;
                }
                memory[at] = random() % 2 == 0 ? static_cast<unsigned char>(random())
                                               : static_cast<unsigned char>(memory[at] ^ 1u << random() % 8);
                try {
                    succeeded += random() % 2 == 0 ? here.act() : there.act();
                } catch (const ss::system_error&) {
                }
            }
        } // all of it goes
        ss::segment::remove(name, options, true);
        role.say(std::to_string(succeeded));
    }
    return 0;
}

TEST_CASE("random bytes all over a segment in use are errors: no crash and no hang", "[G10][fault-57]")
{
    constexpr int rounds = 40;
    constexpr int acts   = 50;
    test::scratch_directory scratch;
    const unsigned seed = std::random_device()();
    INFO("seed " << seed);
    test::child_process child("works on a segment that rots",
                              {scratch.path(), std::to_string(seed), std::to_string(rounds), std::to_string(acts)});
    int succeeded = 0;
    for (int round = 0; round < rounds; ++round)
        succeeded += std::stoi(child.line()); // fails if it dies or hangs
    CHECK(child.wait() == 0);
    CHECK(succeeded > rounds * acts / 10); // most things go on
    CHECK(succeeded < rounds * acts);
}
