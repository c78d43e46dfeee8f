// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "deployment/deployed_peer.hpp"

#include "support/peer_state.hpp"
#include "support/peer_words.hpp"
#include "support/role.hpp"

#include <sharedsock/sharedsock.hpp>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <exception>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ss = sharedsock;

namespace {

void check(int result, const char* call)
{
    if (result != 0) throw std::runtime_error(std::string(call) + ": " + std::strerror(errno));
}

void become(test::words line)
{
    const auto user = line.number<uid_t>("user");
    std::vector<gid_t> groups;
    while (const auto word = line.maybe())
        groups.push_back(test::words::to_number<gid_t>(*word));
    check(::setgroups(groups.size(), groups.data()), "setgroups");
    check(::setgid(groups.empty() ? user : groups.front()), "setgid");
    check(::setuid(user), "setuid");
}

// As the user that it was, who alone has a number there.
void enter_mapped_user_namespace()
{
    const std::string user = std::to_string(::geteuid());
    check(::unshare(CLONE_NEWUSER), "unshare");
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream map("/proc/self/uid_map");
    map << user << ' ' << user << " 1";
    map.close();
    check(map ? 0 : -1, "uid_map");
}

void drop_capabilities()
{
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3]{};
    check(static_cast<int>(::syscall(SYS_capset, &header, none)), "capset");
}

std::optional<std::uint32_t> id_of(const std::string& word)
{
    return word == "-" ? std::nullopt : std::optional(test::words::to_number<std::uint32_t>(word));
}

template <class Action>
test::role_context::handler verb(Action action)
{
    return [action](const std::string& rest) {
        action(test::words(rest));
        return std::string("ok");
    };
}

} // namespace

SHAREDSOCK_CHILD_ROLE("deployed peer")
{
    ss::segment_options options;
    options.directory = role.args.at(1);
    options.owner     = id_of(role.args.at(2));
    options.group     = id_of(role.args.at(3));
    std::optional<test::peer_state> state;
    try {
        if (role.args.at(4) == "in a user namespace")
            enter_mapped_user_namespace();
        else if (!role.args.at(4).empty())
            become(test::words(role.args.at(4)));
        state.emplace(role.args.at(0), options);
    } catch (const std::exception& failure) {
        role.say(failure.what());
        return 0;
    }
    auto verbs                    = state->verbs();
    verbs["become"]               = verb([](test::words line) { become(std::move(line)); });
    verbs["effective"]            = verb([](test::words line) { check(::seteuid(line.number<uid_t>("user")), "seteuid"); });
    verbs["drop_capabilities"]    = verb([](const test::words&) { drop_capabilities(); });
    verbs["enter_user_namespace"] = verb([](const test::words&) { check(::unshare(CLONE_NEWUSER), "unshare"); });
    verbs["dumpable"]             = verb([](const test::words&) { check(::prctl(PR_SET_DUMPABLE, 1), "prctl"); });
    role.say("ready");
    return role.serve(verbs);
}
