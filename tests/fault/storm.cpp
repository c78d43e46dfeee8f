#include "storm.hpp"

#include "core_fixture.hpp"
#include "support/deadline.hpp"
#include "support/descriptors.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <system_error>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t workers   = 6;
constexpr std::uint32_t sockets   = 8;
constexpr capacities storm_sizes  = {.processes = 12, .names = 4, .handles = 128, .sockets = 16};
constexpr std::uint32_t tickets   = 1u << 16;
constexpr std::uint64_t bell_mark = ~std::uint64_t{0};

// What the processes tell the judge, beside the segment.
struct ghosts {
    std::atomic<bool> quiet;
    std::atomic<std::uint32_t> idle;
    std::atomic<std::uint32_t> fenced_epoch[sockets];                // latest take-over that returned fenced
    std::atomic<std::uint64_t> inside[sockets];                      // who delivers: generation and index
    std::atomic<std::uint32_t> mine[storm_sizes.processes][sockets]; // epoch that a process believes to own
    std::atomic<std::uint32_t> unanswered[sockets];                  // registration whose event nobody has read for yet
    std::atomic<std::uint64_t> post[storm_sizes.processes];          // ticket on its way to a process
    std::atomic<std::uint8_t> outcomes[tickets];                     // how often a ticket was redeemed or withdrawn
    std::atomic<std::uint32_t> next_ticket;
    std::atomic<std::uint64_t> p1, p2, p6;
    std::atomic<std::uint64_t> events, spurious, refused, take_overs, fenced, pending, foreign_reads, told, successions, passed_on,
        closes, redeemed, withdrawn, lock_timeouts;
};

struct place {
    unique_fd ends[2];
    record_id socket;
};

struct theatre {
    core_segment segment{storm_sizes};
    shared_memory memory{sizeof(ghosts)};
    ghosts& ghost = *reinterpret_cast<ghosts*>(memory.data());
    std::array<place, sockets> places;
};

std::uint64_t pack(record_id id) { return id.as_number(); }
record_id unpack(std::uint64_t number) { return {static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number >> 32)}; }

int unread(const place& at)
{
    int bytes = 0;
    ::ioctl(at.ends[0].get(), FIONREAD, &bytes);
    return bytes;
}

// --- a worker ---------------------------------------------------------------------------------------------------------

class worker {
public:
    worker(theatre& where, std::uint32_t seed)
        : theatre_(where), ghost_(where.ghost), random_(seed), member_(where.segment, 30ms), epoll_(::epoll_create1(EPOLL_CLOEXEC))
    {}

    [[noreturn]] void work()
    {
        start();
        bool settled = false;
        for (;;) {
            const bool quiet = ghost_.quiet.load();
            if (quiet && !settled) {
                ghost_.idle.fetch_add(1);
            }
            settled = quiet;
            epoll_event events[16];
            const int count = ::epoll_wait(epoll_.get(), events, 16, quiet ? -1 : static_cast<int>(any(2)));
            for (int i = 0; i < count; ++i) {
                if (events[i].data.u64 == bell_mark) {
                    answer_bell();
                } else {
                    deliver(events[i].data.u32, quiet);
                }
            }
            if (!quiet) {
                act(any(sockets));
            }
        }
    }

private:
    struct hold {
        record_id handle;
        std::uint32_t epoch = 0;     // of the own registration
        bool watched        = false; // has an epoll entry
        bool stands_by      = false;
    };

    std::uint32_t any(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }
    std::uint32_t me() { return member_->self().index; }
    socket_slot& slot(std::uint32_t i) { return member_.slot(theatre_.places[i].socket); }
    registration_word word(std::uint32_t i) { return load(slot(i).registration); }
    socket_and_handle which(std::uint32_t i) { return {theatre_.places[i].socket, holds_[i].handle}; }

