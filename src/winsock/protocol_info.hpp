// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/winsock/types.hpp>

/// The content of a WSAPROTOCOL_INFO. Pure.
namespace sharedsock::winsock::detail {

/// Describes a kind of socket; no ticket is in it then.
void describe(WSAPROTOCOL_INFO& info, int family, int type, int protocol) noexcept;

/// Whether WSADuplicateSocket has made it, for any process.
bool carries_ticket(const WSAPROTOCOL_INFO& info) noexcept;

} // namespace sharedsock::winsock::detail
