// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/peer_state.hpp"

#include "support/network_verbs.hpp"

#include <cstddef>
#include <utility>

namespace ss = sharedsock;

namespace test {

peer_state::peer_state(const std::string& segment_name, const ss::segment_options& options)
    : segment_(ss::segment::open(segment_name, options))
{
    add_socket_verbs();
    add_sharing_verbs();
    add_data_verbs();
    add_option_verbs();
    add_event_verbs();
    add_registration_verbs();
    add_process_verbs();
    add_network_verbs(verbs_);
}

std::string peer_state::run(const std::string& command)
{
    const auto space = command.find(' ');
    const auto found = verbs_.find(command.substr(0, space));
    if (found == verbs_.end()) misuse("unknown command '" + command + "'");
    return found->second(space == std::string::npos ? "" : command.substr(space + 1));
}

peer_state::socket_ptr peer_state::socket(words& line)
{
    const std::string name = line.next("handle");
    const std::scoped_lock lock(mutex_);
    return look_up(sockets_, name);
}

peer_state::socket_ptr& peer_state::look_up_to_change(const std::string& name)
{
    const auto found = sockets_.find(name);
    if (found == sockets_.end()) misuse("unknown handle '" + name + "'");
    return found->second;
}

void peer_state::keep(const std::string& name, ss::shared_socket&& made, const ss::error_code& ec)
{
    succeed(ec);
    const std::scoped_lock lock(mutex_);
    sockets_[name] = std::make_shared<ss::shared_socket>(std::move(made));
}

std::shared_ptr<ss::event_object> peer_state::event(words& line)
{
    const std::string name = line.next("event object");
    const std::scoped_lock lock(mutex_);
    return look_up(events_, name);
}

std::vector<ss::event_object*> peer_state::several_events(words& line)
{
    std::vector<ss::event_object*> all;
    const std::scoped_lock lock(mutex_);
    while (const auto word = line.maybe()) {
        const auto star = word->find('*');
        if (star == std::string::npos) {
            all.push_back(look_up(events_, *word).get());
            continue;
        }
        const auto count = words::to_number<std::size_t>(word->substr(star + 1));
        for (std::size_t i = 0; i < count; ++i)
            all.push_back(look_up(events_, word->substr(0, star) + std::to_string(i)).get());
    }
    return all;
}

} // namespace test
