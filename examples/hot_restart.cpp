// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A line server that upgrades itself under its clients. Start it, connect with a few telnets, and send it SIGUSR2:
//
//     hot_restart --serve DIRECTORY FILE [--bad crash|hang|refuse|decline|kill]
//
// FILE has the arguments of the next version, and is empty for a good one. --self-test plays 20 upgrades under 200 clients in the
// middle of their lines, five of them by versions that crash, hang, refuse, decline, or kill their predecessor.
#include "hot_restart/clients.hpp"
#include "hot_restart/server.hpp"
#include "support/child.hpp"

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using hot_restart::flaw;

flaw flaw_called(const std::string& name)
{
    return name == "crash"     ? flaw::crash
           : name == "hang"    ? flaw::hang
           : name == "refuse"  ? flaw::refuse
           : name == "decline" ? flaw::decline
           : name == "kill"    ? flaw::kills_predecessor
                               : flaw::none;
}

// The lines that the servers print.
class news {
public:
    explicit news(int descriptor) : descriptor_(descriptor) {}
    int descriptor() const noexcept { return descriptor_; }
    void read()
    {
        char room[4096];
        const ssize_t got = ::read(descriptor_, room, sizeof room);
        play::require(got > 0, "a server lives");
        text_.append(room, static_cast<std::size_t>(got));
    }
    bool next(std::string& line)
    {
        const auto end = text_.find('\n');
        if (end == std::string::npos) return false;
        line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return true;
    }

private:
    int descriptor_;
    std::string text_;
};

class play_of_upgrades {
public:
    play_of_upgrades(std::string program, std::string directory, int descriptor)
        : program_(std::move(program)), directory_(std::move(directory)), news_(descriptor)
    {}

    void wait_for_line(std::string& line, hot_restart::line_clients* clients)
    {
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (!news_.next(line)) {
            play::require(std::chrono::steady_clock::now() < limit, "an upgrade ends");
            if (clients == nullptr || clients->talk(news_.descriptor())) news_.read();
        }
    }

    void run()
    {
        std::string line;
        wait_for_line(line, nullptr);
        const auto port = static_cast<std::uint16_t>(std::stoi(line.substr(5)));
        wait_for_line(line, nullptr);
        note_serving(line);
        constexpr std::size_t count = 200;
        hot_restart::line_clients clients(count, port);
        const std::vector<std::string> bad{"crash", "hang", "refuse", "decline", "kill"};
        std::uint64_t lost = 0; // connections that a killed process had
        for (std::size_t i = 0; i < 20; ++i) {
            while (!clients.all_talk() || clients.disconnects() < lost)
                clients.talk(-1);
            play::require(clients.disconnects() == lost, "no connection ends but those of a process that was killed");
            const bool is_bad = i % 4 == 3;
            std::ofstream(directory_ + "/next") << (is_bad ? "--bad " + bad.at(i / 4) : std::string());
            ::kill(serving_, SIGUSR2);
            wait_for_line(line, &clients);
            if (line.starts_with("failed ")) { // it has taken so many before it was killed
                play::require(is_bad, "a good version takes over");
                lost += std::stoull(line.substr(7));
            } else {
                play::require(!is_bad || bad.at(i / 4) == "kill", "a bad version does not take over");
                lost += count - note_serving(line); // the rest was its killed predecessor's
            }
            if (is_bad) std::cout << "a version with the flaw " << bad.at(i / 4) << ": " << line << std::endl;
        }
        while (!clients.all_talk() || clients.disconnects() < lost)
            clients.talk(-1);
        play::require(clients.disconnects() == lost, "no connection ends but those of a process that was killed");
        ::kill(serving_, SIGTERM);
        std::cout << clients.answers() << " lines, none lost or doubled; 200 clients, 20 upgrades, 5 of them bad; " << lost
                  << " disconnects, all of processes that were killed after they had acknowledged" << std::endl;
    }

private:
    // "serving PID with COUNT"
    std::size_t note_serving(const std::string& line)
    {
        std::istringstream words(line);
        std::string word;
        std::size_t count = 0;
        words >> word >> serving_ >> word >> count;
        play::require(line.starts_with("serving "), "a server serves: " + line);
        return count;
    }

    std::string program_;
    std::string directory_;
    news news_;
    pid_t serving_ = 0;
};

int self_test(const std::string& program)
{
    ::prctl(PR_SET_CHILD_SUBREAPER, 1); // the successors of the first server come here when it ends
    std::string directory = "/dev/shm/sharedsock-hot-restart-XXXXXX";
    play::require(::mkdtemp(directory.data()) != nullptr, "there is room for a directory");
    std::ofstream(directory + "/next").close();
    int ends[2];
    play::require(::pipe(ends) == 0, "there is a pipe");
    const pid_t first = ::fork();
    if (first == 0) {
        ::setpgid(0, 0); // its successors are in this group as well
        ::dup2(ends[1], STDOUT_FILENO);
        ::close(ends[0]);
        ::close(ends[1]);
        const std::string next = directory + "/next";
        ::execl(program.c_str(), program.c_str(), "--serve", directory.c_str(), next.c_str(), nullptr);
        ::_exit(127);
    }
    ::close(ends[1]);
    int code = 0;
    try {
        play_of_upgrades(program, directory, ends[0]).run();
    } catch (const std::exception& failure) {
        std::cerr << failure.what() << std::endl;
        code = 1;
    }
    ::close(ends[0]);
    if (code != 0) ::kill(-first, SIGKILL); // else the last one has SIGTERM
    while (::wait(nullptr) > 0) {
    }
    const bool is_clean = std::filesystem::remove_all(directory) == 2; // the directory and the file of the next version
    return code != 0 ? code : is_clean ? 0 : 2;
}

} // namespace

int main(int count, char** words)
try {
    const std::vector<std::string> all(words + 1, words + count);
    if (all.size() == 1 && all[0] == "--self-test") return self_test("/proc/self/exe");
    if (all.size() < 3 || all[0] != "--serve") {
        std::cerr << "hot_restart --serve DIRECTORY FILE [--bad FLAW] | --self-test\n";
        return 2;
    }
    const flaw bad = all.size() == 5 && all[3] == "--bad" ? flaw_called(all[4]) : flaw::none;
    return hot_restart::line_server({"/proc/self/exe", all[1], all[2], bad}).run();
} catch (const std::exception& failure) {
    std::cerr << "process " << ::getpid() << ": " << failure.what() << std::endl;
    return 1;
}
