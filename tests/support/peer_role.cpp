#include "support/carry_pattern.hpp"
#include "support/foreign_loops.hpp"
#include "support/network_verbs.hpp"
#include "support/peer.hpp"

#include <sharedsock/sharedsock.hpp>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

namespace ss = sharedsock;

// --- words ------------------------------------------------------------------------------------------------------------

// What goes wrong because of the test, not because of what it tests.
[[noreturn]] void misuse(const std::string& what) { throw std::invalid_argument("misuse: " + what); }

class words {
public:
    explicit words(const std::string& line) : stream_(line) {}

    std::string next(const char* what)
    {
        std::string word;
        if (!(stream_ >> word)) misuse(std::string("no ") + what);
        return word;
    }
    std::optional<std::string> maybe()
    {
        std::string word;
        return stream_ >> word ? std::optional(word) : std::nullopt;
    }
    template <class Number = int>
    Number number(const char* what)
    {
        return to_number<Number>(next(what));
    }
    std::string rest()
    {
        std::string text;
        std::getline(stream_ >> std::ws, text);
        return text;
    }

    template <class Number>
    static Number to_number(const std::string& word)
    {
        Number value{};
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
        if (error != std::errc() || end != word.data() + word.size()) misuse("'" + word + "' is not a number");
        return value;
    }

private:
    std::istringstream stream_;
};

template <class Value>
Value look_up(const std::map<std::string, Value>& table, const std::string& word)
{
    const auto found = table.find(word);
    if (found == table.end()) misuse("unknown word '" + word + "'");
    return found->second;
}

std::string yes_or_no(bool value) { return value ? "yes" : "no"; }

// --- errors -----------------------------------------------------------------------------------------------------------

std::string condition_name(const ss::error_code& ec)
{
    static const std::map<int, const char*> names{
        {EINTR, "interrupted"},
        {EACCES, "permission_denied"},
        {EPERM, "operation_not_permitted"},
        {EINVAL, "invalid_argument"},
        {EMFILE, "too_many_files_open"},
        {EAGAIN, "operation_would_block"},
        {EINPROGRESS, "operation_in_progress"},
        {EALREADY, "connection_already_in_progress"},
        {ENOTSOCK, "not_a_socket"},
        {EBADF, "bad_file_descriptor"},
        {EMSGSIZE, "message_size"},
        {ENOPROTOOPT, "no_protocol_option"},
        {EOPNOTSUPP, "operation_not_supported"},
        {EAFNOSUPPORT, "address_family_not_supported"},
        {EADDRINUSE, "address_in_use"},
        {EADDRNOTAVAIL, "address_not_available"},
        {ENETDOWN, "network_down"},
        {ENETUNREACH, "network_unreachable"},
        {ENETRESET, "network_reset"},
        {EHOSTUNREACH, "host_unreachable"},
        {ECONNABORTED, "connection_aborted"},
        {ECONNRESET, "connection_reset"},
        {ECONNREFUSED, "connection_refused"},
        {ETIMEDOUT, "timed_out"},
        {EISCONN, "already_connected"},
        {ENOTCONN, "not_connected"},
        {EPIPE, "broken_pipe"},
        {ENOBUFS, "no_buffer_space"},
        {ENOMEM, "not_enough_memory"},
        {ECANCELED, "operation_canceled"},
        {ENXIO, "no_such_device_or_address"},
        {ESRCH, "no_such_process"},
        {EOWNERDEAD, "owner_dead"},
        {ENOTRECOVERABLE, "state_not_recoverable"},
        {ENOENT, "no_such_file_or_directory"},
        {EEXIST, "file_exists"},
        {EBUSY, "device_or_resource_busy"},
        {EPROTO, "protocol_error"},
        {EBADMSG, "bad_message"},
        {EDEADLK, "resource_deadlock_would_occur"},
    };
    const auto found = names.find(ec.default_error_condition().value());
    return found != names.end() ? found->second : "condition " + std::to_string(ec.default_error_condition().value());
}

