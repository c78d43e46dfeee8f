// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "attach/attachment.hpp"

#include <sharedsock/segment.hpp>

namespace sharedsock::detail {

// The member that a call on a segment acts through, and the attachment of that member. All three functions fail with
// `errc::not_attached`, or with the error of the function of `attachment` that they ask.

/// By `attachment::member`.
inline membership* member_of(const segment& where, error_code& ec) noexcept
{
    ec.clear();
    if (attachment* const at = where.attachment().get()) return at->member(ec);
    ec = errc::not_attached;
    return nullptr;
}

/// By `attachment::recent_member`.
inline membership* recent_member_of(const segment& where, error_code& ec) noexcept
{
    ec.clear();
    if (attachment* const at = where.attachment().get()) return at->recent_member(ec);
    ec = errc::not_attached;
    return nullptr;
}

/// The attachment, once `attachment::member` has confirmed the member.
inline attachment* attachment_of(const segment& where, error_code& ec) noexcept
{
    return member_of(where, ec) != nullptr ? where.attachment().get() : nullptr;
}

} // namespace sharedsock::detail