    void start()
    {
        error_code ec;
        do { // a process that is stopped with a lock delays it
            member_->attach(ec);
        } while (ec == errc::lock_timeout);
        if (!ec) {
            member_.bells.hang(me(), ec);
        }
        if (ec) {
            throw boost::system::system_error(ec, "attach");
        }
        for (auto& epoch : ghost_.mine[me()]) {
            epoch = 0;
        }
        ghost_.post[me()] = 0;
        member_->sweep_dead();
        epoll_event bell{};
        bell.events   = EPOLLIN;
        bell.data.u64 = bell_mark;
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, member_.bells.native_handle(), &bell);
    }

    // --- the own registrations ---

    void believe(std::uint32_t i, std::uint32_t epoch)
    {
        holds_[i].epoch      = epoch;
        ghost_.mine[me()][i] = epoch;
    }

    void watch(std::uint32_t i) // and look at what is true now
    {
        epoll_event event{};
        event.events   = EPOLLIN | EPOLLET;
        event.data.u32 = i;
        const int fd   = theatre_.places[i].ends[0].get();
        if (::epoll_ctl(epoll_.get(), holds_[i].watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0) {
            throw std::system_error(errno, std::generic_category(), "epoll_ctl");
        }
        holds_[i].watched = true;
    }

    void forget(std::uint32_t i)
    {
        if (std::exchange(holds_[i].watched, false)) {
            ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, theatre_.places[i].ends[0].get(), nullptr);
        }
    }

    void answer_bell()
    {
        std::uint32_t ids[256];
        std::array<bool, sockets> rang{};
        std::size_t count = 0;
        bool all          = member_->bytes().process(me())->resync.exchange(0) != 0;
        do {
            count = member_.bells.answer(ids);
            for (std::size_t id = 0; id < count; ++id) {
                if (ids[id] < sockets) {
                    rang[ids[id]] = true;
                }
            }
        } while (count == std::size(ids));
        all = member_->bytes().process(me())->resync.exchange(0) != 0 || all;
        for (std::uint32_t i = 0; i < sockets; ++i) {
            if (all || rang[i]) {
                look(i);
            }
        }
    }

    void look(std::uint32_t i)
    {
        hold& here                  = holds_[i];
        const registration_word now = word(i);
        const bool own              = now.owner == me();
        if (own && now.epoch != here.epoch) { // the first in line was us
            if (here.epoch != 0) {
                ghost_.told.fetch_add(1);
            }
            socket_table::take_turn(member_->bytes(), here.handle.index);
            here.stands_by = false;
            ghost_.successions.fetch_add(1);
            believe(i, now.epoch);
            watch(i);
        } else if (own) {
            watch(i);
        } else if (here.epoch != 0) {
            believe(i, 0);
            forget(i);
            ghost_.told.fetch_add(1);
        }
    }

    void take_over(std::uint32_t i)
    {
        if (holds_[i].stands_by) {
            stand_down(i);
            return;
        }
        if (holds_[i].epoch != 0 && !word(i).owned_by(me(), holds_[i].epoch)) {
            ghost_.told.fetch_add(1); // the notice that is due is this one
        }
        const auto result = member_->take_over(which(i), read_event, 1);
        believe(i, result.epoch);
        watch(i);
        ghost_.take_overs.fetch_add(1);
        auto state = membership::fence_state::ended;
        if (result.must_fence) {
            state = member_->fence(theatre_.places[i].socket, result.epoch, any(2) == 0 ? 0ms : 3ms, false);
        }
        if (state == membership::fence_state::ended) {
            std::uint32_t latest = ghost_.fenced_epoch[i];
            while (later_epoch(result.epoch, latest) && !ghost_.fenced_epoch[i].compare_exchange_strong(latest, result.epoch)) {
            }
            ghost_.fenced.fetch_add(1);
        } else if (state == membership::fence_state::pending) {
            ghost_.pending.fetch_add(1);
        }
    }

    void cancel(std::uint32_t i)
    {
        if (holds_[i].epoch == 0) {
            return;
        }
        member_->cancel(theatre_.places[i].socket, holds_[i].epoch);
        believe(i, 0);
        forget(i);
        look(i); // it may have come back to us
    }

    // --- events ---

    void deliver(std::uint32_t i, bool quiet)
    {
        const std::uint32_t epoch = holds_[i].epoch;
        socket_slot& here         = slot(i);
        if (epoch == 0 || !member_->claim(here, epoch, read_event)) {
            ghost_.refused.fetch_add(1);
            return;
        }
        const std::uint64_t self   = std::uint64_t{member_->self().generation} << 32 | (me() + 1);
        const std::uint64_t before = ghost_.inside[i].exchange(self);
        if (before != 0 && before != self &&
            member_->alive({static_cast<std::uint32_t>(before) - 1, static_cast<std::uint32_t>(before >> 32)})) {
            ghost_.p2.fetch_add(1);
        }
        if (later_epoch(ghost_.fenced_epoch[i], epoch)) {
            ghost_.p1.fetch_add(1);
        }
        const int fd = theatre_.places[i].ends[0].get();
        pollfd readable{fd, POLLIN, 0};
        bool again            = true;
        std::uint32_t restore = 0;
        if (::poll(&readable, 1, 0) == 1) {
            char bytes[4];
            if (any(16) == 0 && !quiet) {
                ::usleep(any(500));
            }
            if (later_epoch(ghost_.fenced_epoch[i], epoch)) { // the moment that counts
                ghost_.p1.fetch_add(1);
            }
            ghost_.events.fetch_add(1);
            if (quiet || any(4) != 0) {
                again = read(i, bytes, quiet ? 4 : 1 + any(2)) && member_->re_enable(here, i, read_event);
            } else { // the application will read later, or another process does
                ghost_.unanswered[i] = epoch;
                again                = false;
            }
        } else {
            ghost_.spurious.fetch_add(1);
            restore = read_event;
        }
        std::uint64_t expected = self;
        if (!ghost_.inside[i].compare_exchange_strong(expected, 0)) {
            ghost_.p2.fetch_add(1);
        }
        member_->finish(here, i, epoch, restore);
        if (again && holds_[i].watched && restore == 0) {
            watch(i);
        }
    }

    bool read(std::uint32_t i, char* bytes, std::size_t count)
    {
        if (::recv(theatre_.places[i].ends[0].get(), bytes, count, MSG_DONTWAIT) <= 0) {
            return false;
        }
        ghost_.unanswered[i] = 0;
        if (any(32) == 0) {
            ::usleep(any(300)); // whoever dies here has read, and not re-enabled
        }
        return true;
    }

    void read_without_owning(std::uint32_t i)
    {
        char byte;
        if (!read(i, &byte, 1)) {
            return;
        }
        ghost_.foreign_reads.fetch_add(1);
        if (member_->re_enable(slot(i), i, read_event) && holds_[i].watched) {
            watch(i);
        }
    }

    // --- handles, the line, tickets ---

    bool had(const error_code& ec)
    {
        if (ec == errc::lock_timeout) {
            ghost_.lock_timeouts.fetch_add(1);
        } else if (ec && ec != errc::not_the_owner && ec != errc::target_gone && ec != errc::closed_handle) {
            throw boost::system::system_error(ec, "worker");
        }
        return !ec;
    }

    void open(std::uint32_t i)
    {
        error_code ec;
        const record_id handle = member_->open_handle(theatre_.places[i].socket, ec);
        if (had(ec)) {
            holds_[i] = {.handle = handle};
            look(i);
        }
    }

    void close(std::uint32_t i)
    {
        forget(i);
        error_code ec;
        member_->close_handle(which(i), holds_[i].epoch, ec);
        believe(i, 0);
        if (had(ec)) { // else it is still open, and nothing but the registration is gone
            holds_[i] = {};
            ghost_.closes.fetch_add(1);
        }
    }

    void stand_by(std::uint32_t i)
    {
        if (holds_[i].epoch != 0 || holds_[i].stands_by) {
            return;
        }
        error_code ec;
        member_->stand_by(which(i), read_event, ec);
        if (had(ec)) {
            holds_[i].stands_by = true;
            look(i);
        }
    }

    void stand_down(std::uint32_t i)
    {
        error_code ec;
        member_->stand_down(which(i), ec);
        if (had(ec)) {
            holds_[i].stands_by = false;
            look(i); // our turn may have come just before
        }
    }

    void pass_on(std::uint32_t i)
    {
        if (holds_[i].epoch == 0) {
            return;
        }
        error_code ec;
        if (member_->pass_on(which(i), holds_[i].epoch, ec)) {
            ghost_.passed_on.fetch_add(1);
            believe(i, 0);
            forget(i);
            holds_[i].stands_by = true;
        }
        had(ec);
        look(i);
    }

    void count_outcome(std::atomic<std::uint64_t>& kind, std::uint64_t nonce)
    {
        kind.fetch_add(1);
        if (ghost_.outcomes[nonce % tickets].fetch_add(1) != 0) {
            ghost_.p6.fetch_add(1);
        }
    }

    void send_ticket(std::uint32_t i)
    {
        const std::uint32_t target = any(storm_sizes.processes);
        const process_id who{target, load(*member_->bytes().process(target)).generation};
        if (target == me() || target == 0 || ghost_.post[target].load() != 0 || !member_->alive(who)) { // 0: the judge
            return;
        }
        error_code ec;
        const std::uint64_t nonce        = ghost_.next_ticket.fetch_add(1) + 1; // 0 is none
        ghost_.outcomes[nonce % tickets] = 0;
        const record_id ticket           = member_->prepare_offer(theatre_.places[i].socket, nonce, who, ec);
        if (!had(ec) || !member_->commit_offer({theatre_.places[i].socket, ticket}, who)) {
            return;
        }
        std::uint64_t nothing = 0;
        const bool posted     = ghost_.post[target].compare_exchange_strong(nothing, pack(ticket) + 1);
        if ((!posted || any(2) == 0) && member_->withdraw_ticket(ticket, ec)) {
            count_outcome(ghost_.withdrawn, nonce);
        }
        had(ec);
    }

    void take_ticket()
    {
        const std::uint64_t letter = ghost_.post[me()].exchange(0);
        if (letter == 0) {
            return;
        }
        const record_id ticket            = unpack(letter - 1);
        const handle_record* const record = handle_table::find(member_->bytes(), ticket);
        if (record == nullptr) {
            return;
        }
        const std::uint64_t nonce = record->nonce;
        if (!member_->take_offered(ticket, nonce, {record->source, 0})) {
            return;
        }
        count_outcome(ghost_.redeemed, nonce);
        const std::uint32_t socket = record->socket;
        if (holds_[socket].handle) {
            redeemed_.push_back({theatre_.places[socket].socket, ticket});
        } else {
            holds_[socket] = {.handle = ticket};
        }
    }

    void close_redeemed()
    {
        if (redeemed_.empty()) {
            return;
        }
        error_code ec;
        member_->close_handle(redeemed_.back(), 0, ec);
        if (had(ec)) {
            redeemed_.pop_back();
        }
    }

    void act(std::uint32_t i)
    {
        take_ticket();
        if (any(64) == 0) {
            member_->sweep_dead();
        }
        if (!holds_[i].handle) {
            open(i);
            return;
        }
        switch (any(16)) {
        case 0:
        case 1:
        case 2:
        case 3:
            return take_over(i);
        case 4:
        case 5:
        case 6:
        case 7:
        case 8:
            return read_without_owning(i);
        case 9:
            return any(4) == 0 ? close(i) : close_redeemed();
        case 10:
            return stand_by(i);
        case 11:
            return pass_on(i);
        case 12:
            return any(4) == 0 ? cancel(i) : void();
        case 13:
            return send_ticket(i);
        default:
            return;
        }
    }

    theatre& theatre_;
    ghosts& ghost_;
    std::mt19937 random_;
    core_member member_;
    unique_fd epoll_;
    std::array<hold, sockets> holds_{};
    std::vector<socket_and_handle> redeemed_;
};

