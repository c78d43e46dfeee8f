// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "upgrade_test.hpp"

#include "../support/child.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <iostream>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace prefork_http {
namespace {

namespace files = std::filesystem;
using play::require;

constexpr int patience_ms      = 20'000;
constexpr const char* segment  = "upgraded";
constexpr const char* own_file = "/proc/self/exe";

void wait_readable(int descriptor, const std::string& what)
{
    pollfd asked{descriptor, POLLIN, 0};
    int result = 0;
    while ((result = ::poll(&asked, 1, patience_ms)) < 0 && errno == EINTR) {
    }
    require(result == 1, what);
}

/// A connection that may last as long as the service does.
class kept_client {
public:
    explicit kept_client(std::uint16_t port)
    {
        sockaddr_in to{};
        to.sin_family      = AF_INET;
        to.sin_port        = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        require(::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0, "the server can be reached");
    }
    kept_client(kept_client&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
    kept_client& operator=(kept_client&&) = delete;
    ~kept_client()
    {
        if (socket_ >= 0) ::close(socket_);
    }

    void send(std::string_view text)
    {
        require(::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()),
                "a request can be sent");
    }
    void expect_answer()
    {
        std::string answer;
        while (!answer.ends_with(".\n")) {
            wait_readable(socket_, "every request is answered");
            std::array<char, 1024> room{};
            const ssize_t got = ::recv(socket_, room.data(), room.size(), 0);
            require(got > 0, "no connection ends");
            answer.append(room.data(), static_cast<std::size_t>(got));
        }
        require(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.find("Connection: close") == std::string::npos,
                "the answer is the right one, and the connection goes on");
    }
    void ask()
    {
        send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        expect_answer();
    }

private:
    int socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

/// Clients in a thread: some keep their connections, and one opens a new one for each request.
class busy_clients {
public:
    explicit busy_clients(std::uint16_t port) : thread_([this, port] { run(port); }) {}
    ~busy_clients() { end(); }
    busy_clients(const busy_clients&) = delete;

    /// So that requests are under way while an upgrade is.
    void wait_for(std::uint64_t more)
    {
        for (const std::uint64_t wanted = answers_ + more; answers_ < wanted && !has_failed_;)
            answers_.wait(answers_);
        check();
    }
    std::uint64_t end()
    {
        ends_ = true;
        if (thread_.joinable()) thread_.join();
        return answers_;
    }
    void check()
    {
        if (has_failed_) std::rethrow_exception(failure_);
    }

private:
    void run(std::uint16_t port)
    {
        try {
            std::vector<kept_client> kept;
            for (int i = 0; i < 8; ++i)
                kept.emplace_back(port);
            while (!ends_) {
                for (kept_client& one : kept)
                    one.ask();
                kept_client(port).ask();
                answers_ += kept.size() + 1;
                answers_.notify_all();
            }
        } catch (...) {
            failure_    = std::current_exception();
            has_failed_ = true;
            ++answers_;
            answers_.notify_all();
        }
    }

