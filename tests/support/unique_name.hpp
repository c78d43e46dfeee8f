#pragma once

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include <unistd.h>

namespace test {

/// "test-<pid>-<counter>": a segment name that no other test uses at the same time, in any process.
inline std::string unique_name()
{
    static std::atomic<unsigned> counter{0};
    return "test-" + std::to_string(::getpid()) + "-" + std::to_string(++counter);
}

/// A new private directory in shared memory, removed with its contents at the end of scope. Its name has the process, as those of
/// unique_name have, for the case that the process is killed (leftovers.hpp).
class scratch_directory {
public:
    scratch_directory()
    {
        std::string name = "/dev/shm/sharedsock-test-" + std::to_string(::getpid()) + "-XXXXXX"; // mkdtemp replaces the six
        if (::mkdtemp(name.data()) == nullptr) {
            throw std::system_error(errno, std::generic_category(), "mkdtemp " + name);
        }
        path_ = name;
    }

    ~scratch_directory()
    {
        std::error_code ignored; // a leftover directory must not hide why the test failed
        std::filesystem::remove_all(path_, ignored);
    }

    scratch_directory(const scratch_directory&)            = delete;
    scratch_directory& operator=(const scratch_directory&) = delete;

    const std::filesystem::path& path() const noexcept { return path_; }

private:
    std::filesystem::path path_;
};

} // namespace test
