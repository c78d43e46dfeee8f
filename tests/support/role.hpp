// The child's side: the roles of a process that was started as `<test binary> --child <role> [args...]`.
#pragma once

#include "support/line_channel.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace test {

/// The tools of a role. Catch2's assertions mean nothing in a child: it says its findings, and the parent checks them.
class role_context {
public:
    /// Gets the rest of a command after its verb and returns the answer, one line.
    using handler  = std::function<std::string(const std::string& rest)>;
    using handlers = std::map<std::string, handler, std::less<>>;

    role_context(std::vector<std::string> arguments, line_channel channel);

    /// Sends a line to the parent.
    void say(std::string_view line);

    /// The parent's next command; nothing when it has closed the input.
    std::optional<std::string> hear();

    /// Answers each command "verb rest..." with the result of the verb's handler, or with "error: <what>" when it throws,
    /// until the input ends. Returns 0, so that a role may end with it.
    int serve(const handlers& verbs);

    /// Moves the channel to a number of 100 or above, for roles that arrange low numbers.
    void raise_channel();

    /// Executes this binary once more, in another role of the same process. The channel stays, and so do the descriptors that are
    /// not close-on-exec. Returns only by an exception. With a `starter`, a program and its arguments, that program executes the
    /// binary, and the channel is on stdin and stdout, because starters close other descriptors.
    [[noreturn]] void become(std::string_view role, const std::vector<std::string>& starter = {});

    std::vector<std::string> args;

private:
    line_channel channel_;
};

using role_function = int (*)(role_context&);

/// Enters a role under its name; a sentence loses its quotes.
struct role_registration {
    role_registration(std::string_view name, role_function function);
};

/// Runs `role` in this process; the result is the exit code. A role that throws says so on stderr and exits with 99.
int run_role(const std::string& role, std::vector<std::string> args);

/// The variable by which a child gets "<descriptor of the channel> <process id of the parent>".
/// Without it a role talks on stdin and stdout, so that a person can try it.
inline constexpr const char* channel_variable = "SHAREDSOCK_TEST_CHANNEL";

} // namespace test

/// Defines a role: SHAREDSOCK_CHILD_ROLE(holder) { role.say("ready"); ...; return 0; }
/// The name is an identifier or a sentence in quotes; the body gets `test::role_context& role` and returns the exit code.
#define SHAREDSOCK_CHILD_ROLE(name) SHAREDSOCK_CHILD_ROLE_(#name, SHAREDSOCK_JOIN_(sharedsock_role_, __COUNTER__))
#define SHAREDSOCK_CHILD_ROLE_(text, function)                                                                                     \
    static int function([[maybe_unused]] ::test::role_context& role);                                                              \
    static const ::test::role_registration SHAREDSOCK_JOIN_(function, _registration)(text, function);                              \
    static int function([[maybe_unused]] ::test::role_context& role)
#define SHAREDSOCK_JOIN_(left, right) SHAREDSOCK_JOIN_EXPANDED_(left, right)
#define SHAREDSOCK_JOIN_EXPANDED_(left, right) left##right
