// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cerrno>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace test {

/// A `T` in a file, in memory that all processes share which name that file; all zeros when it is new. Values that a killed
/// process has written stay. `T` has no constructor, and atomic members where several processes write.
template <class T>
class shared_file {
public:
    explicit shared_file(const std::string& path)
    {
        const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (file < 0 || ::ftruncate(file, sizeof(T)) != 0) throw std::system_error(errno, std::generic_category(), path);
        void* const at = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        ::close(file);
        if (at == MAP_FAILED) throw std::system_error(errno, std::generic_category(), path);
        value_ = static_cast<T*>(at);
    }
    ~shared_file() { ::munmap(value_, sizeof(T)); }
    shared_file(const shared_file&)            = delete;
    shared_file& operator=(const shared_file&) = delete;

    T& operator*() const noexcept { return *value_; }
    T* operator->() const noexcept { return value_; }

private:
    T* value_ = nullptr;
};

} // namespace test
