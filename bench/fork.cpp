// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// fork(2) of a process that holds a hundred sockets; the child leaves at once.
#include "support/comparison.hpp"
#include "support/sockets.hpp"

#include <optional>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

namespace bench {
namespace {

constexpr int sockets = 100;

class forking {
public:
    static constexpr int batch      = 1;
    static constexpr int iterations = 40;

    ~forking() { prepare(); }
    void prepare()
    {
        if (child_ > 0) ::waitpid(child_, nullptr, 0);
        child_ = -1;
    }
    void step(int)
    {
        child_ = checked(::fork(), "fork");
        if (child_ == 0) ::_exit(0);
    }

private:
    pid_t child_ = -1;
};

class raw_fork : public forking {
public:
    raw_fork()
    {
        for (int i = 0; i < sockets; ++i)
            held_.emplace_back(checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    }

private:
    std::vector<unique_fd> held_;
};

class fork_with_handles : public forking {
public:
    fork_with_handles()
    {
        for (int i = 0; i < sockets; ++i)
            held_.push_back(ss::shared_socket::open(where_, AF_INET, SOCK_STREAM));
    }
    void prepare()
    {
        forking::prepare();
        where_.sweep();
    }

private:
    ss::segment where_ = ss::segment::create_unnamed();
    std::vector<ss::shared_socket> held_;
};

} // namespace

void add_fork(comparisons& all) { all.push_back(compare<raw_fork, fork_with_handles>("fork with 100 handles", {})); }

} // namespace bench