std::string library_name(ss::errc code)
{
    using ss::errc;
    static const std::map<errc, const char*> names{
        {errc::segment_not_found, "segment_not_found"},
        {errc::segment_damaged, "segment_damaged"},
        {errc::segment_repaired, "segment_repaired"},
        {errc::not_attached, "not_attached"},
        {errc::identity_lost, "identity_lost"},
        {errc::lock_timeout, "lock_timeout"},
        {errc::process_table_full, "process_table_full"},
        {errc::socket_table_full, "socket_table_full"},
        {errc::handle_table_full, "handle_table_full"},
        {errc::name_table_full, "name_table_full"},
        {errc::closed_handle, "closed_handle"},
        {errc::not_a_shared_socket, "not_a_shared_socket"},
        {errc::already_shared, "already_shared"},
        {errc::blocking_while_registered, "blocking_while_registered"},
        {errc::would_linger, "would_linger"},
        {errc::ticket_malformed, "ticket_malformed"},
        {errc::ticket_foreign_segment, "ticket_foreign_segment"},
        {errc::ticket_wrong_process, "ticket_wrong_process"},
        {errc::ticket_used, "ticket_used"},
        {errc::ticket_descriptor_lost, "ticket_descriptor_lost"},
        {errc::target_gone, "target_gone"},
        {errc::mailbox_full, "mailbox_full"},
        {errc::wrong_descriptor, "wrong_descriptor"},
        {errc::name_not_published, "name_not_published"},
        {errc::name_taken, "name_taken"},
        {errc::no_serving_holder, "no_serving_holder"},
        {errc::fence_pending, "fence_pending"},
        {errc::registration_cancelled, "registration_cancelled"},
        {errc::bad_event_mask, "bad_event_mask"},
        {errc::bad_event_object, "bad_event_object"},
        {errc::not_the_owner, "not_the_owner"},
        {errc::too_many_wait_objects, "too_many_wait_objects"},
        {errc::carry_too_large, "carry_too_large"},
        {errc::bad_hand_over, "bad_hand_over"},
    };
    const auto found = names.find(code);
    return found != names.end() ? found->second : std::to_string(static_cast<int>(code));
}

std::string name_of(const ss::error_code& ec)
{
    if (ec.category() != ss::category()) return condition_name(ec);
    return condition_name(ec) + ", " + library_name(static_cast<ss::errc>(ec.value()));
}

// What the latest call that failed in this thread says to a person.
std::string& last_message()
{
    static thread_local std::string text;
    return text;
}

// How a handler gives up: `serve` puts "error: " before the text.
void succeed(const ss::error_code& ec)
{
    if (ec) last_message() = ec.message();
    if (ec) throw std::runtime_error(name_of(ec));
}

// --- values -----------------------------------------------------------------------------------------------------------

ss::network_event to_mask(const std::string& word)
{
    static const std::map<std::string, ss::network_event> names{
        {"none", ss::network_event::none},
        {"read", ss::network_event::read},
        {"write", ss::network_event::write},
        {"oob", ss::network_event::oob},
        {"accept", ss::network_event::accept},
        {"connect", ss::network_event::connect},
        {"close", ss::network_event::close},
        {"qos", ss::network_event::qos},
        {"group_qos", ss::network_event::group_qos},
        {"routing_interface_change", ss::network_event::routing_interface_change},
        {"address_list_change", ss::network_event::address_list_change},
        {"all", ss::network_event::all},
    };
    if (word.find_first_not_of("0123456789") == std::string::npos)
        return static_cast<ss::network_event>(words::to_number<std::uint32_t>(word));
    ss::network_event mask = ss::network_event::none;
    std::istringstream parts(word);
    for (std::string part; std::getline(parts, part, '|');)
        mask |= look_up(names, part);
    return mask;
}

ss::socket_address to_address(const std::string& word, int family)
{
    if (family == AF_UNIX) return ss::socket_address::local(word);
    if (const auto colon = word.rfind(':'); colon != std::string::npos) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port   = htons(words::to_number<std::uint16_t>(word.substr(colon + 1)));
        if (::inet_pton(AF_INET, word.substr(0, colon).c_str(), &address.sin_addr) != 1) misuse("no host: " + word);
        return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
    }
    const auto port = words::to_number<std::uint16_t>(word);
    return family == AF_INET6 ? ss::socket_address::loopback_v6(port) : ss::socket_address::loopback(port);
}

std::string to_text(const ss::network_events& events)
{
    std::string text;
    const auto add = [&](const std::string& word) { text += text.empty() ? word : "|" + word; };
    for (std::uint32_t bit = 1; bit < 1u << 10; bit <<= 1) {
        const auto one = static_cast<ss::network_event>(bit);
        if (!events.has(one)) continue;
        add(to_string(one));
        if (events.error(one)) text += "=" + condition_name(events.error(one));
    }
    if (events.lost) add("lost");
    return text.empty() ? "none" : text;
}

