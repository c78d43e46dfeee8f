// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "kernel_count.hpp"

#include <cerrno>
#include <system_error>

#include <linux/sockios.h>
#include <linux/tcp.h> // the kernel's own: that of the C library lacks the newer members
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace survivor {
namespace {

std::uint64_t acknowledged_bytes(int descriptor)
{
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        throw std::system_error(errno, std::generic_category(), "TCP_INFO");
    return info.tcpi_bytes_acked;
}

} // namespace

std::uint64_t written_bytes(int descriptor)
{
    for (;;) {
        const std::uint64_t before = acknowledged_bytes(descriptor);
        int unacknowledged         = 0;
        if (::ioctl(descriptor, SIOCOUTQ, &unacknowledged) != 0)
            throw std::system_error(errno, std::generic_category(), "SIOCOUTQ");
        if (acknowledged_bytes(descriptor) == before) return before + static_cast<std::uint64_t>(unacknowledged);
    }
}

} // namespace survivor
