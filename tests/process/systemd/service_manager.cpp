// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "process/systemd/service_manager.hpp"

#include "support/deadline.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace test {
namespace {

[[noreturn]] void fail(const char* call) { throw std::system_error(errno, std::generic_category(), call); }

} // namespace

held_fd listen_for_notifications(const std::string& address)
{
    held_fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    address.copy(name.sun_path, sizeof name.sun_path - 1);
    if (address[0] == '@') name.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), size) != 0) fail("bind");
    const int on = 1;
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) fail("setsockopt SO_PASSCRED");
    return socket;
}

service_manager::service_manager(bool abstract)
    : address_(abstract ? "@sharedsock-" + unique_name() : (directory_.path() / "notify").string()),
      socket_(listen_for_notifications(address_))
{
    ::setenv("NOTIFY_SOCKET", address_.c_str(), 1);
}

service_manager::~service_manager() { ::unsetenv("NOTIFY_SOCKET"); }

manager_message service_manager::next()
{
    pollfd asked{socket_.get(), POLLIN, 0};
    const deadline end;
    if (::poll(&asked, 1, end.left_ms()) <= 0) throw std::system_error(ETIMEDOUT, std::generic_category(), "no message came");
    std::vector<char> text(4096);
    iovec part{text.data(), text.size()};
    alignas(cmsghdr) char room[CMSG_SPACE(253 * sizeof(int)) + CMSG_SPACE(sizeof(ucred))];
    msghdr message{};
    message.msg_iov        = &part;
    message.msg_iovlen     = 1;
    message.msg_control    = room;
    message.msg_controllen = sizeof room;
    const ssize_t size     = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
    if (size < 0) fail("recvmsg");
    manager_message got;
    got.text.assign(text.data(), static_cast<std::size_t>(size));
    for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
        if (one->cmsg_type == SCM_RIGHTS) {
            std::vector<int> numbers((one->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            std::memcpy(numbers.data(), CMSG_DATA(one), numbers.size() * sizeof(int));
            for (const int number : numbers)
                got.descriptors.emplace_back(number);
        } else if (one->cmsg_type == SCM_CREDENTIALS) {
            ucred sender{};
            std::memcpy(&sender, CMSG_DATA(one), sizeof sender);
            got.sender = sender.pid;
        }
    }
    return got;
}

bool service_manager::silent()
{
    pollfd asked{socket_.get(), POLLIN, 0};
    return ::poll(&asked, 1, 0) == 0;
}

child_process service_manager::start(const std::vector<named_fd>& passed)
{
    std::vector<held_fd> inherited; // not close-on-exec, and above the numbers that they get
    std::vector<std::string> args;
    for (const named_fd& one : passed) {
        inherited.emplace_back(::fcntl(one.number, F_DUPFD, 200));
        if (inherited.back().get() < 0) fail("fcntl");
        args.push_back(std::to_string(inherited.back().get()));
        args.push_back(one.name);
    }
    return child_process("start of a service", args);
}

} // namespace test