int to_flags(words& line)
{
    static const std::map<std::string, int> names{{"peek", MSG_PEEK},
                                                  {"oob", MSG_OOB},
                                                  {"all", MSG_WAITALL},
                                                  {"dontwait", MSG_DONTWAIT},
                                                  {"invalid", MSG_ERRQUEUE | MSG_OOB}};
    int flags = 0;
    while (const auto word = line.maybe())
        flags |= look_up(names, *word);
    return flags;
}

struct option_name {
    int level;
    int name;
};
option_name to_option(const std::string& word)
{
    static const std::map<std::string, option_name> names{
        {"keepalive", {SOL_SOCKET, SO_KEEPALIVE}},
        {"reuseaddr", {SOL_SOCKET, SO_REUSEADDR}},
        {"oobinline", {SOL_SOCKET, SO_OOBINLINE}},
        {"rcvbuf", {SOL_SOCKET, SO_RCVBUF}},
        {"sndbuf", {SOL_SOCKET, SO_SNDBUF}},
        {"acceptconn", {SOL_SOCKET, SO_ACCEPTCONN}},
        {"nodelay", {IPPROTO_TCP, 1}}, // TCP_NODELAY, whose header does not go with others
        {"user_timeout", {IPPROTO_TCP, 18}},
        {"syn_count", {IPPROTO_TCP, 7}},
        {"error", {SOL_SOCKET, SO_ERROR}},
        {"linger", {SOL_SOCKET, SO_LINGER}},
    };
    return look_up(names, word);
}

// The RLIMIT_NOFILE under which so many descriptors can still be had: there may be holes, and numbers far above the rest.
rlim_t limit_with_room_for(std::size_t count)
{
    rlim_t limit = 0;
    for (std::size_t room = 0; room <= count; ++limit)
        if (::fcntl(static_cast<int>(limit), F_GETFD) == -1) ++room;
    return limit - 1;
}

// No other process may use pidfd_getfd(2) on this one, nor this one on others that have done the same: not even as root.
void give_up_tracing()
{
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
    if (::syscall(SYS_capget, &header, sets) != 0) misuse("capget");
    sets[CAP_SYS_PTRACE / 32].effective &= ~(1u << CAP_SYS_PTRACE % 32);
    sets[CAP_SYS_PTRACE / 32].permitted &= ~(1u << CAP_SYS_PTRACE % 32);
    if (::syscall(SYS_capset, &header, sets) != 0 || ::prctl(PR_SET_DUMPABLE, 0) != 0) misuse("capset");
}

// --- the role -----------------------------------------------------------------------------------------------------------

class peer_state {
public:
    explicit peer_state(const std::string& segment_name) : segment_(ss::segment::open(segment_name)) { make_verbs(); }

    std::string run(const std::string& command)
    {
        const auto space = command.find(' ');
        const auto found = verbs_.find(command.substr(0, space));
        if (found == verbs_.end()) misuse("unknown command '" + command + "'");
        return found->second(space == std::string::npos ? "" : command.substr(space + 1));
    }

    const test::role_context::handlers& verbs() const noexcept { return verbs_; }

private:
    using socket_ptr = std::shared_ptr<ss::shared_socket>;

    socket_ptr socket(words& line)
    {
        const std::string name = line.next("handle");
        const std::scoped_lock lock(mutex_);
        return look_up(sockets_, name);
    }
    void keep(const std::string& name, ss::shared_socket&& made, const ss::error_code& ec)
    {
        succeed(ec);
        const std::scoped_lock lock(mutex_);
        sockets_[name] = std::make_shared<ss::shared_socket>(std::move(made));
    }
    std::shared_ptr<ss::event_object> event(words& line)
    {
        const std::string name = line.next("event object");
        const std::scoped_lock lock(mutex_);
        return look_up(events_, name);
    }

    // The event objects that the rest of a line names; "e*300" stands for e0 to e299.
    std::vector<ss::event_object*> several_events(words& line)
    {
        std::vector<ss::event_object*> all;
        const std::scoped_lock lock(mutex_);
        while (const auto word = line.maybe()) {
            const auto star = word->find('*');
            if (star == std::string::npos) {
                all.push_back(look_up(events_, *word).get());
                continue;
            }
            const auto count = words::to_number<std::size_t>(word->substr(star + 1));
            for (std::size_t i = 0; i < count; ++i)
                all.push_back(look_up(events_, word->substr(0, star) + std::to_string(i)).get());
        }
        return all;
    }

