// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "readiness.hpp"

#include "../last_error.hpp"

#include <cerrno>

#include <fcntl.h>

namespace sharedsock::detail {

readiness::readiness(boost::asio::execution_context& context, std::function<void()> ready)
    : entry_(context), ready_(std::move(ready)), job_([](void* self) { static_cast<readiness*>(self)->run(); }, this)
{
}

void readiness::start(int descriptor, bool writing, error_code& ec)
{
    add_writing_.store(writing);
    entry_.add_observer(descriptor, reading_, ec);
    if (ec.value() == EEXIST) {
        duplicate_.reset(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
        if (duplicate_)
            entry_.add_observer(duplicate_.get(), reading_, ec);
        else
            ec = last_error();
    }
    if (!ec && writing) job_.schedule(entry_, shared_from_this());
}

void readiness::stop() noexcept
{
    if (stopped_.exchange(true)) return;
    entry_.remove_observed();
    duplicate_.reset();
}

reactor_operation::status readiness::observer::perform_one(reactor_operation* one)
{
    readiness& of = static_cast<observer*>(one)->of_;
    of.job_.schedule(of.entry_, of.shared_from_this());
    return not_done;
}

void readiness::run()
{
    if (stopped_.load()) return;
    // In a job of the context: starting an operation is work, and taking that off the count must not find it to be the last.
    if (add_writing_.exchange(false)) {
        entry_.start(writing_, reactor_descriptor::write, true, true);
        entry_.end_work();
    }
    ready_();
}

} // namespace sharedsock::detail
