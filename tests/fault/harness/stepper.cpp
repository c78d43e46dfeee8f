#include "fault/harness/stepper.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <random>
#include <stdexcept>
#include <system_error>
#include <unordered_map>
#include <vector>

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {

#if defined(__x86_64__)

namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

template <class... Arguments>
long trace(__ptrace_request request, pid_t process, std::uintptr_t address = 0, std::uintptr_t data = 0)
{
    errno             = 0;
    const long result = ::ptrace(request, process, address, data);
    if (result == -1 && errno != 0) {
        fail("ptrace");
    }
    return result;
}

void stand_still() { ::syscall(SYS_kill, ::getpid(), SIGSTOP); }

// A process that is traced; killed and reaped at the end.
class traced {
public:
    enum class stop { step, mark, system_call, over };

    explicit traced(pid_t process) : process_(process)
    {
        if (wait() != stop::mark) {
            throw std::runtime_error("the actor did not come to where the operation begins");
        }
        trace(PTRACE_SETOPTIONS, process_, 0, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
    }
    ~traced()
    {
        if (!reaped_) {
            ::kill(process_, SIGKILL);
            while (wait() != stop::over) {
            }
        }
    }
    traced(const traced&) = delete;

    stop go(__ptrace_request how)
    {
        trace(how, process_);
        return wait();
    }

    std::uintptr_t place() const
    {
        user_regs_struct registers;
        trace(PTRACE_GETREGS, process_, 0, reinterpret_cast<std::uintptr_t>(&registers));
        return registers.rip;
    }

    // Runs until the process has come to `address` for the `times`-th time. False if it never does: then the operation has ended.
    bool run_to(std::uintptr_t address, std::size_t times)
    {
        if (place() == address && --times == 0) {
            return true;
        }
        const long whole      = trace(PTRACE_PEEKTEXT, process_, address);
        const long breakpoint = (whole & ~0xffL) | 0xcc;
        if (place() == address && go(PTRACE_SINGLESTEP) != stop::step) {
            return false;
        }
        for (;;) {
            if (place() == address) { // an instruction that repeats itself
                if (--times == 0) {
                    return true;
                }
            } else {
                trace(PTRACE_POKETEXT, process_, address, static_cast<std::uintptr_t>(breakpoint));
                if (go(PTRACE_CONT) != stop::step) {
                    return false;
                }
                trace(PTRACE_POKETEXT, process_, address, static_cast<std::uintptr_t>(whole));
                user_regs_struct registers;
                trace(PTRACE_GETREGS, process_, 0, reinterpret_cast<std::uintptr_t>(&registers));
                registers.rip = address;
                trace(PTRACE_SETREGS, process_, 0, reinterpret_cast<std::uintptr_t>(&registers));
                if (--times == 0) {
                    return true;
                }
            }
            if (go(PTRACE_SINGLESTEP) != stop::step) {
                return false;
            }
        }
    }

private:
    stop wait()
    {
        int status = 0;
        while (::waitpid(process_, &status, 0) < 0) {
            if (errno != EINTR) {
                fail("waitpid");
            }
        }
        if (!WIFSTOPPED(status)) {
            reaped_ = true;
            return stop::over;
        }
        switch (WSTOPSIG(status)) {
        case SIGTRAP:
            return stop::step;
        case SIGSTOP:
            return stop::mark;
        case SIGTRAP | 0x80:
            return stop::system_call;
        default:
            throw std::runtime_error("the actor got signal " + std::to_string(WSTOPSIG(status)));
        }
    }

    const pid_t process_;
    bool reaped_ = false;
};

// One operation and its stage, put back to the beginning for each actor.
class rehearsal {
public:
    rehearsal(const operation& what, step_report& report) : what_(what), report_(report)
    {
        what.scene(stage_);
        bytes_ = stage_.segment.copy();
        epoch_ = stage_.epoch;
    }

    // A new actor in front of the operation.
    pid_t begin()
    {
        stage_.segment.restore(bytes_);
        stage_.epoch = epoch_;
        stage_.survivor.heard();
        const pid_t process = stage_.segment.fork([&] {
            ::ptrace(PTRACE_TRACEME, 0, 0, 0);
            auto* const who = new actor(stage_.segment);
            what_.prepare(stage_, *who);
            stand_still(); // the survivor acts
            stand_still(); // the operation begins
            what_.run(stage_, *who);
            stand_still();
        });
        int status          = 0;
        ::waitpid(process, &status, 0);
        if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP) {
            throw std::runtime_error("the actor did not come to where the operation begins");
        }
        what_.meanwhile(stage_);
        stage_.survivor.heard();
        ::ptrace(PTRACE_CONT, process, 0, 0);
        return process;
    }

    // Judges what the dead actor has left.
    void judge(const std::string& where)
    {
        ++report_.kills;
        std::string found = stage_.recovers();
        if (found.empty()) {
            found = what_.after(stage_);
        }
        if (found.empty()) {
            found = stage_.goes_on();
        }
        note(found, where);
    }

    void judge_completion() { note(what_.done(stage_), "when it was complete"); }

    void note(const std::string& found, const std::string& where)
    {
        if (!found.empty()) {
            step_report::finding& one = report_.findings[found];
            if (one.count++ == 0) {
                one.first = where;
            }
        }
    }

private:
    const operation& what_;
    step_report& report_;
    stage stage_;
    std::vector<std::byte> bytes_;
    std::uint32_t epoch_ = 0;
};

std::vector<std::uintptr_t> trace_of(rehearsal& play)
{
    std::vector<std::uintptr_t> places;
    traced actor(play.begin());
    do {
        places.push_back(actor.place());
    } while (actor.go(PTRACE_SINGLESTEP) == traced::stop::step);
    places.pop_back(); // the place where the signal of the last mark waited
    play.judge_completion();
    return places;
}

} // namespace