    std::atomic<std::uint64_t> answers_{0};
    std::atomic<bool> ends_{false};
    std::atomic<bool> has_failed_{false};
    std::exception_ptr failure_; // before `has_failed_`
    std::thread thread_;
};

/// A server that runs from a file that is replaced, under a service manager.
class installed_server {
public:
    installed_server()
    {
        ::prctl(PR_SET_CHILD_SUBREAPER, 1); // each next version comes here when the one before it ends
        require(::mkdtemp(directory_.data()) != nullptr, "there is room for a directory");
        install(own_file);
        sockaddr_un at{};
        at.sun_family = AF_UNIX;
        (directory_ + "/manager").copy(at.sun_path, sizeof at.sun_path - 1);
        require(::bind(manager_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0, "the manager can listen");
        require(::pipe2(said_, O_CLOEXEC) == 0, "there is a pipe");
        serving_ = ::fork();
        if (serving_ == 0) {
            ::dup2(said_[1], STDOUT_FILENO);
            ::setenv("NOTIFY_SOCKET", at.sun_path, 1);
            ::execl(file().c_str(), file().c_str(), "--port", "0", "--workers", "3", "--quiet", "--segment", segment, "--directory",
                    directory_.c_str(), nullptr);
            ::_exit(127);
        }
        ::close(std::exchange(said_[1], -1));
        const std::string address = next_line();
        port_                     = static_cast<std::uint16_t>(std::stoi(address.substr(address.find("1:") + 2)));
        require(next_line() == "process " + std::to_string(serving_) + " serves, segment " + segment, "the first version serves");
        expect_messages({{"READY=1", serving_}});
    }
    ~installed_server()
    {
        if (serving_ > 0) ::kill(serving_, SIGTERM); // a check has failed
        while (::wait(nullptr) > 0) {
        }
        ::close(said_[0]);
        ::close(manager_);
        files::remove_all(directory_);
    }
    installed_server(const installed_server&) = delete;

    std::uint16_t port() const noexcept { return port_; }
    pid_t serving() const noexcept { return serving_; }
    std::string file() const { return directory_ + "/server"; }

    /// As a package manager does it.
    void install(const std::string& program)
    {
        files::copy_file(program, file() + ".new");
        files::rename(file() + ".new", file());
    }

    void upgrade(const std::string& to)
    {
        install(to.empty() ? own_file : to);
        const pid_t before = serving_;
        ::kill(before, SIGUSR2);
        expect_messages({{"RELOADING=1", before}});
        const std::string line = next_line();
        const auto name        = line.find(segment);
        require(name != std::string::npos, "the next version says that it serves");
        // With another layout it cannot have the segment of the last version.
        require((line.substr(name) != segment) == !to.empty(), "the versions share a segment if they have one layout: " + line);
        serving_ = std::stoi(line.substr(line.find(' ')));
        require(serving_ != before, "the next version is another process");
        expect_end(before);
        const std::string main_pid = "MAINPID=" + std::to_string(serving_);
        expect_messages({{main_pid, before}, {main_pid, serving_}, {"READY=1", serving_}});
    }
    void upgrade_in_vain()
    {
        ::kill(serving_, SIGUSR2);
        expect_messages({{"RELOADING=1", serving_}});
        expect_messages({{"STATUS=no upgrade", serving_}});
        expect_messages({{"READY=1", serving_}});
    }
    void end()
    {
        ::kill(serving_, SIGTERM);
        expect_end(std::exchange(serving_, 0));
        std::size_t left = 0;
        for (const auto& one : files::directory_iterator(directory_))
            left += one.path().filename() != "server" && one.path().filename() != "manager" ? 1 : 0;
        require(left == 0, "nothing is left of the service");
    }

private:
    std::string next_line()
    {
        for (std::size_t end = 0; (end = text_.find('\n')) == std::string::npos;) {
            wait_readable(said_[0], "a server says what happens");
            std::array<char, 1024> room{};
            const ssize_t got = ::read(said_[0], room.data(), room.size());
            require(got > 0, "a server lives");
            text_.append(room.data(), static_cast<std::size_t>(got));
        }
        const auto end         = text_.find('\n');
        const std::string line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return line;
    }
    using messages = std::set<std::pair<std::string, pid_t>>; // the first line, and the sender

    /// In any order.
    void expect_messages(messages wanted)
    {
        while (!wanted.empty()) {
            const std::string what = "the manager hears " + wanted.begin()->first;
            wait_readable(manager_, what);
            const auto heard = next_message();
            require(wanted.erase(heard) == 1, what + ", and not " + heard.first + " from process " + std::to_string(heard.second));
        }
    }
    std::pair<std::string, pid_t> next_message()
    {
        std::array<char, 1024> room{};
        std::array<char, CMSG_SPACE(sizeof(ucred))> control{};
        iovec piece{room.data(), room.size()};
        msghdr message{};
        message.msg_iov        = &piece;
        message.msg_iovlen     = 1;
        message.msg_control    = control.data();
        message.msg_controllen = control.size();
        const ssize_t got      = ::recvmsg(manager_, &message, 0);
        require(got > 0, "a message to the manager can be read");
        ucred who{};
        if (const cmsghdr* const first = CMSG_FIRSTHDR(&message)) std::memcpy(&who, CMSG_DATA(first), sizeof who);
        const std::string text(room.data(), static_cast<std::size_t>(got));
        return {text.substr(0, text.find('\n')), who.pid};
    }
    static void expect_end(pid_t process)
    {
        int status = 1;
        require(::waitpid(process, &status, 0) == process && status == 0, "a version that is replaced or asked to ends with 0");
    }

    std::string directory_ = "/dev/shm/prefork_http-XXXXXX";
    int manager_           = receiver();
    int said_[2]           = {-1, -1};
    pid_t serving_         = 0;
    std::uint16_t port_    = 0;
    std::string text_;

    static int receiver()
    {
        const int number = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        const int on     = 1;
        ::setsockopt(number, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
        return number;
    }
};

} // namespace

void upgrade_test(const versions& tested)
{
    installed_server server;
    kept_client quiet(server.port());   // says nothing during the upgrades
    kept_client halting(server.port()); // is always in the middle of its request
    quiet.ask();
    busy_clients clients(server.port());
    constexpr std::size_t upgrades = 10;
    std::size_t failed             = 0;
    for (std::size_t i = 0; i < upgrades; ++i) {
        halting.send("GET / HTTP/1.1\r\nHo");
        clients.wait_for(100);
        if (i % 3 == 2) {
            server.install(i % 2 == 0 ? "/bin/false" : tested.flawed);
            server.upgrade_in_vain();
            ++failed;
        } else {
            server.upgrade(i % 3 == 0 ? tested.other : "");
        }
        halting.send("st: localhost\r\n\r\n");
        halting.expect_answer();
    }
    quiet.ask();
    clients.wait_for(100);
    const std::uint64_t answers = clients.end();
    clients.check();
    server.end();
    std::cout << answers << " requests over " << upgrades << " upgrades, " << failed << " of them in vain"
              << (tested.other.empty() ? "" : ", between two layouts") << ": each was answered, and no connection ended"
              << std::endl;
}

} // namespace prefork_http
