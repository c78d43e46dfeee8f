// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A process that holds a lock is killed; the time until the next process has the lock.
#include "attach/attachment.hpp"
#include "attach/handle.hpp"
#include "support/comparison.hpp"
#include "support/helper_process.hpp"

#include <memory>
#include <new>

#include <pthread.h>
#include <sys/mman.h>

namespace bench {
namespace {

// A robust mutex in shared memory.
class robust_mutex {
public:
    robust_mutex()
    {
        void* const memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc();
        mutex_ = new (memory) pthread_mutex_t;
        pthread_mutexattr_t attributes;
        ::pthread_mutexattr_init(&attributes);
        ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
        ::pthread_mutex_init(mutex_, &attributes);
        ::pthread_mutexattr_destroy(&attributes);
    }
    ~robust_mutex() { ::munmap(mutex_, 4096); }

    void hold_for_ever(channel& talk)
    {
        ::pthread_mutex_lock(mutex_);
        talk.put('h');
        for (;;)
            ::pause();
    }
    void lock_and_unlock()
    {
        if (::pthread_mutex_lock(mutex_) == EOWNERDEAD) ::pthread_mutex_consistent(mutex_);
        ::pthread_mutex_unlock(mutex_);
    }
    void buried() {}

private:
    pthread_mutex_t* mutex_;
};

// The lock of a slot, with the repair of the slot.
class slot_lock {
public:
    void hold_for_ever(channel& talk)
    {
        ss::error_code ec;
        const ss::detail::membership::slot_guard guard(*socket_.impl()->member(ec), socket_.impl()->socket().index, ec);
        talk.put(ec ? 'e' : 'h');
        for (;;)
            ::pause();
    }
    void lock_and_unlock()
    {
        ss::error_code ec;
        const ss::detail::membership::slot_guard guard(*socket_.impl()->member(ec), socket_.impl()->socket().index, ec);
        if (ec) throw ss::system_error(ec, "slot lock");
    }
    void buried() { where_.sweep(); }

private:
    ss::segment where_        = ss::segment::create_unnamed();
    ss::shared_socket socket_ = ss::shared_socket::open(where_, AF_INET, SOCK_STREAM);
};

// The holder dies while this process waits.
template <class Lock>
class death_of_holder {
public:
    static constexpr int batch      = 1;
    static constexpr int iterations = 15;

    void prepare()
    {
        holder_.reset();
        lock_.buried();
        holder_ = std::make_unique<helper_process>([this](channel& talk) { lock_.hold_for_ever(talk); });
        if (holder_->talk().get<char>() != 'h') throw std::runtime_error("the helper did not get the lock");
    }
    void step(int)
    {
        holder_->signal(SIGKILL);
        lock_.lock_and_unlock();
    }

protected:
    Lock lock_;
    std::unique_ptr<helper_process> holder_;
};

// The holder was dead before.
template <class Lock>
class dead_holder : public death_of_holder<Lock> {
public:
    void prepare()
    {
        death_of_holder<Lock>::prepare();
        this->holder_->end();
    }
    void step(int) { this->lock_.lock_and_unlock(); }
};

} // namespace

void add_lock_death(comparisons& all)
{
    const goal soon{.ratio = 1.5};
    all.push_back(compare<death_of_holder<robust_mutex>, death_of_holder<slot_lock>>("kill the lock's holder + lock", soon));
    all.push_back(compare<dead_holder<robust_mutex>, dead_holder<slot_lock>>("lock whose holder is dead", soon));
}

} // namespace bench
