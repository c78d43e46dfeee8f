// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/syscall.hpp"
#include "support/catch.hpp"

#include <sharedsock/error.hpp>

#include <cerrno>
#include <set>
#include <string>
#include <system_error>

using sharedsock::errc;
using sharedsock::error_code;

namespace {

constexpr int last_value = static_cast<int>(errc::hand_over_not_taken);

} // namespace

TEST_CASE("an errc compares equal to its condition in Boost's and in the standard's words", "[ERR-1]")
{
    const error_code not_found = errc::segment_not_found;
    CHECK(not_found == errc::segment_not_found);
    CHECK(not_found == boost::system::errc::no_such_file_or_directory);
    CHECK(not_found == std::errc::no_such_file_or_directory);
    CHECK(not_found != std::errc::file_exists);

    const error_code cancelled = errc::registration_cancelled;
    CHECK(cancelled == boost::system::errc::operation_canceled);
    CHECK(cancelled == std::errc::operation_canceled);
    CHECK(std::error_code(cancelled) == std::errc::operation_canceled);

    CHECK(error_code(errc::segment_damaged) == std::errc::state_not_recoverable);
    CHECK(error_code(errc::not_attached) == std::errc::no_such_device_or_address);
    CHECK(error_code(errc::identity_lost) == std::errc::identifier_removed);
}

TEST_CASE("every errc is a failure with a condition of the generic category", "[ERR-1]")
{
    for (int value = 1; value <= last_value; ++value) {
        const auto ec = make_error_code(static_cast<errc>(value));
        INFO(ec.message());
        CHECK(ec.failed());
        CHECK(ec.default_error_condition().category() == boost::system::generic_category());
        CHECK(ec == ec.default_error_condition());
        CHECK(std::error_code(ec) == std::error_condition(ec.default_error_condition()));
    }
}

TEST_CASE("every message is one line of its own that says what happened and what to do next", "[ERR-1]")
{
    std::set<std::string> messages;
    for (int value = 1; value <= last_value; ++value) {
        const std::string message = make_error_code(static_cast<errc>(value)).message();
        INFO(message);
        CHECK(message.find('\n') == std::string::npos);
        CHECK(message.find("; ") != std::string::npos);
        CHECK(messages.insert(message).second);
    }
}

TEST_CASE("a value that no errc has is still a failure with a message", "[ERR-1]")
{
    for (const int value : {-1, last_value + 1, 1'000'000}) {
        const error_code ec(value, sharedsock::category());
        CHECK(ec.failed());
        CHECK_THAT(ec.message(), test::contains(std::to_string(value)));
        CHECK(ec != std::errc::invalid_argument);
    }
}

TEST_CASE("the category has a name and is one for all", "[ERR-1]")
{
    CHECK(sharedsock::category().name() == std::string("sharedsock"));
    CHECK(&sharedsock::category() == &sharedsock::category());
    CHECK(make_error_code(errc::lock_timeout).category() != boost::system::system_category());
}

TEST_CASE("an error of a system call that a filter denies names the call, and keeps errno's value and condition",
          "[ERR-1][fault-174]")
{
    using sharedsock::detail::error_of;
    using sharedsock::detail::sys;
    for (const int error : {EPERM, ENOSYS}) {
        const error_code ec = error_of(sys<"ftruncate">, error);
        CHECK(ec.failed());
        CHECK(ec.value() == error);
        CHECK(ec == (error == EPERM ? std::errc::operation_not_permitted : std::errc::function_not_supported));
        CHECK(std::error_code(ec) == (error == EPERM ? std::errc::operation_not_permitted : std::errc::function_not_supported));
        CHECK_THAT(ec.message(), test::contains("ftruncate"));
        CHECK_THAT(ec.message(), test::contains("; permit ftruncate"));
        CHECK(sharedsock::denied_call(ec) == std::string("ftruncate"));
        CHECK(ec == error_of(sys<"ftruncate">, error));
        CHECK(ec != error_of(sys<"fallocate">, error));
    }
    const error_code other = error_of(sys<"ftruncate">, ENOSPC);
    CHECK(other == error_code(ENOSPC, boost::system::system_category()));
    CHECK(sharedsock::denied_call(other) == nullptr);
    CHECK(sharedsock::denied_call(errc::mailbox_denied) == nullptr);
    CHECK(sharedsock::denied_call({}) == nullptr);
}
