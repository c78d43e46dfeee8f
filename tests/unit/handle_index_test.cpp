// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "attach/handle_index.hpp"

#include "support/catch.hpp"

#include <cstdint>
#include <deque>
#include <random>
#include <set>

using namespace sharedsock::detail;

namespace {

struct place {
    std::uint32_t index;
};
struct fake_handle {
    place socket() const noexcept { return {socket_index}; }
    std::uint64_t cookie() const noexcept { return socket_cookie; }
    std::uint32_t socket_index;
    std::uint64_t socket_cookie;
    handle_links<fake_handle> links{};
};

std::set<const fake_handle*> of_socket(const handle_index<fake_handle>& all, std::uint32_t socket)
{
    std::set<const fake_handle*> found;
    all.for_each_of(socket, [&](fake_handle& one) { return found.insert(&one).second; });
    return found;
}

} // namespace

TEST_CASE("the index of handles finds what was added and not removed, by socket and by cookie, at any size")
{
    std::mt19937 random(1);
    std::deque<fake_handle> made;
    std::set<fake_handle*> expected;
    handle_index<fake_handle> all;
    CHECK(of_socket(all, 0).empty());
    CHECK_FALSE(all.has_cookie(0));
    for (int step = 0; step < 4'000; ++step) {
        const auto socket = static_cast<std::uint32_t>(random() % 300); // some sockets have several handles
        if (expected.size() < 2 || random() % 3 != 0) {
            expected.insert(&made.emplace_back(fake_handle{socket, 1'000u + socket}));
            all.add(made.back());
        } else {
            fake_handle& gone = made[random() % made.size()];
            CHECK(all.remove(gone) == (expected.erase(&gone) == 1));
        }
    }
    std::set<fake_handle*> seen;
    all.for_each([&](fake_handle& one) { return seen.insert(&one).second; });
    CHECK(seen == expected);
    for (std::uint32_t socket = 0; socket < 300; ++socket) {
        std::set<const fake_handle*> with_it;
        for (const fake_handle* const one : expected)
            if (one->socket_index == socket) with_it.insert(one);
        CHECK(of_socket(all, socket) == with_it);
        CHECK(all.has_cookie(1'000u + socket) == !with_it.empty());
    }
}

TEST_CASE("a walk through the index of handles ends where its visitor says so")
{
    fake_handle one{7, 70}, another{7, 70};
    handle_index<fake_handle> all;
    all.add(one);
    all.add(another);
    int visits = 0;
    all.for_each([&](fake_handle&) { return ++visits, false; });
    all.for_each_of(7, [&](fake_handle&) { return ++visits, false; });
    CHECK(visits == 2);
}
