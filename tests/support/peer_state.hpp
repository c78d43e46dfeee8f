// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// The state of a peer, and its commands.
#pragma once

#include "support/peer_errors.hpp"
#include "support/peer_words.hpp"
#include "support/role.hpp"

#include <sharedsock/sharedsock.hpp>

#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <vector>

namespace test {

/// The child's side of peer.hpp, which describes the commands. Each of the `add_..._verbs` is in the file of that name.
class peer_state {
public:
    explicit peer_state(const std::string& segment_name, const sharedsock::segment_options& options = {});

    /// The answer to one command, as `serve` would give it; throws if the command fails.
    std::string run(const std::string& command);

    const role_context::handlers& verbs() const noexcept { return verbs_; }

private:
    using socket_ptr = std::shared_ptr<sharedsock::shared_socket>;

    socket_ptr socket(words& line);
    socket_ptr& look_up_to_change(const std::string& name); // with mutex_ held
    void keep(const std::string& name, sharedsock::shared_socket&& made, const sharedsock::error_code& ec);
    std::shared_ptr<sharedsock::event_object> event(words& line);
    // The event objects that the rest of a line names; "e*300" stands for e0 to e299.
    std::vector<sharedsock::event_object*> several_events(words& line);

    // A verb whose answer is the text that `action` returns; "ok" for an action without a result. `ec` is checked afterwards.
    template <class Action>
    void add(const char* verb, Action action)
    {
        verbs_[verb] = [action](const std::string& rest) {
            words line(rest);
            sharedsock::error_code ec;
            std::string answer;
            try {
                if constexpr (std::is_void_v<decltype(action(line, ec))>)
                    action(line, ec);
                else
                    answer = action(line, ec);
            } catch (const sharedsock::system_error& failure) { // of a call that has only the throwing form
                ec = failure.code();
            }
            succeed(ec);
            return answer.empty() ? std::string("ok") : answer;
        };
    }

    void add_socket_verbs();
    void add_sharing_verbs();
    void add_data_verbs();
    void add_option_verbs();
    void add_event_verbs();
    void add_registration_verbs();
    void add_process_verbs();

    sharedsock::segment segment_;
    role_context::handlers verbs_; // constant once made
    std::mutex mutex_;             // guards the three below
    std::map<std::string, socket_ptr> sockets_;
    std::map<std::string, std::shared_ptr<sharedsock::event_object>> events_;
    std::vector<socket_ptr> forgotten_;
    std::map<std::string, std::future<std::string>> threads_; // of the main thread
    sharedsock::pending_hand_over given_;
};

} // namespace test
