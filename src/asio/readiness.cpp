// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "readiness.hpp"

#include "last_error.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <fcntl.h>

namespace sharedsock::detail {
namespace {

int duplicate_of(int descriptor)
{
    const int copy = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) throw system_error(last_error(), "sharedsock: watching on an executor");
    return copy;
}

} // namespace

readiness::readiness(const boost::asio::any_io_executor& executor, int descriptor, std::function<void()> ready)
    : descriptor_(executor, duplicate_of(descriptor)), context_(inner_io_context(executor)), ready_(std::move(ready))
{
}

boost::asio::io_context* inner_io_context(const boost::asio::any_io_executor& executor) noexcept
{
    namespace asio = boost::asio;
    if (const auto* const plain = executor.target<asio::io_context::executor_type>()) return &plain->context();
    if (const auto* const strand = executor.target<asio::strand<asio::io_context::executor_type>>())
        return &strand->get_inner_executor().context();
    if (const auto* const strand = executor.target<asio::strand<asio::any_io_executor>>())
        return inner_io_context(strand->get_inner_executor());
    return nullptr;
}

// From within the context: taking the last work off an io_context that nobody runs yet would stop it.
void readiness::start()
{
    boost::asio::post(descriptor_.get_executor(), [self = shared_from_this()] {
        if (!self->stopped_) self->wait();
    });
}

void readiness::stop() noexcept
{
    stopped_ = true;
    boost::system::error_code ignored; // cancelling what is pending cannot fail for an open descriptor
    descriptor_.cancel(ignored);
}

// An outstanding operation counts as work of its io_context. Taking it off the count for as long as it waits, and putting it
// back before it completes, leaves the count as Asio expects it at every moment that Asio looks.
void readiness::count(int by) noexcept
{
    if (context_ == nullptr) return;
    if (by > 0)
        context_->get_executor().on_work_started();
    else
        context_->get_executor().on_work_finished();
}

void readiness::wait()
{
    descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [self = shared_from_this()](const boost::system::error_code& ec) {
                               self->count(+1);
                               if (ec || self->stopped_) return;
                               self->ready_();
                               if (!self->stopped_) self->wait();
                           });
    count(-1);
}

} // namespace sharedsock::detail
