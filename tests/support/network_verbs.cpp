#include "support/network_verbs.hpp"

#include "support/plain_socket.hpp"

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/ipv6.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

namespace test {
namespace {

void check(bool good, const char* what)
{
    if (!good) throw std::system_error(errno, std::generic_category(), what);
}

plain_socket control(int family) { return plain_socket(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }

sockaddr_in host(const std::string& text)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    if (::inet_pton(AF_INET, text.c_str(), &address.sin_addr) != 1) throw std::invalid_argument("no host: " + text);
    return address;
}

ifreq interface(const std::string& label)
{
    ifreq request{};
    label.copy(request.ifr_name, sizeof request.ifr_name - 1);
    return request;
}

void set_up(const std::string& label, bool up)
{
    ifreq request = interface(label);
    check(::ioctl(control(AF_INET).descriptor(), SIOCGIFFLAGS, &request) == 0, "SIOCGIFFLAGS");
    request.ifr_flags = static_cast<short>(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
    check(::ioctl(control(AF_INET).descriptor(), SIOCSIFFLAGS, &request) == 0, "SIOCSIFFLAGS");
}

// A process that may not make networks may do so in a user namespace of its own, where there are such. Its files stay its own.
bool unshare_network()
{
    if (::unshare(CLONE_NEWNET) == 0) return true;
    const auto uid = std::to_string(::geteuid());
    const auto gid = std::to_string(::getegid());
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return false;
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << uid + " " + uid + " 1";
    std::ofstream("/proc/self/gid_map") << gid + " " + gid + " 1";
    return true;
}

bool join_network(const std::string& pid)
{
    const auto open = [&](const char* kind) {
        return plain_socket(::open(("/proc/" + pid + "/ns/" + kind).c_str(), O_RDONLY | O_CLOEXEC));
    };
    const plain_socket user    = open("user");
    const plain_socket network = open("net");
    if (::setns(network.descriptor(), CLONE_NEWNET) == 0) return true;
    return ::setns(user.descriptor(), CLONE_NEWUSER) == 0 && ::setns(network.descriptor(), CLONE_NEWNET) == 0;
}

std::string network(const std::string& which)
{
    if (which != "new") return join_network(which) ? "yes" : "no";
    if (!unshare_network()) return "no";
    set_up("lo", true);
    return "yes";
}

std::string add_address(const std::string& rest)
{
    std::istringstream line(rest);
    std::string label, address;
    line >> label >> address;
    if (address.find(':') != std::string::npos) {
        in6_ifreq request{};
        request.ifr6_ifindex   = static_cast<int>(::if_nametoindex(label.c_str()));
        request.ifr6_prefixlen = 128;
        check(::inet_pton(AF_INET6, address.c_str(), &request.ifr6_addr) == 1, "inet_pton");
        check(::ioctl(control(AF_INET6).descriptor(), SIOCSIFADDR, &request) == 0, "SIOCSIFADDR");
        return "ok";
    }
    ifreq request          = interface(label);
    const sockaddr_in wish = host(address);
    std::memcpy(&request.ifr_addr, &wish, sizeof wish);
    check(::ioctl(control(AF_INET).descriptor(), SIOCSIFADDR, &request) == 0, "SIOCSIFADDR");
    return "ok";
}

std::string refuse_route(const std::string& rest)
{
    rtentry route{};
    const sockaddr_in to = host(rest);
    std::memcpy(&route.rt_dst, &to, sizeof to);
    route.rt_flags = RTF_HOST | RTF_REJECT;
    check(::ioctl(control(AF_INET).descriptor(), SIOCADDRT, &route) == 0, "SIOCADDRT");
    return "ok";
}

std::string without_netlink(const std::string&)
{
    sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
    check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS");
    check(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0, "PR_SET_SECCOMP");
    return "ok";
}

std::string deny(const std::string& rest)
{
    const std::map<std::string, long> calls{
        {"accept", SYS_accept}, {"accept4", SYS_accept4}, {"pidfd_open", SYS_pidfd_open}, {"pidfd_getfd", SYS_pidfd_getfd}};
    std::istringstream words(rest);
    std::string call, error;
    words >> call >> error;
    const auto number     = static_cast<std::uint32_t>(calls.at(call));
    const auto fails_with = static_cast<std::uint32_t>(error == "ENOSYS" ? ENOSYS : EPERM);
    sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | fails_with),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
    check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS");
    check(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0, "PR_SET_SECCOMP");
    return "ok";
}

std::string cpu(const std::string&)
{
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto microseconds = [](const timeval& time) { return time.tv_sec * 1'000'000 + time.tv_usec; };
    return std::to_string(microseconds(used.ru_utime) + microseconds(used.ru_stime));
}

std::string signals(const std::string& rest)
{
    struct sigaction reaction {};
    reaction.sa_handler = [](int) {}; // without SA_RESTART
    check(::sigaction(SIGALRM, &reaction, nullptr) == 0, "sigaction");
    const timeval pace{0, std::stol(rest)};
    const itimerval timer{pace, pace};
    check(::setitimer(ITIMER_REAL, &timer, nullptr) == 0, "setitimer");
    return "ok";
}

} // namespace

void add_network_verbs(role_context::handlers& verbs)
{
    verbs["network"]        = network;
    verbs["add_address"]    = add_address;
    verbs["remove_address"] = [](const std::string& label) {
        set_up(label, false);
        return std::string("ok");
    };
    verbs["refuse_route"]    = refuse_route;
    verbs["without_netlink"] = without_netlink;
    verbs["deny"]            = deny;
    verbs["cpu"]             = cpu;
    verbs["signals"]         = signals;
    add_network_failure_verbs(verbs);
}

} // namespace test
