// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "asio/reactor_service.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"
#include "events/registering.hpp"

#include <sharedsock/asio/async_select.hpp>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

namespace sharedsock::inline SHAREDSOCK_ASIO_BUILD {
namespace {

namespace asio = boost::asio;

class executor_sink final : public detail::message_sink {
public:
    executor_sink(const asio::any_io_executor& executor, event_handler handler) : executor_(executor), handler_(std::move(handler))
    {}

    std::shared_ptr<detail::descriptor_watch> watch(int descriptor, bool writing, std::function<void()> edge,
                                                    error_code& ec) override
    {
        auto& service = detail::reactor_service::of(executor_);
        auto made     = std::make_shared<detail::readiness>(service, edge);
        made->start(descriptor, writing, ec);
        if (ec.value() != EEXIST) return made;
        // The registration that this one replaces is still in the reactor, or an object of the user's is. The duplicate
        // gets another readiness: an operation of the first one may be on its way.
        detail::unique_fd duplicate = detail::new_fd::duplicate(descriptor);
        if (!duplicate) {
            ec = detail::last_error(detail::sys<"fcntl">);
            return made;
        }
        made = std::make_shared<detail::readiness>(service, std::move(edge));
        made->start(std::move(duplicate), writing, ec);
        return made;
    }
    void dispatch(std::shared_ptr<detail::sink_job> job) override
    {
        asio::dispatch(executor_, [job = std::move(job)] { job->run(); });
    }
    void post(std::shared_ptr<detail::sink_job> job) override
    {
        asio::post(executor_, [job = std::move(job)] { job->run(); });
    }
    void call(const event_message& message) override { handler_(message); }

private:
    const asio::any_io_executor executor_;
    const event_handler handler_;
};

using start = void(detail::handle&, std::uint32_t, const select_options&, const std::shared_ptr<detail::event_poller>&,
                   detail::event_sink, error_code&);

void register_on(start& how, shared_socket& socket, const asio::any_io_executor& executor, event_handler&& handler,
                 network_event mask, const select_options& options, error_code& ec)
{
    const std::uint32_t bits = detail::checked_mask(mask, ec);
    if (ec) return;
    if (detail::opened(socket.impl(), ec) == nullptr) return;
    if (!executor || !handler) {
        ec = make_error_code(boost::system::errc::invalid_argument);
    } else {
        auto& service = detail::reactor_service::of(executor);
        auto sink     = std::make_shared<executor_sink>(executor, std::move(handler));
        how(*socket.impl(), bits, options, service.pumped_poller(), {std::move(sink), {}, registration_kind::async_select}, ec);
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
    detail::or_throw("sharedsock::async_select",
                     [&](error_code& ec) { async_select(socket, executor, std::move(handler), mask, options, ec); });
}

void async_stand_by(shared_socket& socket, const asio::any_io_executor& executor, event_handler handler, network_event mask,
                    const select_options& options, error_code& ec)
{
    register_on(detail::stand_by, socket, executor, std::move(handler), mask, options, ec);
}

void async_stand_by(shared_socket& socket, const asio::any_io_executor& executor, event_handler handler, network_event mask,
                    const select_options& options)
{
    detail::or_throw("sharedsock::async_stand_by",
                     [&](error_code& ec) { async_stand_by(socket, executor, std::move(handler), mask, options, ec); });
}

} // namespace sharedsock::inline SHAREDSOCK_ASIO_BUILD
