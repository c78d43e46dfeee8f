// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "next_version.hpp"

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <system_error>
#include <utility>

#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace prefork_http {

next_version::next_version() : path_(std::filesystem::read_symlink("/proc/self/exe"))
{
    ::sigprocmask(SIG_SETMASK, nullptr, &mask_);
}

next_version::~next_version() { let_go(); }

void next_version::start(std::vector<std::string> arguments)
{
    if (pid_ != 0) return;
    std::vector<char*> words{path_.data()};
    for (std::string& word : arguments)
        words.push_back(word.data());
    words.push_back(nullptr);
    posix_spawnattr_t how;
    ::posix_spawnattr_init(&how);
    ::posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK);
    ::posix_spawnattr_setsigmask(&how, &mask_);
    const int failure = ::posix_spawn(&pid_, path_.c_str(), nullptr, &how, words.data(), environ);
    ::posix_spawnattr_destroy(&how);
    if (failure != 0) {
        pid_ = 0;
        throw std::system_error(failure, std::system_category(), path_);
    }
    handle_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    if (handle_ >= 0) return;
    const int why = errno;
    kill();
    throw std::system_error(why, std::system_category(), "pidfd_open");
}

bool next_version::has_ended()
{
    pollfd asked{handle_, POLLIN, 0};
    if (pid_ == 0 || ::poll(&asked, 1, 0) != 1) return false;
    ::waitpid(pid_, nullptr, 0);
    let_go();
    return true;
}

void next_version::kill()
{
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    let_go();
}

void next_version::let_go() noexcept
{
    pid_ = 0;
    if (handle_ >= 0) ::close(std::exchange(handle_, -1));
}

} // namespace prefork_http
