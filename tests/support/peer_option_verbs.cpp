// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// The commands of a peer that set and read options of a socket and of its handle.
#include "support/peer_errors.hpp"
#include "support/peer_state.hpp"
#include "support/peer_values.hpp"

#include <cstdint>
#include <optional>
#include <string>

#include <fcntl.h>
#include <sys/socket.h>

namespace ss = sharedsock;

namespace test {
namespace {

std::string plain_option(ss::shared_socket& h, int level, int name, const std::optional<std::string>& value, ss::error_code& ec)
{
    int number = value ? words::to_number<int>(*value) : 0;
    if (value) {
        h.set_option(level, name, &number, sizeof number, ec);
        return {};
    }
    h.get_option(level, name, &number, sizeof number, ec);
    if (name != SO_ERROR || level != SOL_SOCKET) return std::to_string(number);
    return number == 0 ? "none" : condition_name({number, boost::system::system_category()});
}

std::string linger_option(ss::shared_socket& h, const std::optional<std::string>& value, ss::error_code& ec)
{
    linger now{};
    if (value) {
        now.l_onoff  = *value != "off";
        now.l_linger = *value != "off" ? words::to_number<int>(*value) : 0;
        h.set_option(SOL_SOCKET, SO_LINGER, &now, sizeof now, ec);
        return {};
    }
    h.get_option(SOL_SOCKET, SO_LINGER, &now, sizeof now, ec);
    return now.l_onoff != 0 ? std::to_string(now.l_linger) : "off";
}

} // namespace

void peer_state::add_option_verbs()
{
    add("option", [this](words& line, ss::error_code& ec) {
        const auto h             = socket(line);
        const std::string word   = line.next("option");
        const auto [level, name] = to_option(word);
        const auto value         = line.maybe();
        return word == "linger" ? linger_option(*h, value, ec) : plain_option(*h, level, name, value, ec);
    });
    add("blocking", [this](words& line, ss::error_code& ec) {
        const auto h     = socket(line);
        const auto value = line.maybe();
        if (!value) return yes_or_no(h->blocking());
        h->set_blocking(*value == "on", ec);
        return std::string();
    });
    add("local", [this](words& line, ss::error_code& ec) { return to_string(socket(line)->local_address(ec)); });
    add("peer", [this](words& line, ss::error_code& ec) { return to_string(socket(line)->peer_address(ec)); });
    add("id", [this](words& line, ss::error_code&) { return std::to_string(socket(line)->id()); });
    add("handle_id", [this](words& line, ss::error_code&) { return std::to_string(socket(line)->handle_id()); });
    add("fd", [this](words& line, ss::error_code&) { return std::to_string(socket(line)->native_handle()); });
    add("is_open", [this](words& line, ss::error_code&) { return yes_or_no(socket(line)->is_open()); });
    add("cookie", [this](words& line, ss::error_code& ec) {
        std::uint64_t cookie = 0;
        socket(line)->get_option(SOL_SOCKET, SO_COOKIE, &cookie, sizeof cookie, ec);
        return std::to_string(cookie);
    });
    add("close_on_exec", [this](words& line, ss::error_code&) {
        const int descriptor = socket(line)->native_handle();
        if (const auto value = line.maybe()) ::fcntl(descriptor, F_SETFD, *value == "on" ? FD_CLOEXEC : 0);
        return yes_or_no((::fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0);
    });
}

} // namespace test
