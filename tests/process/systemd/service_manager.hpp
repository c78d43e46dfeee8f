// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
// The test in the place of a service manager: it starts services with descriptors, hears what they say, and keeps what they store.
#pragma once

#include "support/child_process.hpp"
#include "support/unique_name.hpp"

#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

namespace test {

/// A descriptor of the test process.
class held_fd {
public:
    explicit held_fd(int number = -1) : number_(number) {}
    held_fd(held_fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    held_fd& operator=(held_fd&& other) noexcept
    {
        std::swap(number_, other.number_);
        return *this;
    }
    ~held_fd()
    {
        if (number_ >= 0) ::close(number_);
    }
    int get() const noexcept { return number_; }

private:
    int number_;
};

struct manager_message {
    std::string text;
    std::vector<held_fd> descriptors;
    pid_t sender = 0;
};

struct named_fd {
    std::string name;
    int number;
};

class service_manager {
public:
    /// Listens at a path; with `abstract`, at an abstract name.
    explicit service_manager(bool abstract = false);
    ~service_manager();

    /// The value of NOTIFY_SOCKET.
    const std::string& address() const noexcept { return address_; }
    /// The next message of a service; throws std::system_error if none comes within `test::patience`.
    manager_message next();
    /// No message has come and not been read.
    bool silent();

    /// A service (service_role.cpp) to which these descriptors are passed.
    child_process start(const std::vector<named_fd>& passed = {});

private:
    scratch_directory directory_;
    std::string address_;
    held_fd socket_;
};

/// Replaces a socket of a manager that went away: another one listens at the same path.
held_fd listen_for_notifications(const std::string& address);

} // namespace test
