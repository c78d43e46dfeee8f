// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <cstddef>

// Starting a child process and writing to it: the part that is different on Windows (CreateProcess, with a pipe as the child's
// standard input).

/// A child process, whose standard input this process writes.
class child_process {
public:
    child_process() = default;
    ~child_process();
    child_process(const child_process&)            = delete;
    child_process& operator=(const child_process&) = delete;

    bool start(const char* program, const char* argument);
    unsigned long id() const { return static_cast<unsigned long>(id_); } ///< as WSADuplicateSocket takes it
    bool write(const void* bytes, std::size_t size);
    int finish(); ///< ends its input and waits; its exit code, -1 if it did not end by itself

private:
    int id_    = -1;
    int input_ = -1;
};

/// In the child: exactly so many bytes from the parent; false at the end.
bool read_from_parent(void* bytes, std::size_t size);
