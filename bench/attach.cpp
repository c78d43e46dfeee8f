// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Joining a segment, by its capacity; all its pages exist.
#include "attach/attachment.hpp"
#include "support/comparison.hpp"
#include "support/sockets.hpp"

#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bench {
namespace {

std::string name_of(int sockets)
{
    static const std::string prefix = "bench-" + std::to_string(::getpid()) + "-"; // of the first process, in its children too
    return prefix + std::to_string(sockets);
}

// The segments stay from the first use to the end of the program: to make the pages of the largest takes seconds.
struct removal {
    removal() { name_of(0); }
    ~removal()
    {
        for (const int sockets : {1'000, 100'000, 1'000'000}) {
            ss::error_code ignored;
            ss::segment::remove(name_of(sockets), {}, true, ignored);
        }
    }
};

template <int sockets>
class named_segment {
public:
    static constexpr int batch      = 4;
    static constexpr int iterations = sockets < 1'000'000 ? 20 : 2; // to detach takes its time there

    named_segment()
    {
        ss::error_code ec;
        ss::detail::attachment& made = *where_.attachment();
        made.back_socket(sockets - 1, ec);
        if (!ec) made.back_handle(2 * sockets - 1, ec);
        if (ec) throw ss::system_error(ec, "pages of the segment");
    }

protected:
    const std::string name_ = name_of(sockets);
    ss::segment where_      = ss::segment::open_or_create(name_, {.sockets = sockets});
};

// Open and map its memory, and read one word.
template <int sockets>
class map_file : public named_segment<sockets> {
public:
    ~map_file() { prepare(); }
    void prepare()
    {
        for (auto& one : mapped_) {
            if (one.address != nullptr) ::munmap(one.address, size());
            one = {};
        }
    }
    void step(int i)
    {
        auto& one = mapped_[i];
        one.file.reset(checked(::openat(directory_, "memory", O_RDWR | O_CLOEXEC | O_NOFOLLOW), "openat"));
        one.address = ::mmap(nullptr, size(), PROT_READ | PROT_WRITE, MAP_SHARED, one.file.get(), 0);
        if (one.address == MAP_FAILED) throw std::runtime_error("mmap");
        benchmark::DoNotOptimize(*static_cast<volatile std::uint64_t*>(one.address));
    }

private:
    struct mapping {
        unique_fd file;
        void* address = nullptr;
    };
    std::size_t size() const { return this->where_.attachment()->file().plan().size_bytes; }

    const int directory_ = this->where_.attachment()->file().directory();
    mapping mapped_[named_segment<sockets>::batch];
};

template <int sockets>
class attach : public named_segment<sockets> {
public:
    void prepare()
    {
        for (auto& one : attached_)
            one = {};
    }
    void step(int i) { attached_[i] = ss::segment::open(this->name_); }

private:
    ss::segment attached_[named_segment<sockets>::batch];
};

template <int sockets>
class map_and_unmap : public map_file<sockets> {
public:
    static constexpr int batch      = 1;
    static constexpr int iterations = sockets < 1'000'000 ? 50 : 4;
    void prepare() {}
    void step(int i)
    {
        map_file<sockets>::step(i);
        map_file<sockets>::prepare();
    }
};

template <int sockets>
class attach_and_detach : public attach<sockets> {
public:
    static constexpr int batch      = 1;
    static constexpr int iterations = sockets < 1'000'000 ? 50 : 4;
    static constexpr bool countable = sockets < 1'000'000;
    void prepare() {}
    void step(int i)
    {
        attach<sockets>::step(i);
        attach<sockets>::prepare();
    }
};

} // namespace

void add_attach(comparisons& all)
{
    static const removal at_the_end;
    all.push_back(compare<map_file<1'000>, attach<1'000>>("attach, 10^3 sockets", {.ratio = 2}));
    all.push_back(compare<map_file<100'000>, attach<100'000>>("attach, 10^5 sockets", {.ratio = 2}));
    all.push_back(compare<map_file<1'000'000>, attach<1'000'000>>("attach, 10^6 sockets", {.ratio = 2}));
    all.push_back(compare<map_and_unmap<1'000>, attach_and_detach<1'000>>("attach + detach, 10^3 sockets", {}));
    all.push_back(compare<map_and_unmap<1'000'000>, attach_and_detach<1'000'000>>("attach + detach, 10^6 sockets", {}));
}

double shared_bytes_per_socket(int handles)
{
    constexpr int sockets = 50'000;
    const ss::segment where =
        ss::segment::create_unnamed({.sockets = sockets, .handles = sockets * static_cast<std::uint32_t>(handles) + 4});
    const auto allocated = [&] {
        struct stat about {};
        checked(::fstat(where.memory_handle(), &about), "fstat");
        return static_cast<double>(about.st_blocks) * 512;
    };
    ss::error_code ec;
    ss::detail::membership& self = *where.attachment()->member(ec);
    const double before          = allocated();
    const double maps            = 1.0 / 8 * (1 + handles) * 65 / 64; // of both tables; they have pages from the start
    for (int i = 0; i < sockets; ++i) {
        const auto made =
            self.create_socket({.cookie = static_cast<std::uint64_t>(i) + 1, .family = AF_INET, .type = SOCK_STREAM}, ec);
        for (int more = 1; !ec && more < handles; ++more)
            self.open_handle(made.socket, ec);
        if (ec) throw ss::system_error(ec, "sockets of the segment");
    }
    return (allocated() - before) / sockets + maps;
}

} // namespace bench
