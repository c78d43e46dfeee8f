#include "support/foreign_loops.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cerrno>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <system_error>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

namespace test {
namespace {

using std::chrono::milliseconds;

template <class Result>
Result checked(Result result, const char* what)
{
    if (result < 0) throw std::system_error(errno, std::generic_category(), what);
    return result;
}

bool by_poll(int descriptor, milliseconds limit)
{
    pollfd asked{descriptor, POLLIN, 0};
    return checked(::poll(&asked, 1, static_cast<int>(limit.count())), "poll") > 0;
}

bool by_epoll(int descriptor, milliseconds limit, std::uint32_t events)
{
    const int own = checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    epoll_event event{};
    event.events    = events;
    const int added = ::epoll_ctl(own, EPOLL_CTL_ADD, descriptor, &event);
    const int ready = added == 0 ? ::epoll_wait(own, &event, 1, static_cast<int>(limit.count())) : -1;
    ::close(own);
    return checked(ready, "epoll") > 0;
}

bool by_select(int descriptor, milliseconds limit)
{
    if (descriptor >= FD_SETSIZE) throw std::out_of_range("select(2) takes no descriptor like that");
    fd_set asked;
    FD_ZERO(&asked);
    FD_SET(descriptor, &asked);
    timeval left{limit.count() / 1000, limit.count() % 1000 * 1000};
    return checked(::select(descriptor + 1, &asked, nullptr, nullptr, &left), "select") > 0;
}

bool by_asio(int descriptor, milliseconds limit)
{
    boost::asio::io_context context;
    boost::asio::posix::stream_descriptor watched(context, descriptor);
    bool readable = false;
    watched.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [&](const boost::system::error_code& ec) { readable = !ec; });
    if (limit == milliseconds::zero())
        context.poll();
    else
        context.run_for(limit);
    const bool result = readable; // operations still pending end with an error below
    watched.release();
    context.restart();
    context.poll();
    return result;
}

using way = bool (*)(int, milliseconds);
const std::map<std::string, way>& ways()
{
    static const std::map<std::string, way> all{
        {"poll", by_poll},
        {"epoll", [](int descriptor, milliseconds limit) { return by_epoll(descriptor, limit, EPOLLIN); }},
        {"epoll_edge", [](int descriptor, milliseconds limit) { return by_epoll(descriptor, limit, EPOLLIN | EPOLLET); }},
        {"select", by_select},
        {"asio", by_asio},
    };
    return all;
}

} // namespace

bool readable_by(const std::string& how, int descriptor, milliseconds limit) { return ways().at(how)(descriptor, limit); }

std::vector<std::string> ways_to_wait()
{
    std::vector<std::string> names;
    for (const auto& [name, function] : ways())
        names.push_back(name);
    return names;
}

edge_triggered_loop::edge_triggered_loop(int descriptor) : epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"))
{
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    checked(::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event), "epoll_ctl");
}

edge_triggered_loop::~edge_triggered_loop() { ::close(epoll_); }

bool edge_triggered_loop::wakes(milliseconds limit)
{
    epoll_event event{};
    return checked(::epoll_wait(epoll_, &event, 1, static_cast<int>(limit.count())), "epoll_wait") > 0;
}

} // namespace test
