// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "member/membership.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Published names. A name leads to a socket as long as the socket's generation is the one it was published with, so no
/// process has to take a name back when its socket goes. Guarded by the name table's lock.
namespace sharedsock::detail::name_table {

/// `errc::name_taken` if another live socket has the name; `std::errc::invalid_argument` for a name that is empty or too long;
/// `errc::name_table_full`.
void publish(membership& self, std::string_view name, record_id socket, error_code& ec);
/// `errc::name_not_published`.
record_id find(membership& self, std::string_view name, error_code& ec);
bool unpublish(membership& self, std::string_view name, error_code& ec);
std::vector<std::string> list(membership& self, error_code& ec);
std::uint32_t count(const membership& self) noexcept; ///< without the lock: exact while no process publishes

} // namespace sharedsock::detail::name_table
