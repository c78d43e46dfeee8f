#include "support/child_process.hpp"

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/leftovers.hpp"
#include "support/scratch_segment.hpp"
#include "support/unique_name.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

SHAREDSOCK_CHILD_ROLE(echo)
{
    for (const auto& word : role.args) {
        role.say(word);
    }
    role.say("ready");
    while (const auto command = role.hear()) {
        role.say(*command);
    }
    return 7;
}

SHAREDSOCK_CHILD_ROLE("serves two verbs")
{
    return role.serve({
        {"double", [](const std::string& rest) { return rest + rest; }},
        {"throw", [](const std::string& rest) -> std::string { throw std::runtime_error(rest); }},
    });
}

SHAREDSOCK_CHILD_ROLE(throws) { throw std::runtime_error("this line on stderr belongs to a test that passes"); }

SHAREDSOCK_CHILD_ROLE("starts an echo and says its process id")
{
    test::child_process grandchild("echo");
    grandchild.wait_for("ready");
    role.say(std::to_string(grandchild.pid()));
    role.hear();
    return 0;
}

SHAREDSOCK_CHILD_ROLE("makes a segment, a directory and a forked child, and waits")
{
    test::scratch_segment segment;
    test::scratch_directory directory;
    const pid_t child = ::fork();
    if (child == 0)
        for (;;)
            ::pause();
    role.say(segment.name());
    role.say(directory.path().string());
    role.say(std::to_string(child));
    role.hear();
    return 0;
}

namespace {

bool segment_exists(const std::string& name)
{
    return std::filesystem::exists("/dev/shm/sharedsock." + std::to_string(::geteuid()) + "." + name);
}

// The state of proc(5): R, S, T for stopped, Z...
char state_of(pid_t process)
{
    std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
    std::string text((std::istreambuf_iterator<char>(stat)), {});
    const auto end_of_name = text.rfind(") ");
    return end_of_name == std::string::npos ? '-' : text.at(end_of_name + 2);
}

} // namespace

TEST_CASE("a child gets its arguments, answers, and ends when its input does", "[support]")
{
    test::child_process child("echo", {"two words", ""});
    CHECK(child.line() == "two words");
    CHECK(child.line().empty());
    child.wait_for("ready");
    CHECK(child.ask("hello") == "hello");
    child.close_input();
    CHECK(child.wait() == 7);
    CHECK(child.wait() == 7);
}

TEST_CASE("wait_for remembers the lines it passes over", "[support]")
{
    test::child_process child("echo", {"one", "two"});
    child.wait_for("ready");
    CHECK(child.skipped() == std::vector<std::string>{"one", "two"});
}

TEST_CASE("serve answers by verb and turns exceptions into answers", "[support]")
{
    test::child_process child("serves two verbs");
    CHECK(child.ask("double a b ") == "a b a b ");
    CHECK(child.ask("double") == "");
    CHECK(child.ask("throw it was meant") == "error: it was meant");
    CHECK(child.ask("dance") == "error: unknown command 'dance'");
    child.close_input();
    CHECK(child.wait() == 0);
}

TEST_CASE("a killed child is told apart from one that exits", "[support]")
{
    test::child_process child("echo");
    child.wait_for("ready");
    child.kill(SIGKILL);
    CHECK(child.wait() == -SIGKILL);
    CHECK_THROWS_AS(child.kill(SIGTERM), test::child_error);
}

TEST_CASE("a child that ends early fails the wait with its exit code", "[support]")
{
    test::child_process child("throws");
    CHECK_THROWS_WITH(child.wait_for("ready"), test::contains("'ready'") && test::contains("exit code 99"));
    CHECK_THROWS_WITH(child.tell("anything"), test::contains("could not be told 'anything'"));
    CHECK(child.wait() == 99);
}

TEST_CASE("an unknown role ends with exit code 99", "[support]")
{
    test::child_process child("nobody's");
    CHECK(child.wait() == 99);
}

TEST_CASE("a stopped child stands still until it is resumed", "[support]")
{
    test::child_process child("echo");
    child.wait_for("ready");
    child.stop();
    CHECK(state_of(child.pid()) == 'T');
    child.tell("late");
    child.resume();
    CHECK(child.line() == "late");
}

TEST_CASE("a child dies with its parent", "[support]")
{
    // This process becomes the orphan's reaper, so that its end is seen even where process 1 reaps nothing.
    REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    test::child_process parent("starts an echo and says its process id");
    const pid_t grandchild = std::stoi(parent.line());
    parent.kill(SIGKILL);
    REQUIRE(parent.wait() == -SIGKILL);
    CHECK(test::eventually([&] { return state_of(grandchild) == 'Z'; }));
    CHECK(::waitpid(grandchild, nullptr, 0) == grandchild);
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST_CASE("a child that its test gives up is killed with the children that it has forked, and what it left is removed", "[support]")
{
    REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    std::string segment, directory;
    pid_t grandchild = 0;
    {
        test::child_process child("makes a segment, a directory and a forked child, and waits");
        segment    = child.line();
        directory  = child.line();
        grandchild = std::stoi(child.line());
        CHECK(segment_exists(segment));
        CHECK(std::filesystem::exists(directory));
    }
    CHECK_FALSE(segment_exists(segment));
    CHECK_FALSE(std::filesystem::exists(directory));
    CHECK(test::eventually([&] { return state_of(grandchild) == 'Z'; }));
    ::kill(grandchild, SIGKILL);
    CHECK(::waitpid(grandchild, nullptr, 0) == grandchild);
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST_CASE("the leftovers of dead processes are removed, and those of the living are not", "[support]")
{
    test::child_process dead("echo");
    dead.close_input();
    REQUIRE(dead.wait() == 7);
    const std::filesystem::path left  = "/dev/shm/sharedsock-test-" + std::to_string(dead.pid()) + "-abcdef";
    const std::filesystem::path other = "/dev/shm/sharedsock-test-of-other-code-" + std::to_string(::getpid());
    std::filesystem::create_directory(left);
    std::filesystem::create_directory(other);
    test::scratch_segment segment;
    test::scratch_directory directory;
    test::remove_leftovers_of_the_dead();
    CHECK_FALSE(std::filesystem::exists(left));
    CHECK(std::filesystem::exists(other));
    CHECK(segment_exists(segment.name()));
    CHECK(std::filesystem::exists(directory.path()));
    std::filesystem::remove(left);
    std::filesystem::remove(other);
}

TEST_CASE("a child inherits none of the test's descriptors that are closed on exec, nor its channel to another child", "[support]")
{
    test::child_process first("echo");
    test::child_process second("echo");
    first.wait_for("ready");
    second.wait_for("ready");
    first.kill(SIGKILL);
    // Were its end of the channel open in the second child as well, the wait would not see the end of lines.
    CHECK_THROWS_WITH(first.line(), test::contains("killed by signal 9"));
    CHECK(second.ask("still here") == "still here");
}

TEST_CASE("a child is moved with its lines", "[support]")
{
    std::vector<test::child_process> children;
    children.emplace_back("echo");
    children.emplace_back("echo");
    for (auto& child : children) {
        child.wait_for("ready");
        CHECK(child.ask("moved") == "moved");
    }
}

TEST_CASE("names are unique and a scratch directory is removed with its contents", "[support]")
{
    CHECK(test::unique_name() != test::unique_name());
    std::filesystem::path path;
    {
        test::scratch_directory scratch;
        path = scratch.path();
        std::ofstream(path / "file") << "something";
        REQUIRE(std::filesystem::exists(path / "file"));
    }
    CHECK_FALSE(std::filesystem::exists(path));
}