// --- the judge, who also kills ----------------------------------------------------------------------------------------

class judge {
public:
    explicit judge(const storm_options& options) : options_(options), random_(options.seed)
    {
        member_.attach();
        for (std::uint32_t i = 0; i < sockets; ++i) {
            int ends[2];
            if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
                throw std::system_error(errno, std::generic_category(), "socketpair");
            }
            place& at  = theatre_.places[i];
            at.ends[0] = unique_fd(ends[0]);
            at.ends[1] = unique_fd(ends[1]);
            error_code ec;
            const socket_and_handle made = member_->create_socket({.cookie = i + 1}, ec);
            at.socket                    = made.socket;
            handles_.push_back(made);
        }
    }

    ~judge()
    {
        for (pid_t& process : processes_) {
            end(process);
        }
    }

    storm_report run()
    {
        const auto over = std::chrono::steady_clock::now() + options_.duration;
        while (std::chrono::steady_clock::now() < over && report_.findings.size() < (options_.first_finding ? 1 : 20)) {
            for (int round = 0; round < 75; ++round) {
                rage();
            }
            if (any(2) == 0) {
                abate();
            }
            settle();
        }
        finish();
        return std::move(report_);
    }

private:
    std::uint32_t any(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }

    void find(const std::string& what) { report_.findings.push_back(what); }

    void replace_the_dead()
    {
        for (pid_t& process : processes_) {
            int status = 0;
            if (process > 0 && ::waitpid(process, &status, WNOHANG) == process) {
                process = 0; // nobody killed it
                find("a worker ended by itself with status " + std::to_string(status));
            }
            if (process == 0) {
                const auto seed = static_cast<std::uint32_t>(random_());
                process         = theatre_.segment.fork([&] { worker(theatre_, seed).work(); });
            }
        }
    }

    static void end(pid_t& process)
    {
        if (process > 0) {
            ::kill(process, SIGKILL);
            ::waitpid(process, nullptr, 0);
            process = 0;
        }
    }

    void write_something()
    {
        for (std::uint32_t count = any(6); count > 0; --count) {
            const char bytes[32]{};
            static_cast<void>(::write(theatre_.places[any(sockets)].ends[1].get(), bytes, 1 + any(32)));
        }
    }

    void rage()
    {
        replace_the_dead();
        write_something();
        ::usleep(any(1500));
        if (options_.stops && any(8) == 0) {
            const pid_t stopped = processes_[any(workers)];
            ::kill(stopped, SIGSTOP);
            ++report_.stops;
            ::usleep(any(5000));
            ::kill(stopped, SIGCONT);
        }
        if (any(2) == 0) {
            end(processes_[any(workers)]);
            ++report_.kills;
        }
        if (any(8) == 0) {
            member_->sweep_dead();
        }
    }

    // Nobody dies any more, and all that died is swept: a sweep rings everybody, and so hides who should have been rung.
    // Then nobody writes any more, and what is left to read is left to those who read in passing.
    void abate()
    {
        replace_the_dead();
        ::usleep(2000);
        member_->sweep_dead();
        for (int round = 0; round < 10; ++round) {
            write_something();
            ::usleep(any(500));
        }
        ::usleep(any(1000));
    }

    // Data that is there, though somebody lives who owns its events, and was not told since somebody last read.
    std::string unread_data()
    {
        for (std::uint32_t i = 0; i < sockets; ++i) {
            const registration_word word = member_.word(theatre_.places[i].socket);
            const bool answered          = word.armed != 0 || ghost_.unanswered[i].load() != word.epoch;
            if (word.owned() && answered && unread(theatre_.places[i]) > 0) {
                return "P3: socket " + std::to_string(i) + " has data and an owner who does not look (owner " +
                       std::to_string(word.owner) + ", delivering " + std::to_string(static_cast<int>(word.delivering)) +
                       ", armed " + std::to_string(word.armed) + ", epoch " + std::to_string(word.epoch) + ")";
            }
        }
        return {};
    }

    void settle()
    {
        replace_the_dead();
        ghost_.idle  = 0;
        ghost_.quiet = true; // the workers see it within their 1 ms; nobody rings them
        member_->sweep_dead();
        member_->sweep_dead(); // what a stopped process had kept from the first
        const auto begin = std::chrono::steady_clock::now();
        const auto limit = begin + 3s * slowness;
        const auto calm  = [&] { return ghost_.idle.load() >= workers && unread_data().empty() && untold().empty(); };
        while (!calm() && std::chrono::steady_clock::now() < limit) {
            ::poll(nullptr, 0, 1);
        }
        settled_.push_back(static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin).count()));
        ++report_.quiets;
        if (ghost_.idle.load() < workers) {
            find("only " + std::to_string(ghost_.idle.load()) + " workers came to rest");
        }
        for (const std::string& what : {unread_data(), untold(), left_standing(), audit()}) {
            if (!what.empty()) {
                find(what);
            }
        }
        count("P1: an event of a registration older than a fenced one was delivered", ghost_.p1);
        count("P2: two deliveries at a time", ghost_.p2);
        count("P6: a ticket was redeemed or withdrawn twice", ghost_.p6);
        ghost_.quiet = false;
        for (std::uint32_t process = 0; process < storm_sizes.processes; ++process) {
            member_->ring(process, no_index);
        }
        member_.heard();
    }

    std::string untold()
    {
        for (std::uint32_t process = 0; process < storm_sizes.processes; ++process) {
            if (process == member_->self().index || !load(*member_->bytes().process(process)).used ||
                !member_.life->held(process)) {
                continue;
            }
            for (std::uint32_t i = 0; i < sockets; ++i) {
                const std::uint32_t epoch    = ghost_.mine[process][i];
                const registration_word word = member_.word(theatre_.places[i].socket);
                if (epoch != 0 && !word.owned_by(process, epoch)) {
                    return "P5: process " + std::to_string(process) + " lost socket " + std::to_string(i) + " and was not told";
                }
                if (word.owner == process && epoch == 0) {
                    return "P5: process " + std::to_string(process) + " owns the events of socket " + std::to_string(i) +
                           " and was not told";
                }
            }
        }
        return {};
    }

    std::string left_standing()
    {
        for (std::uint32_t i = 0; i < sockets; ++i) {
            if (!member_.word(theatre_.places[i].socket).owned() &&
                socket_table::first_in_line(member_->bytes(), theatre_.places[i].socket.index) != no_index) {
                return "P7: nobody owns the events of socket " + std::to_string(i) + ", and somebody stands by";
            }
        }
        return {};
    }

    std::string audit()
    {
        const std::string found = member_.audit();
        return found.empty() ? found : "P4: " + found;
    }

    void finish()
    {
        for (pid_t& process : processes_) {
            end(process);
            ++report_.kills;
        }
        member_->sweep_dead();
        if (const std::string found = audit(); !found.empty()) {
            find(found);
        }
        error_code ec;
        for (const socket_and_handle& each : handles_) {
            member_->close_handle(each, 0, ec);
        }
        if (const std::string left = member_.leftover(); !left.empty()) {
            find("P4: at the end " + left);
        }
        const segment_header& header = *member_->bytes().header;
        report_.events               = ghost_.events;
        report_.spurious             = ghost_.spurious;
        report_.refused              = ghost_.refused;
        report_.take_overs           = ghost_.take_overs;
        report_.fenced               = ghost_.fenced;
        report_.pending              = ghost_.pending;
        report_.foreign_reads        = ghost_.foreign_reads;
        report_.told                 = ghost_.told;
        report_.successions          = ghost_.successions;
        report_.passed_on            = ghost_.passed_on;
        report_.closes               = ghost_.closes;
        report_.redeemed             = ghost_.redeemed;
        report_.withdrawn            = ghost_.withdrawn;
        report_.lock_timeouts        = ghost_.lock_timeouts;
        report_.sweeps               = header.sweeps;
        report_.owner_deaths         = header.owner_deaths;
        std::sort(settled_.begin(), settled_.end());
        if (!settled_.empty()) {
            report_.settle_us_median = settled_[settled_.size() / 2];
            report_.settle_us_max    = settled_.back();
        }
    }

    void count(const char* what, std::atomic<std::uint64_t>& ghost)
    {
        if (const std::uint64_t times = ghost.exchange(0); times != 0) {
            find(std::string(what) + ", " + std::to_string(times) + " times");
        }
    }

    const storm_options options_;
    std::mt19937 random_;
    theatre theatre_;
    ghosts& ghost_ = theatre_.ghost;
    core_member member_{theatre_.segment};
    std::vector<socket_and_handle> handles_;
    std::array<pid_t, workers> processes_{};
    std::vector<std::uint64_t> settled_;
    storm_report report_;
};

} // namespace

