// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// What a peer answers to a ticket that it cannot redeem.
#pragma once

namespace test {

inline constexpr const char* used            = "error: invalid_argument, ticket_used";
inline constexpr const char* wrong_process   = "error: invalid_argument, ticket_wrong_process";
inline constexpr const char* foreign_segment = "error: invalid_argument, ticket_foreign_segment";
inline constexpr const char* malformed       = "error: invalid_argument, ticket_malformed";
inline constexpr const char* nobody_serves   = "error: timed_out, no_serving_holder";

} // namespace test
