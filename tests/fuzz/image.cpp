// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A damaged segment under the command: check, show, who and list look at it, sweep and repair attach to it and end all that the
// dead have left, and all of its processes are dead. For any bytes, each ends with an answer or with a reason.
//
// An input is a row of changes to the image of a segment in use: an offset (three bytes), a count, so many bytes. One that
// begins with 0xff is the image's beginning instead.
#include "command/program.hpp"
#include "fuzz/target.hpp"
#include "store/segment_file.hpp"

#include <sharedsock/sharedsock.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

namespace ss = sharedsock;
using ss::detail::unique_fd;

class exhibit {
public:
    static exhibit& one()
    {
        static exhibit only;
        return only;
    }

    void show(const std::uint8_t* data, std::size_t size)
    {
        std::vector<std::uint8_t> image = whole_;
        fuzz::reader in(data, size);
        if (size != 0 && data[0] == 0xff) {
            std::copy_n(data + 1, std::min(size - 1, image.size()), image.begin());
        } else {
            while (in.left() >= 5) {
                const std::size_t at    = (in.byte() | std::size_t{in.byte()} << 8 | std::size_t{in.byte()} << 16) % image.size();
                const std::size_t count = std::min<std::size_t>({in.byte(), in.left(), image.size() - at});
                for (std::size_t i = 0; i < count; ++i)
                    image[at + i] = in.byte();
            }
        }
        fuzz::require(::pwrite(memory_.get(), image.data(), image.size(), 0) == static_cast<ssize_t>(image.size()),
                      "the image can be written");
        for (const auto& words : std::initializer_list<std::vector<std::string>>{{"check", "f"},
                                                                                 {"check", "f", "--json"},
                                                                                 {"show", "f"},
                                                                                 {"show", "f", "--json"},
                                                                                 {"who", "80"},
                                                                                 {"who", "http"},
                                                                                 {"list"},
                                                                                 {"sweep", "f"},
                                                                                 {"check", "f", "--repair"},
                                                                                 {"check", "f"}})
            ask(words);
    }

private:
    exhibit()
    {
        std::cerr.rdbuf(nullptr); // the command's remarks
        // A segment in use: two processes, sockets of three kinds, a name, a ticket, a handle that stands by.
        const ss::segment_options options{
            .sockets = 8, .processes = 4, .directory = directory_.path(), .patience = std::chrono::milliseconds(1)};
        const std::filesystem::path place = directory_.path() / ("sharedsock." + std::to_string(::geteuid()) + ".f");
        {
            ss::segment first  = ss::segment::create("f", options);
            ss::segment second = ss::segment::open("f", options);
            auto listener      = ss::shared_socket::listen(first, ss::socket_address::loopback(0));
            first.publish("http", listener);
            int ends[2];
            fuzz::require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
            auto one   = ss::shared_socket::adopt(first, ends[0]);
            auto other = ss::shared_socket::adopt(second, ends[1]);
            ss::event_object ready;
            listener.event_select(ready, ss::network_event::accept);
            auto again = ss::shared_socket::redeem(second, listener.duplicate(second.self()));
            again.stand_by(ready, ss::network_event::accept);
            (void)one.duplicate(second.self());
            unique_fd memory(::open((place / "memory").c_str(), O_RDONLY | O_CLOEXEC));
            struct stat status {};
            fuzz::require(::fstat(memory.get(), &status) == 0, "fstat");
            whole_.resize(static_cast<std::size_t>(status.st_size));
            fuzz::require(::pread(memory.get(), whole_.data(), whole_.size(), 0) == static_cast<ssize_t>(whole_.size()), "pread");
        }
        memory_.reset(::open((place / "memory").c_str(), O_RDWR | O_CLOEXEC));
        fuzz::require(static_cast<bool>(memory_), "the memory can be opened");
    }

    void ask(std::vector<std::string> words)
    {
        words.push_back("--directory=" + directory_.path().string());
        std::ostringstream answer;
        try {
            ss::command::answer(ss::command::parse(words), answer);
        } catch (const ss::command::failure& reason) {
            fuzz::require(*reason.what() != 0, "a failure has a reason");
        } catch (const ss::system_error& reason) {
            fuzz::require(static_cast<bool>(reason.code()), "a failure has a reason");
        }
    }

    fuzz::directory directory_;
    std::vector<std::uint8_t> whole_;
    unique_fd memory_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    exhibit::one().show(data, size);
    return 0;
}
