// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include <sharedsock/asio/async_select.hpp>

#include "../select.hpp"
#include "readiness.hpp"

#include <boost/asio/post.hpp>

namespace sharedsock {
namespace {

namespace asio = boost::asio;

// One watcher for all the registrations of an execution context, pumped on it.
class reactor_service final : public asio::execution_context::service {
public:
    inline static asio::execution_context::id id;

    explicit reactor_service(asio::execution_context& context) : service(context), watcher_(std::make_shared<detail::watcher>()) {}

    const std::shared_ptr<detail::watcher>& on(const asio::any_io_executor& executor)
    {
        const std::scoped_lock lock(mutex_);
        if (readiness_ == nullptr) {
            // On the context itself, not on the strand or the priority of whoever came first.
            asio::io_context* const context = detail::inner_io_context(executor);
            const asio::any_io_executor base = context != nullptr ? asio::any_io_executor(context->get_executor()) : executor;
            readiness_ = std::make_shared<detail::readiness>(base, watcher_->native_handle(), [watcher = watcher_] { watcher->pump(); });
            readiness_->start();
        }
        return watcher_;
    }

private:
    // Asio asks a forked child to call io_context::notify_fork. Its registrations are its parent's; the watcher has a new epoll.
    void notify_fork(asio::execution_context::fork_event event) override
    {
        if (event != asio::execution_context::fork_child) return;
        const std::scoped_lock lock(mutex_);
        if (readiness_ != nullptr) readiness_->stop();
        readiness_.reset();
    }

    void shutdown() override
    {
        for (const auto& one : watcher_->interests()) one->cancel_for_good(); // nobody would ever look again
        readiness_.reset();
    }

    const std::shared_ptr<detail::watcher> watcher_;
    std::mutex mutex_; // guards readiness_
    std::shared_ptr<detail::readiness> readiness_;
};

class executor_sink final : public detail::message_sink {
public:
    executor_sink(const asio::any_io_executor& executor, event_handler handler) : executor_(executor), handler_(std::move(handler)) {}

    void post(std::function<void()> job) override { asio::post(executor_, std::move(job)); }
    void call(const event_message& message) override { handler_(message); }

private:
    const asio::any_io_executor executor_;
    const event_handler handler_;
};

using start = void(detail::handle&, std::uint32_t, const select_options&, const std::shared_ptr<detail::watcher>&,
                   std::shared_ptr<detail::message_sink>, error_code&);

void register_on(start& how, shared_socket& socket, const asio::any_io_executor& executor, event_handler&& handler, network_event mask,
                 const select_options& options, error_code& ec)
{
    const std::uint32_t bits = detail::checked_mask(mask, ec);
    if (ec) return;
    if (!socket.is_open()) {
        ec = errc::closed_handle;
    } else if (!executor || !handler) {
        ec = make_error_code(boost::system::errc::invalid_argument);
    } else {
        auto& service = asio::use_service<reactor_service>(asio::query(executor, asio::execution::context));
        how(*socket.impl(), bits, options, service.on(executor), std::make_shared<executor_sink>(executor, std::move(handler)), ec);
    }
}

} // namespace

void async_select(shared_socket& socket, const asio::any_io_executor& executor, event_handler handler, network_event mask,
                  const select_options& options, error_code& ec)
{
    if (!any(mask))
        socket.cancel_registration(ec); // REG-5: the sink is ignored
    else
        register_on(detail::select, socket, executor, std::move(handler), mask, options, ec);
}

void async_select(shared_socket& socket, const asio::any_io_executor& executor, event_handler handler, network_event mask,
                  const select_options& options)
{
    error_code ec;
    async_select(socket, executor, std::move(handler), mask, options, ec);
    if (ec) throw system_error(ec, "sharedsock::async_select");
}

void async_stand_by(shared_socket& socket, const asio::any_io_executor& executor, event_handler handler, network_event mask,
                    const select_options& options, error_code& ec)
{
    register_on(detail::stand_by, socket, executor, std::move(handler), mask, options, ec);
}

void async_stand_by(shared_socket& socket, const asio::any_io_executor& executor, event_handler handler, network_event mask,
                    const select_options& options)
{
    error_code ec;
    async_stand_by(socket, executor, std::move(handler), mask, options, ec);
    if (ec) throw system_error(ec, "sharedsock::async_stand_by");
}

} // namespace sharedsock
