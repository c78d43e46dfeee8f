#pragma once

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <unistd.h>

namespace test {

/// "test-<pid>-<counter>": a segment name that no other test uses at the same time, in any process.
inline std::string unique_name()
{
    static std::atomic<unsigned> counter{0};
    return "test-" + std::to_string(::getpid()) + "-" + std::to_string(++counter);
}

/// Removes the segments that a dead process has left under such names.
inline void remove_segments_of(pid_t process)
{
    const std::string start = "sharedsock." + std::to_string(::geteuid()) + ".test-" + std::to_string(process) + "-";
    std::vector<std::filesystem::path> left;
    for (const auto& entry : std::filesystem::directory_iterator("/dev/shm"))
        if (entry.path().filename().string().compare(0, start.size(), start) == 0) left.push_back(entry.path());
    std::error_code ignored; // a leftover directory must not hide why a test failed
    for (const auto& path : left)
        std::filesystem::remove_all(path, ignored);
}

/// A new private directory in shared memory, removed with its contents at the end of scope.
class scratch_directory {
public:
    scratch_directory()
    {
        std::string name = "/dev/shm/sharedsock-test-" + std::string(6, 'X'); // mkdtemp replaces the six
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
