// Every step that a process may take on the common state, as an operation in which a process can be killed.
#pragma once

#include "fault/harness/core_fixture.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace test {

/// The process that is killed.
struct actor {
    core_member member;
    socket_and_handle own{}; ///< its handle of the survivor's socket, or of another that it made
    std::uint32_t epoch = 0; ///< of its registration
    record_id ticket{};

    explicit actor(const core_segment& segment) : member(segment) {}
};

/// The place of an operation: a segment, the survivor (this process) and its one socket.
class stage {
public:
    stage();

    /// Notes between the survivor and its actor, in shared memory.
    struct notes {
        process_id actor;
        process_id dead;
        record_id ticket;
    };
    notes& told() const noexcept { return *reinterpret_cast<notes*>(notes_memory_.data()); }

    bool owns() { return survivor.word(shared.socket).owned_by(survivor->self().index, epoch); }
    std::uint32_t take_over(core_member& by, const socket_and_handle& which);
    /// Runs `body` in a process that then dies, unswept.
    void die_after(const std::function<void(stage&, actor&)>& body);
    /// Attaches another process at every free index.
    void crowd();

    /// The survivor sweeps, and finds nothing wrong; empty, or its finding. The first half of the check after every death.
    std::string recovers();
    /// The survivor ends its tickets, registers, claims, finishes and closes, and nothing is left. The second half.
    std::string goes_on();

    core_segment segment;
    core_member survivor{segment};
    socket_and_handle shared{};
    std::uint32_t epoch = 0; ///< of the survivor's registration

private:
    shared_memory notes_memory_{sizeof(notes)};
    std::vector<std::unique_ptr<core_member>> crowd_;
};

struct operation {
    using step  = std::function<void(stage&, actor&)>;
    using check = std::function<std::string(stage&)>;

    std::string name;
    step run; ///< the actor is killed in this

    std::function<void(stage&)> scene     = [](stage&) {};                        ///< the state before; once
    step prepare                          = [](stage&, actor&) {};                ///< by the actor
    std::function<void(stage&)> meanwhile = [](stage&) {};                        ///< by the survivor, after that
    check done                            = [](stage&) { return std::string(); }; ///< must hold when the actor was not killed
    check after = [](stage&) { return std::string(); }; ///< must hold when the actor was killed, wherever, and swept
};

const std::vector<operation>& operations();

void add_handle_steps(std::vector<operation>& list);       ///< processes, sockets, handles, names
void add_registration_steps(std::vector<operation>& list); ///< and the standby queue
void add_ticket_steps(std::vector<operation>& list);       ///< and hand-overs
void add_giving_steps(std::vector<operation>& list);       ///< of acknowledged hand-overs
void add_sweep_steps(std::vector<operation>& list);        ///< of the dead, and of processes that died in a sweep

} // namespace test