step_report step_through(const operation& what, const step_options& options)
{
    step_report report;
    report.name      = what.name;
    const auto start = std::chrono::steady_clock::now();
    rehearsal play(what, report);

    trace_of(play); // the first time, the linker and the kernel have to find things
    play.judge("after its end");
    const auto places   = trace_of(play);
    report.instructions = places.size();
    play.judge("after its end");

    std::mt19937 random(options.seed);
    const double chance = static_cast<double>(options.most_points) / static_cast<double>(places.size());
    std::bernoulli_distribution chosen(std::min(1.0, chance));
    std::unordered_map<std::uintptr_t, std::size_t> passed;
    for (std::size_t point = 0; point < places.size(); ++point) {
        const std::size_t times = ++passed[places[point]];
        if (!chosen(random)) {
            continue;
        }
        if (options.first_finding && !report.findings.empty()) {
            return report;
        }
        if (!traced(play.begin()).run_to(places[point], times)) { // the clock or the heap changed the path: count the steps
            traced actor(play.begin());
            for (std::size_t step = 0; step < point && actor.go(PTRACE_SINGLESTEP) == traced::stop::step; ++step) {
            }
            ++report.stepped;
        }
        play.judge("after instruction " + std::to_string(point));
    }

    for (std::size_t stops = 1;; ++stops) {
        bool over = false;
        {
            traced actor(play.begin());
            for (std::size_t stop = 0; stop < stops && !over; ++stop) {
                over = actor.go(PTRACE_SYSCALL) != traced::stop::system_call;
            }
        }
        play.judge("at system call stop " + std::to_string(stops));
        if (over) {
            break;
        }
        ++report.system_calls;
    }
    report.time = std::chrono::steady_clock::now() - start;
    return report;
}

#if defined(SHAREDSOCK_TEST_SANITIZED)
bool can_step() { return false; } // each instruction becomes many, and the runtime has threads of its own
#else
bool can_step() { return true; }
#endif

#else

step_report step_through(const operation&, const step_options&) { throw std::logic_error("not for this machine"); }
bool can_step() { return false; }

#endif

std::string step_report::line() const
{
    std::size_t broken = 0;
    for (const auto& [what, one] : findings) {
        broken += one.count;
    }
    char text[160];
    std::snprintf(text, sizeof text, "%-62s %5zu instructions %4zu call stops %5zu kills %6.2f s %4zu broken", name.c_str(),
                  instructions, system_calls, kills, std::chrono::duration<double>(time).count(), broken);
    return text;
}

} // namespace test
