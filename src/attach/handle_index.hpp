// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sharedsock::detail {

/// The place of a handle in the index of its attachment.
template <class Handle>
struct handle_links {
    Handle* next_of_socket = nullptr;
    Handle* next_of_cookie = nullptr;
    bool listed            = false;
};

/// The handles of an attachment, by the index of their socket and by its SO_COOKIE. Both chains of a bucket run through the handles
/// themselves (`handle::links`), so that a handle that comes or goes allocates nothing, unless the index grows.
template <class Handle>
class handle_index {
public:
    void add(Handle& one) ///< If memory runs out, nothing has changed.
    {
        if (count_ == buckets_.size()) grow();
        put(buckets_, one);
        one.links.listed = true;
        ++count_;
    }

    bool remove(Handle& one) noexcept ///< False: it was not there.
    {
        if (!one.links.listed) return false;
        take_out(place(buckets_, one.socket().index).of_socket, one, &links::next_of_socket);
        take_out(place(buckets_, one.cookie()).of_cookie, one, &links::next_of_cookie);
        one.links.listed = false;
        --count_;
        return true;
    }

    bool has_cookie(std::uint64_t cookie) const noexcept
    {
        if (count_ == 0) return false;
        const Handle* one = place(buckets_, cookie).of_cookie;
        while (one != nullptr && one->cookie() != cookie)
            one = one->links.next_of_cookie;
        return one != nullptr;
    }

    /// Calls `visit(handle)` for each handle until it returns false.
    template <class Visit>
    void for_each(Visit visit) const
    {
        for (const bucket& one : buckets_)
            for (Handle* at = one.of_socket; at != nullptr; at = at->links.next_of_socket)
                if (!visit(*at)) return;
    }

    /// Calls `visit(handle)` for each handle to a socket until it returns false.
    template <class Visit>
    void for_each_of(std::uint32_t socket, Visit visit) const
    {
        if (count_ == 0) return;
        for (Handle* at = place(buckets_, socket).of_socket; at != nullptr; at = at->links.next_of_socket)
            if (at->socket().index == socket && !visit(*at)) return;
    }

private:
    using links = handle_links<Handle>;
    struct bucket {
        Handle* of_socket = nullptr;
        Handle* of_cookie = nullptr;
    };

    template <class Buckets>
    static auto& place(Buckets& buckets, std::uint64_t key) noexcept
    {
        return buckets[key & (buckets.size() - 1)]; // their number is a power of two; both keys are counted upwards
    }

    static void put(std::vector<bucket>& buckets, Handle& one) noexcept
    {
        bucket& by_socket        = place(buckets, one.socket().index);
        bucket& by_cookie        = place(buckets, one.cookie());
        one.links.next_of_socket = by_socket.of_socket;
        one.links.next_of_cookie = by_cookie.of_cookie;
        by_socket.of_socket      = &one;
        by_cookie.of_cookie      = &one;
    }

    static void take_out(Handle*& first, const Handle& one, Handle* links::*next) noexcept
    {
        Handle** at = &first;
        while (*at != &one)
            at = &((*at)->links.*next);
        *at = one.links.*next;
    }

    void grow()
    {
        std::vector<bucket> larger(std::max<std::size_t>(16, 2 * buckets_.size()));
        for (const bucket& one : buckets_)
            for (Handle* at = one.of_socket; at != nullptr;) {
                Handle* const next = at->links.next_of_socket;
                put(larger, *at);
                at = next;
            }
        buckets_.swap(larger);
    }

    std::vector<bucket> buckets_;
    std::size_t count_ = 0;
};

} // namespace sharedsock::detail