storm_report run_storm(const storm_options& options)
{
    const std::size_t before = open_descriptors();
    storm_report report;
    report                  = judge(options).run();
    const std::size_t after = open_descriptors();
    if (after != before) {
        report.findings.push_back("P4: " + std::to_string(after) + " descriptors are open instead of " + std::to_string(before));
    }
    return report;
}

std::string storm_report::text() const
{
    char text[800];
    std::snprintf(text, sizeof text,
                  "%llu kills, %llu stops: %llu events, %llu spurious, %llu edges refused, %llu take-overs (%llu fenced, %llu "
                  "pending), %llu foreign reads, %llu cancellations told, %llu successions, %llu passed on, %llu closes, "
                  "%llu tickets redeemed, %llu withdrawn, %llu lock time-outs, %llu sweeps, %llu locks of the dead, "
                  "%llu quiet periods (settled in %.1f ms, at most %.1f ms), %zu findings",
                  (unsigned long long)kills, (unsigned long long)stops, (unsigned long long)events, (unsigned long long)spurious,
                  (unsigned long long)refused, (unsigned long long)take_overs, (unsigned long long)fenced,
                  (unsigned long long)pending, (unsigned long long)foreign_reads, (unsigned long long)told,
                  (unsigned long long)successions, (unsigned long long)passed_on, (unsigned long long)closes,
                  (unsigned long long)redeemed, (unsigned long long)withdrawn, (unsigned long long)lock_timeouts,
                  (unsigned long long)sweeps, (unsigned long long)owner_deaths, (unsigned long long)quiets,
                  static_cast<double>(settle_us_median) / 1e3, static_cast<double>(settle_us_max) / 1e3, findings.size());
    return text;
}

} // namespace test
