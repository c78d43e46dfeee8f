// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "command/description.hpp"
#include "command/json_writer.hpp"
#include "command/opening.hpp"
#include "command/telling.hpp"
#include "command/verb.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <system_error>
#include <vector>

#include <sys/socket.h>

namespace sharedsock::command {
namespace {

/// The object of the search: a port, a published name or the path of an AF_UNIX socket, whichever fits.
class wanted {
public:
    explicit wanted(const std::string& word) : word_(word)
    {
        std::uint16_t number   = 0;
        const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), number);
        if (code == std::errc() && end == word.data() + word.size() && number != 0) {
            port_ = number;
        }
    }

    bool operator()(const socket_description& socket) const
    {
        if (std::find(socket.names.begin(), socket.names.end(), word_) != socket.names.end()) {
            return true;
        }
        if (!socket.kernel) {
            return false;
        }
        const socket_address& local = socket.kernel->local;
        if (local.family() == AF_UNIX) {
            return to_string(local) == word_ && !socket.kernel->peer;
        }
        const bool waits = socket.type != SOCK_STREAM || socket.kernel->listening; // and is not one of the accepted
        return port_ != 0 && local.port() == port_ && waits;
    }

private:
    const std::string& word_;
    std::uint16_t port_ = 0; // 0: the word is no port
};

struct match {
    std::string segment;
    const description* all; // the segment that it is of
    const socket_description* socket;
};

void print(const match& found, std::ostream& out)
{
    const auto& [segment, all, socket] = found;
    const auto& now                    = socket->registration;
    out << local_of(*socket) << " (" << kind_of(*socket) << (socket->listening ? ", listening" : "") << ')';
    for (const std::string& name : socket->names) {
        out << ", published as \"" << printable(name) << '"';
    }
    out << ": socket " << to_string(socket->id) << " of segment " << segment << '\n';

    std::string what = "  held by    ";
    for (const holder_description& each : socket->holders) {
        out << what << name_of(*all, each.process);
        if (each.descriptor >= 0) {
            out << ", descriptor " << each.descriptor;
        }
        if (each.accepts_in_turn) {
            out << ", accepts in turn";
        }
        out << '\n';
        what.replace(2, 7, 7, ' ');
    }
    out << "  events of  ";
    if (now) {
        out << name_of(*all, now->owner) << ": " << to_string(now->mask) << " by " << to_string(now->kind) << ", epoch "
            << now->epoch << ", for " << to_age(now->since_ns) << '\n';
    } else {
        out << "nobody\n";
    }
    what = "  next       ";
    for (const holder_description& each : socket->line) {
        out << what << name_of(*all, each.process) << ": " << to_string(each.standby_mask) << '\n';
        what = "  then       ";
    }
    for (const ticket_description& each : socket->tickets) {
        out << "  ticket     for " << (each.target ? name_of(*all, each.target) : "pid " + std::to_string(each.target_pid)) << ", "
            << to_string(each.state) << '\n';
    }
}

void print_json(const std::string& word, const std::vector<match>& matches, std::ostream& out)
{
    json_writer(out).object([&](json_writer& document) {
        document.field("wanted", word);
        document.array("sockets", [&] {
            for (const match& each : matches) {
                document.object([&] {
                    document.field("segment", each.segment);
                    tell(*each.socket, *each.all, document);
                });
            }
        });
    });
}

} // namespace

exit_code who(const arguments& given, std::ostream& out)
{
    const std::string& word = given.operand();
    const wanted fits(word);
    kernel_sockets kernel;
    std::vector<std::unique_ptr<description>> all;
    std::vector<match> matches;
    for (const std::string& name : given.segment ? std::vector{*given.segment} : segment_names(given)) {
        if (!given.segment && name.starts_with('@')) {
            continue;
        }
        error_code ec;
        const snapshot state = snapshot::take(name, given.options(name), ec);
        if (ec && given.segment) {
            throw cannot_open(name, given, ec);
        }
        if (ec) {
            if (ec != errc::segment_not_found) { // it existed a moment ago, and had no process
                remark("segment '" + name + "' was left out: " + ec.message());
            }
            continue;
        }
        all.push_back(std::make_unique<description>(describe(state, kernel)));
        for (const socket_description& socket : all.back()->sockets) {
            if (fits(socket)) {
                matches.push_back({name, all.back().get(), &socket});
            }
        }
    }

    if (given.json) {
        print_json(word, matches, out);
    } else if (matches.empty()) {
        remark("no socket of your segments is on a port or under a name '" + printable(word) +
               "'; 'sharedsock show' tells what there is");
    }
    if (matches.empty()) {
        return exit_code::negative;
    }
    if (!given.json) {
        std::for_each(matches.begin(), matches.end(), [&](const match& each) { print(each, out); });
    }
    return exit_code::ok;
}

} // namespace sharedsock::command