    // A verb whose answer is the text that it returns; "ok" if that is nothing. `ec` is checked afterwards.
    template <class Action>
    void add(const char* verb, Action action)
    {
        verbs_[verb] = [action](const std::string& rest) {
            words line(rest);
            ss::error_code ec;
            std::string answer;
            try {
                if constexpr (std::is_void_v<decltype(action(line, ec))>)
                    action(line, ec);
                else
                    answer = action(line, ec);
            } catch (const ss::system_error& failure) { // of a call that has only the throwing form
                ec = failure.code();
            }
            succeed(ec);
            return answer.empty() ? std::string("ok") : answer;
        };
    }

    void make_verbs()
    {
        add_beginnings();
        add_endings();
        add_data_calls();
        add_state();
        add_events();
        add_process();
        test::add_network_verbs(verbs_);
    }

    void add_beginnings()
    {
        add("open", [this](words& line, ss::error_code& ec) {
            static const std::map<std::string, std::pair<int, int>> kinds{
                {"tcp", {AF_INET, SOCK_STREAM}},          {"tcp6", {AF_INET6, SOCK_STREAM}},
                {"udp", {AF_INET, SOCK_DGRAM}},           {"unix", {AF_UNIX, SOCK_STREAM}},
                {"seqpacket", {AF_UNIX, SOCK_SEQPACKET}}, {"unix_datagram", {AF_UNIX, SOCK_DGRAM}}};
            const std::string name    = line.next("handle");
            const auto [family, type] = look_up(kinds, line.next("kind"));
            keep(name, ss::shared_socket::open(segment_, family, type, 0, ec), ec);
        });
        add("dial", [this](words& line, ss::error_code& ec) {
            const std::string name   = line.next("handle");
            test::plain_socket plain = test::plain_socket::connect(line.number<std::uint16_t>("port"));
            auto adopted             = ss::shared_socket::adopt(segment_, plain.descriptor(), ec);
            if (!ec) plain.release();
            keep(name, std::move(adopted), ec);
        });
        add("dial_local", [this](words& line, ss::error_code& ec) {
            const std::string name = line.next("handle");
            const int type         = line.next("kind") == "seqpacket" ? SOCK_SEQPACKET : SOCK_STREAM;
            const auto address     = ss::socket_address::local(line.next("path"));
            test::plain_socket plain(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
            if (::connect(plain.descriptor(), address.data(), address.size()) != 0) misuse("dial_local");
            auto adopted = ss::shared_socket::adopt(segment_, plain.descriptor(), ec);
            if (!ec) plain.release();
            keep(name, std::move(adopted), ec);
        });
        add("adopt", [this](words& line, ss::error_code& ec) {
            const std::string name = line.next("handle");
            keep(name, ss::shared_socket::adopt(segment_, line.number("descriptor"), ec), ec);
        });
        add("listener", [this](words& line, ss::error_code& ec) {
            const std::string name = line.next("handle");
            auto made              = ss::shared_socket::listen(segment_, ss::socket_address::loopback(0), ec);
            succeed(ec);
            const std::string port = std::to_string(made.local_address().port());
            keep(name, std::move(made), ec);
            return port;
        });
        add("bind", [this](words& line, ss::error_code& ec) {
            const auto h = socket(line);
            h->bind(to_address(line.next("address"), h->family()), ec);
        });
        add("listen", [this](words& line, ss::error_code& ec) {
            const auto h       = socket(line);
            const auto backlog = line.maybe();
            h->listen(backlog ? words::to_number<int>(*backlog) : SOMAXCONN, ec);
        });
        add("connect", [this](words& line, ss::error_code& ec) {
            const auto h = socket(line);
            h->connect(to_address(line.next("address"), h->family()), ec);
        });
        add("accept", [this](words& line, ss::error_code& ec) {
            const auto listener    = socket(line);
            const std::string name = line.next("handle");
            keep(name, listener->accept(ec), ec);
        });
        add("duplicate", [this](words& line, ss::error_code& ec) {
            const auto h             = socket(line);
            const std::string target = line.next("target");
            const auto pid           = target == "self" ? ::getpid() : words::to_number<std::int32_t>(target);
            if (line.maybe()) return h->duplicate_for_pid(pid, ec).to_text();
            const auto who = target == "self" ? segment_.self() : segment_.find_process(pid).value_or(ss::process_id());
            return h->duplicate(who, ec).to_text();
        });
        add("hand_over", [this](words& line, ss::error_code& ec) {
            const auto h             = socket(line);
            const std::string target = line.next("target");
            const auto pid           = target == "self" ? ::getpid() : words::to_number<std::int32_t>(target);
            const auto tag           = line.number<std::uint64_t>("tag");
            const auto bytes         = test::carry_pattern(tag, line.number<std::size_t>("count"));
            const auto who           = target == "self" ? segment_.self() : segment_.find_process(pid).value_or(ss::process_id());
            ss::hand_over(std::move(*h), who, {bytes, tag}, ec);
        });
        const auto receive = [this](const std::string& name, ss::error_code& ec) -> std::string {
            auto received = ss::receive_hand_over(segment_, ec);
            if (!received) return ec ? "" : "none";
            keep(name, std::move(received->socket), ec);
            return "tag=" + std::to_string(received->tag) + " count=" + std::to_string(received->bytes.size()) +
                   " sum=" + test::sum_of(received->bytes);
        };
        add("receive_hand_over", [receive](words& line, ss::error_code& ec) { return receive(line.next("handle"), ec); });
        add("wait_hand_over", [this, receive](words& line, ss::error_code& ec) {
            const std::string name = line.next("handle");
            pollfd asked{ss::hand_over_handle(segment_), POLLIN, 0};
            for (;;) {
                if (::poll(&asked, 1, static_cast<int>(test::patience.count())) != 1) misuse("nothing was handed over");
                if (std::string answer = receive(name, ec); answer != "none") return answer;
            }
        });
        add("redeem", [this](words& line, ss::error_code& ec) {
            const std::string name = line.next("handle");
            const ss::ticket value = ss::ticket::from_text(line.next("ticket"), ec);
            succeed(ec);
            keep(name, ss::shared_socket::redeem(segment_, value, ec), ec);
        });
        add("revoke", [this](words& line, ss::error_code& ec) {
            const ss::ticket value = ss::ticket::from_text(line.next("ticket"), ec);
            succeed(ec);
            return yes_or_no(segment_.revoke(value, ec));
        });
        add("publish", [this](words& line, ss::error_code& ec) {
            const auto h = socket(line);
            segment_.publish(line.next("name"), *h, ec);
        });
        add("open_published", [this](words& line, ss::error_code& ec) {
            const std::string name = line.next("handle");
            keep(name, ss::shared_socket::open_published(segment_, line.next("name"), ec), ec);
        });
    }

    void add_endings()
    {
        add("close", [this](words& line, ss::error_code& ec) { socket(line)->close(ec); });
        add("drop", [this](words& line, ss::error_code&) {
            const std::string name = line.next("handle");
            socket_ptr dropped;
            const std::scoped_lock lock(mutex_);
            dropped = std::move(look_up_to_change(name));
            sockets_.erase(name);
        });
        add("forget", [this](words& line, ss::error_code&) {
            const std::string name = line.next("handle");
            const std::scoped_lock lock(mutex_);
            forgotten_.push_back(std::move(look_up_to_change(name)));
            sockets_.erase(name);
        });
        add("release", [this](words& line, ss::error_code& ec) { return std::to_string(socket(line)->release(ec)); });
        add("shutdown", [this](words& line, ss::error_code& ec) {
            const auto h = socket(line);
            h->shutdown(look_up<int>({{"receive", SHUT_RD}, {"send", SHUT_WR}, {"both", SHUT_RDWR}}, line.next("how")), ec);
        });
    }

    void add_data_calls()
    {
        add("send", [this](words& line, ss::error_code& ec) {
            const auto h           = socket(line);
            const std::string text = line.next("text");
            const int flags        = to_flags(line);
            return std::to_string(h->send(std::as_bytes(std::span(text)), flags, ec));
        });
        add("send_many", [this](words& line, ss::error_code& ec) {
            const auto h     = socket(line);
            const auto count = line.number<std::size_t>("count");
            const std::string bytes(count, line.maybe().value_or("x").front());
            return std::to_string(h->send(std::as_bytes(std::span(bytes)), 0, ec));
        });
        add("send_until_full", [this](words& line, ss::error_code& ec) {
            const auto h = socket(line);
            const std::string bytes(65'536, 'x');
            std::size_t total = 0;
            while (!ec)
                total += h->send(std::as_bytes(std::span(bytes)), MSG_DONTWAIT, ec);
            if (ec == std::errc::operation_would_block) ec.clear();
            return std::to_string(total);
        });
        add("receive", [this](words& line, ss::error_code& ec) {
            const auto h = socket(line);
            std::string room(line.number<std::size_t>("size"), '\0');
            const int flags       = to_flags(line);
            const std::size_t got = h->receive(std::as_writable_bytes(std::span(room)), flags, ec);
            return got == 0 ? "end" : '"' + room.substr(0, got) + '"';
        });
        add("receive_count", [this](words& line, ss::error_code& ec) {
            const auto h      = socket(line);
            const auto wanted = line.number<std::size_t>("count");
            return std::to_string(receive_all(*h, wanted, ec));
        });
        add("receive_all", [this](words& line, ss::error_code& ec) {
            const auto h            = socket(line);
            const std::size_t total = receive_all(*h, SIZE_MAX, ec);
            if (ec == std::errc::operation_would_block) ec.clear();
            return std::to_string(total);
        });
    }

    void add_state()
    {
        add("option", [this](words& line, ss::error_code& ec) {
            const auto h             = socket(line);
            const std::string word   = line.next("option");
            const auto [level, name] = to_option(word);
            const auto value         = line.maybe();
            return word == "linger" ? linger_option(*h, value, ec) : plain_option(*h, level, name, value, ec);
        });
        add("blocking", [this](words& line, ss::error_code& ec) {
            const auto h     = socket(line);
            const auto value = line.maybe();
            if (!value) return yes_or_no(h->blocking());
            h->set_blocking(*value == "on", ec);
            return std::string();
        });
        add("local", [this](words& line, ss::error_code& ec) { return to_string(socket(line)->local_address(ec)); });
        add("peer", [this](words& line, ss::error_code& ec) { return to_string(socket(line)->peer_address(ec)); });
        add("id", [this](words& line, ss::error_code&) { return std::to_string(socket(line)->id()); });
        add("handle_id", [this](words& line, ss::error_code&) { return std::to_string(socket(line)->handle_id()); });
        add("fd", [this](words& line, ss::error_code&) { return std::to_string(socket(line)->native_handle()); });
        add("is_open", [this](words& line, ss::error_code&) { return yes_or_no(socket(line)->is_open()); });
        add("cookie", [this](words& line, ss::error_code& ec) {
            std::uint64_t cookie = 0;
            socket(line)->get_option(SOL_SOCKET, SO_COOKIE, &cookie, sizeof cookie, ec);
            return std::to_string(cookie);
        });
        add("close_on_exec", [this](words& line, ss::error_code&) {
            const int descriptor = socket(line)->native_handle();
            if (const auto value = line.maybe()) ::fcntl(descriptor, F_SETFD, *value == "on" ? FD_CLOEXEC : 0);
            return yes_or_no((::fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0);
        });
        add("handles", [this](words& line, ss::error_code&) {
            const auto all   = socket(line)->handles();
            std::string text = std::to_string(all.size());
            for (const auto& one : all)
                text += " " + to_string(one.process) + (one.ticket ? ":ticket" : "");
            return text;
        });
    }

    void add_events()
    {
        add("event", [this](words& line, ss::error_code&) {
            const std::string name = line.next("event object");
            const auto state       = line.maybe();
            const std::scoped_lock lock(mutex_);
            events_[name] = std::make_shared<ss::event_object>();
            if (state == "moved") ss::event_object elsewhere(std::move(*events_[name]));
        });
        add("events", [this](words& line, ss::error_code&) {
            const std::string prefix = line.next("event objects");
            const auto count         = line.number<std::size_t>("count");
            const std::scoped_lock lock(mutex_);
            for (std::size_t i = 0; i < count; ++i)
                events_[prefix + std::to_string(i)] = std::make_shared<ss::event_object>();
        });
        add("destroy", [this](words& line, ss::error_code&) {
            const std::string name = line.next("event object");
            const std::scoped_lock lock(mutex_);
            events_.erase(name);
        });
        add("set", [this](words& line, ss::error_code&) { event(line)->set(); });
        add("reset", [this](words& line, ss::error_code&) { event(line)->reset(); });
        add("sig", [this](words& line, ss::error_code&) { return yes_or_no(event(line)->is_set()); });
        add("wait", [this](words& line, ss::error_code&) {
            const auto e = event(line);
            return yes_or_no(e->wait(std::chrono::milliseconds(line.number("milliseconds"))));
        });
        for (const std::string& way : test::ways_to_wait())
            add(way.c_str(), [this, way](words& line, ss::error_code&) {
                const auto e = event(line);
                return yes_or_no(
                    test::readable_by(way, e->native_handle(), std::chrono::milliseconds(line.number("milliseconds"))));
            });
        add("wait_any", [this](words& line, ss::error_code&) {
            const std::chrono::milliseconds limit(line.number("milliseconds"));
            const auto first = ss::wait_any(several_events(line), limit);
            return first ? std::to_string(*first) : "none";
        });
        add("wait_all", [this](words& line, ss::error_code&) {
            const std::chrono::milliseconds limit(line.number("milliseconds"));
            return yes_or_no(ss::wait_all(several_events(line), limit));
        });
        add("alternate", [this](words& line, ss::error_code&) {
            const auto one = event(line), other = event(line);
            for (int left = line.number("count"); left > 0; --left)
                for (const auto& e : {one, other}) {
                    e->set();
                    e->reset();
                }
        });
        add("inherited_by_exec", [this](words& line, ss::error_code&) {
            const std::string path = "/proc/self/fd/" + std::to_string(event(line)->native_handle());
            return yes_or_no(std::system(("exec test -e " + path).c_str()) == 0);
        });
        add("event_select", [this](words& line, ss::error_code& ec) {
            const auto h                 = socket(line);
            const std::string name       = line.next("event object");
            const ss::network_event mask = to_mask(line.next("mask"));
            ss::select_options options;
            options.tell_loss = line.maybe().has_value();
            if (name == "-") {
                ss::event_object ignored;
                h->event_select(ignored, mask, options, ec);
            } else {
                words again(name);
                h->event_select(*event(again), mask, options, ec);
            }
        });
        add("request_change", [this](words& line, ss::error_code& ec) {
            const auto h = socket(line);
            h->request_change(to_mask(line.next("change")), ec);
        });
        add("cancel", [this](words& line, ss::error_code& ec) { socket(line)->cancel_registration(ec); });
        add("stand_by", [this](words& line, ss::error_code& ec) {
            const auto h    = socket(line);
            const auto e    = event(line);
            const auto mask = to_mask(line.next("mask"));
            ss::select_options options;
            options.tell_loss = line.maybe().has_value();
            h->stand_by(*e, mask, options, ec);
        });
        add("pass_on", [this](words& line, ss::error_code& ec) { return yes_or_no(socket(line)->pass_on(ec)); });
        add("enum", [this](words& line, ss::error_code& ec) {
            const auto h = socket(line);
            std::shared_ptr<ss::event_object> e;
            if (const auto name = line.maybe()) {
                words again(*name);
                e = event(again);
            }
            return to_text(h->enum_network_events(e.get(), ec));
        });
        add("query", [this](words& line, ss::error_code&) {
            const auto now = socket(line)->registration();
            if (!now) return std::string("nobody");
            static const char* const kinds[] = {"unknown", "event_select", "async_select"};
            return "owner=" + to_string(now->owner) + " handle=" + std::to_string(now->handle) +
                   " kind=" + kinds[static_cast<std::size_t>(now->kind)] + " mask=" + to_string(now->mask) +
                   " epoch=" + std::to_string(now->epoch);
        });
    }

    void add_process()
    {
        add("message", [](words&, ss::error_code&) { return last_message(); });
        add("pid", [](words&, ss::error_code&) { return std::to_string(::getpid()); });
        add("self", [this](words&, ss::error_code&) { return to_string(segment_.self()); });
        add("attach", [this](words& line, ss::error_code& ec) {
            ss::segment other = ss::segment::open(line.next("segment"), {}, ec);
            if (!ec) segment_ = std::move(other);
        });
        add("poll_segment", [this](words&, ss::error_code&) { segment_.poll(); });
        add("untraceable", [](words&, ss::error_code&) { give_up_tracing(); });
        add("sweep", [this](words&, ss::error_code&) { return std::to_string(segment_.sweep()); });
        add("processes", [this](words&, ss::error_code&) { return std::to_string(segment_.processes().size()); });
        add("limit_descriptors", [](words& line, ss::error_code&) {
            static rlimit before = [] {
                rlimit now{};
                ::getrlimit(RLIMIT_NOFILE, &now);
                return now;
            }();
            const std::string word = line.next("count");
            rlimit now             = before;
            if (word != "off") now.rlim_cur = limit_with_room_for(words::to_number<std::size_t>(word));
            ::setrlimit(RLIMIT_NOFILE, &now);
        });
        add("in_fork", [this](words& line, ss::error_code&) { return in_child(::fork, line.rest()); });
        add("in_clone", [this](words& line, ss::error_code&) {
            const auto clone = [] { return static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr)); };
            return in_child(clone, line.rest());
        });
        add("start", [this](words& line, ss::error_code&) {
            const std::string name = line.next("thread");
            threads_[name]         = std::async(std::launch::async, [this, command = line.rest()] {
                try {
                    return run(command);
                } catch (const std::exception& failure) {
                    return std::string("error: ") + failure.what();
                }
            });
        });
        add("again", [this](words& line, ss::error_code&) {
            for (const std::string command = line.rest();;) {
                try {
                    run(command);
                } catch (const std::exception&) { // fails now and then
                }
            }
        });
        add("running", [this](words& line, ss::error_code&) {
            const auto found = threads_.find(line.next("thread"));
            if (found == threads_.end()) misuse("no such thread");
            return yes_or_no(found->second.wait_for(std::chrono::seconds(0)) != std::future_status::ready);
        });
        add("join", [this](words& line, ss::error_code&) {
            const auto found = threads_.find(line.next("thread"));
            if (found == threads_.end()) misuse("no such thread");
            const std::string answer = found->second.get();
            threads_.erase(found);
            return answer;
        });
    }

    socket_ptr& look_up_to_change(const std::string& name) // with mutex_ held
    {
        const auto found = sockets_.find(name);
        if (found == sockets_.end()) misuse("unknown handle '" + name + "'");
        return found->second;
    }

    static std::size_t receive_all(ss::shared_socket& h, std::size_t wanted, ss::error_code& ec)
    {
        std::vector<std::byte> room(std::min<std::size_t>(wanted, 1 << 20));
        std::size_t total = 0;
        while (total < wanted) {
            const std::size_t got = h.receive(std::span(room).first(std::min(room.size(), wanted - total)), 0, ec);
            if (ec || got == 0) break;
            total += got;
        }
        return total;
    }

    static std::string plain_option(ss::shared_socket& h, int level, int name, const std::optional<std::string>& value,
                                    ss::error_code& ec)
    {
        int number = value ? words::to_number<int>(*value) : 0;
        if (value) {
            h.set_option(level, name, &number, sizeof number, ec);
            return {};
        }
        h.get_option(level, name, &number, sizeof number, ec);
        if (name != SO_ERROR || level != SOL_SOCKET) return std::to_string(number);
        return number == 0 ? "none" : condition_name({number, boost::system::system_category()});
    }

    static std::string linger_option(ss::shared_socket& h, const std::optional<std::string>& value, ss::error_code& ec)
    {
        linger now{};
        if (value) {
            now.l_onoff  = *value != "off";
            now.l_linger = *value != "off" ? words::to_number<int>(*value) : 0;
            h.set_option(SOL_SOCKET, SO_LINGER, &now, sizeof now, ec);
            return {};
        }
        h.get_option(SOL_SOCKET, SO_LINGER, &now, sizeof now, ec);
        return now.l_onoff != 0 ? std::to_string(now.l_linger) : "off";
    }

    template <class Fork>
    std::string in_child(Fork fork, const std::string& command)
    {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error(condition_name({errno, boost::system::system_category()}));
        const pid_t child = fork();
        if (child == 0) {
            std::string answer;
            try {
                answer = run(command);
            } catch (const std::exception& failure) {
                answer = std::string("error: ") + failure.what();
            }
            const auto written = ::write(ends[1], answer.data(), answer.size());
            ::_exit(written == static_cast<ssize_t>(answer.size()) ? 0 : 1);
        }
        ::close(ends[1]);
        std::string answer(4096, '\0');
        const auto got = ::read(ends[0], answer.data(), answer.size()); // whole: it was one write
        ::close(ends[0]);
        if (child > 0) ::waitpid(child, nullptr, 0);
        answer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return answer;
    }

    ss::segment segment_;
    test::role_context::handlers verbs_; // constant once made
    std::mutex mutex_;                   // guards the three below
    std::map<std::string, socket_ptr> sockets_;
    std::map<std::string, std::shared_ptr<ss::event_object>> events_;
    std::vector<socket_ptr> forgotten_;
    std::map<std::string, std::future<std::string>> threads_; // of the main thread
};

} // namespace

SHAREDSOCK_CHILD_ROLE(peer)
{
    peer_state state(role.args.at(0));
    role.say("ready");
    return role.serve(state.verbs());
}
