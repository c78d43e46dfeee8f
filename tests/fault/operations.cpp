#include "operations.hpp"

#include "name_table.hpp"

#include <csignal>
#include <stdexcept>

#include <unistd.h>

namespace test {
namespace {

using namespace std::chrono_literals;

void expect(bool condition, const char* what)
{
    if (!condition) {
        throw std::runtime_error(std::string("the scene does not come about: ") + what);
    }
}

void expect(const error_code& ec, const char* what)
{
    if (ec) {
        throw boost::system::system_error(ec, what);
    }
}

// --- what actors do to come where it begins ---------------------------------------------------------------------------

void attach(stage& where, actor& who)
{
    who.member.attach();
    where.told().actor = who.member->self();
}

void open(stage& where, actor& who)
{
    attach(where, who);
    error_code ec;
    who.own = {where.shared.socket, who.member->open_handle(where.shared.socket, ec)};
    expect(ec, "open_handle");
}

void own(stage& where, actor& who)
{
    open(where, who);
    who.epoch = where.take_over(who.member, who.own);
}

void claim(stage& where, actor& who)
{
    own(where, who);
    expect(who.member->claim(who.member.slot(who.own.socket), who.epoch, all_events), "claim");
}

void create(stage& where, actor& who)
{
    attach(where, who);
    error_code ec;
    who.own = who.member->create_socket({.cookie = 2}, ec);
    expect(ec, "create_socket");
}

void prepare_ticket(stage& where, actor& who)
{
    open(where, who);
    error_code ec;
    who.ticket = who.member->prepare_ticket(where.shared.socket, 77, ec);
    expect(ec, "prepare_ticket");
}

constexpr std::uint64_t offer_nonce = 99;

// A ticket or a hand-over to `target`.
void begin_offer(stage& where, actor& who, process_id target)
{
    error_code ec;
    who.ticket = who.member->prepare_offer(where.shared.socket, offer_nonce, target, ec);
    expect(ec, "prepare_offer");
    where.told().ticket = who.ticket;
    where.told().actor  = who.member->self();
}

void prepare_offer(stage& where, actor& who)
{
    open(where, who);
    begin_offer(where, who, where.survivor->self());
}

void prepare_offer_to_the_dead(stage& where, actor& who)
{
    open(where, who);
    begin_offer(where, who, where.told().dead);
}

// The letter is in the survivor's hands from here on: whatever becomes of the actor, it may take the handle.
void commit_offer(stage& where, actor& who)
{
    who.member->commit_offer({where.shared.socket, who.ticket}, where.survivor->self());
}

void offer(stage& where, actor& who)
{
    prepare_offer(where, who);
    commit_offer(where, who);
}

void finish(stage&, actor& who)
{
    who.member->finish(who.member.slot(who.own.socket), who.own.socket.index, who.epoch, 0);
}

void close(stage&, actor& who)
{
    error_code ec;
    who.member->close_handle(who.own, who.epoch, ec);
}

void sweep(stage&, actor& who) { who.member->sweep_dead(); }

// --- what the survivor does -------------------------------------------------------------------------------------------

void give_up(stage& where)
{
    expect(where.survivor->cancel(where.shared.socket), "cancel");
    where.epoch = 0;
}

void take_back(stage& where) { where.epoch = where.take_over(where.survivor, where.shared); }

void get_in_line(stage& where)
{
    error_code ec;
    where.survivor->stand_by(where.shared, all_events, ec);
    expect(ec, "stand_by");
    where.epoch = 0;
}

void disarm(stage& where)
{
    socket_slot& slot = where.survivor.slot(where.shared.socket);
    expect(where.survivor->claim(slot, where.epoch, all_events), "claim");
    where.survivor->finish(slot, where.shared.socket.index, where.epoch, 0);
}

// As a process leaves it that was stopped in `cancel`.
void open_succession(stage& where)
{
    take_back(where);
    get_in_line(where);
    change(where.survivor.slot(where.shared.socket).registration,
           [](const registration_word& word) { return std::optional(word.cancelled()); });
}

void keep_for_actor(stage& where)
{
    error_code ec;
    where.told().ticket = where.survivor->prepare_ticket(where.shared.socket, 77, ec);
    expect(ec, "prepare_ticket");
    where.survivor->keep_ticket(where.told().ticket, 1, 1);
}

void begin_offer_to_actor(stage& where)
{
    error_code ec;
    where.told().ticket = where.survivor->prepare_offer(where.shared.socket, offer_nonce, where.told().actor, ec);
    expect(ec, "prepare_offer");
}

void offer_to_actor(stage& where)
{
    begin_offer_to_actor(where);
    expect(where.survivor->commit_offer({where.shared.socket, where.told().ticket}, where.told().actor), "commit_offer");
}

void take_from_actor(stage& where)
{
    expect(where.survivor->take_offered(where.told().ticket, offer_nonce, where.told().actor), "take_offered");
    error_code ec;
    where.survivor->close_handle({where.shared.socket, where.told().ticket}, 0, ec);
    expect(ec, "close_handle");
}

void fill_maps(stage& where)
{
    const tables& bytes = where.segment.bytes();
    free_map handles = bytes.handle_map, sockets = bytes.socket_map;
    for (std::uint32_t index = 0; index < bytes.capacity.handles; ++index) {
        handles.set_used(index);
    }
    for (std::uint32_t index = 0; index < bytes.capacity.sockets; ++index) {
        sockets.set_used(index);
    }
}

void remove_bell(stage& where)
{
    ::unlinkat(where.segment.directory(), ("bell." + std::to_string(where.told().actor.index)).c_str(), 0);
}

// --- the dead that are swept ------------------------------------------------------------------------------------------

void die_building(stage& where)
{
    where.die_after([](stage& here, actor& who) {
        attach(here, who);
        tables bytes        = who.member->bytes();
        const process_id me = who.member->self();
        const record_id handle = handle_table::claim(bytes, me.index, me.generation).id;
        bytes.handle(handle.index)->socket = 5;
        bytes.socket(5)->life = slot_life{0, me.index, slot_state::building}.encode();
        handle_table::link(bytes, *bytes.socket(5), handle.index);
    });
}

void die_locking(stage& where)
{
    where.die_after([](stage& here, actor& who) {
        open(here, who);
        error_code ec;
        new membership::slot_guard(who.member.self, here.shared.socket.index, ec);
        expect(ec, "lock");
        who.member.slot(here.shared.socket).first_handle = 0; // in the middle of a change
    });
}

void die_offering(stage& where)
{
    where.die_after([](stage& here, actor& who) {
        offer(here, who);
        here.told().ticket = who.ticket;
    });
}

void die_withdrawing(stage& where)
{
    where.die_after([](stage& here, actor& who) {
        attach(here, who);
        error_code ec;
        new membership::slot_guard(who.member.self, here.shared.socket.index, ec); // holds a lock, and no handle
        new lease_lock(who.member->name_lock());
        who.member->name_lock().lock(ec);
        expect(ec, "lock");
    });
}

// --- what must be true ------------------------------------------------------------------------------------------------

// The loser of a registration is told.
std::string told_if_lost(stage& where)
{
    return where.owns() || where.survivor.rung() ? "" : "the survivor lost its registration and was not told";
}

std::string told(stage& where)
{
    return where.survivor.rung() ? "" : "the survivor was not rung";
}

std::string woken(stage& where)
{
    return where.survivor.rung() ? "" : "the survivor could not claim while a delivery was under way, and was not woken";
}

std::string re_armed(stage& where)
{
    if (where.survivor.word(where.shared.socket).armed != all_events) {
        return "the survivor's events were not armed again";
    }
    return where.survivor.rung() ? "" : "the survivor's events were armed again, and it was not rung";
}

std::string succeeded(stage& where)
{
    if (where.survivor.word(where.shared.socket).owner != where.survivor->self().index) {
        return "the survivor stood by and did not succeed";
    }
    return where.survivor.rung() ? "" : "the survivor succeeded and was not told";
}

std::string told_if_succeeded(stage& where)
{
    return where.survivor.word(where.shared.socket).owner != where.survivor->self().index ? "" : succeeded(where);
}

std::string ticket_held(stage& where)
{
    const handle_record* const record = handle_table::find(where.segment.bytes(), where.told().ticket);
    return record != nullptr && load(*record).state == handle_state::offered ? "" : "the dead's ticket is gone";
}

// A hand-over that was committed is the survivor's to take, as its letter says.
std::string handed_over(stage& where)
{
    if (!where.survivor->take_offered(where.told().ticket, offer_nonce, where.told().actor)) return "the survivor cannot take what was handed over";
    error_code ec;
    where.survivor->close_handle({where.shared.socket, where.told().ticket}, 0, ec);
    return ec ? "the survivor cannot close what was handed over: " + ec.message() : "";
}

// Of a hand-over to the dead nothing is left but the actor's own handle.
std::string still_here(stage& where)
{
    std::size_t count = 0;
    handle_table::for_each(where.segment.bytes(), where.shared.socket.index, [&](std::uint32_t, const handle_record&) { return ++count, true; });
    return count == 2 ? "" : "there are " + std::to_string(count) + " handles";
}

std::vector<operation> all()
{
    std::vector<operation> list;
    const auto add = [&](operation one) { list.push_back(std::move(one)); };

    // processes
    add({.name = "attach", .run = [](stage&, actor& who) {
             error_code ec;
             who.member->attach(ec);
         }});
    add({.name  = "attach in the place of a dead owner",
         .run   = [](stage&, actor& who) {
             error_code ec;
             who.member->attach(ec);
         },
         .scene = [](stage& where) {
             where.die_after(claim);
             where.crowd();
         },
         .done  = told,
         .after = told});
    add({.name = "hang the bell",
         .run  = [](stage&, actor& who) {
             error_code ec;
             who.member.bells.hang(who.member->self().index, ec);
         },
         .prepare = [](stage& where, actor& who) {
             error_code ec;
             who.member->attach(ec);
             where.told().actor = who.member->self();
         },
         .meanwhile = remove_bell});
    add({.name = "detach",
         .run  = [](stage&, actor& who) { who.member->detach(); },
         .prepare = [](stage& where, actor& who) {
             offer(where, who);
             who.epoch = where.take_over(who.member, who.own);
             who.member->claim(who.member.slot(who.own.socket), who.epoch, all_events);
         },
         .done  = told,
         .after = told_if_lost});

    // sockets and handles
    add({.name = "create a socket", .run = [](stage&, actor& who) {
             error_code ec;
             who.member->create_socket({.cookie = 2}, ec);
         }, .prepare = attach});
    add({.name = "create a socket when all hints are wrong", .run = [](stage&, actor& who) {
             error_code ec;
             who.member->create_socket({.cookie = 2}, ec);
         }, .scene = fill_maps, .prepare = attach});
    add({.name = "open a handle", .run = [](stage& where, actor& who) {
             error_code ec;
             who.member->open_handle(where.shared.socket, ec);
         }, .prepare = attach});
    add({.name = "close a handle", .run = close, .prepare = open});
    add({.name = "close the last handle", .run = close, .prepare = create});
    add({.name = "close the owner's handle",
         .run  = close,
         .prepare   = own,
         .meanwhile = get_in_line,
         .done      = succeeded,
         .after     = succeeded});
    add({.name = "close in the middle of a delivery",
         .run  = close,
         .prepare   = claim,
         .meanwhile = take_back,
         .done      = woken,
         .after     = woken});

    // the registration
    add({.name = "take over from the survivor",
         .run  = [](stage& where, actor& who) { who.member->take_over({where.shared.socket, who.own.handle}, some_events, 1); },
         .prepare = open,
         .done    = told,
         .after   = told_if_lost});
    add({.name  = "register where nobody is registered",
         .run   = [](stage& where, actor& who) { who.member->take_over({where.shared.socket, who.own.handle}, some_events, 1); },
         .scene = give_up,
         .prepare = open});
    add({.name = "register again", .run = [](stage&, actor& who) { who.member->take_over(who.own, some_events, 1); }, .prepare = own});
    add({.name = "cancel", .run = [](stage&, actor& who) { who.member->cancel(who.own.socket, who.epoch); }, .prepare = own});
    add({.name = "cancel while the survivor stands by",
         .run  = [](stage&, actor& who) { who.member->cancel(who.own.socket, who.epoch); },
         .prepare   = own,
         .meanwhile = get_in_line,
         .done      = succeeded,
         .after     = succeeded});
    add({.name = "cancel the survivor's",
         .run  = [](stage&, actor& who) { who.member->cancel(who.own.socket); },
         .prepare = open,
         .done    = told,
         .after   = told_if_lost});
    add({.name = "claim",
         .run  = [](stage&, actor& who) { who.member->claim(who.member.slot(who.own.socket), who.epoch, read_event); },
         .prepare = own});
    add({.name = "finish", .run = finish, .prepare = claim});
    add({.name = "give a claim back",
         .run  = [](stage&, actor& who) {
             who.member->finish(who.member.slot(who.own.socket), who.own.socket.index, who.epoch, read_event);
         },
         .prepare = claim});
    add({.name = "finish after the survivor took over",
         .run  = finish,
         .prepare   = claim,
         .meanwhile = take_back,
         .done      = woken,
         .after     = woken});
    add({.name  = "re-enable",
         .run   = [](stage&, actor& who) {
             who.member->re_enable(who.member.slot(who.own.socket), who.own.socket.index, all_events);
         },
         .scene = disarm,
         .prepare = open,
         .done    = re_armed,
         .after   = re_armed});
    add({.name = "wait at the fence for a dead delivery",
         .run  = [](stage&, actor& who) { who.member->fence(who.own.socket, who.epoch, 1s, false); },
         .scene   = [](stage& where) { where.die_after(claim); },
         .prepare = own});

    // the line
    const auto stand_by = [](stage&, actor& who) {
        error_code ec;
        who.member->stand_by(who.own, some_events, ec);
    };
    add({.name = "stand by", .run = stand_by, .prepare = open});
    add({.name = "stand by where nobody is registered", .run = stand_by, .scene = give_up, .prepare = open});
    add({.name = "stand down",
         .run  = [](stage&, actor& who) {
             error_code ec;
             who.member->stand_down(who.own, ec);
         },
         .prepare = [=](stage& where, actor& who) {
             open(where, who);
             stand_by(where, who);
         }});
    add({.name = "pass on",
         .run  = [](stage&, actor& who) {
             error_code ec;
             who.member->pass_on(who.own, who.epoch, ec);
         },
         .prepare   = own,
         .meanwhile = get_in_line,
         .done      = succeeded,
         .after     = succeeded});

    // tickets
    const auto commit_to_the_dead = [](stage& where, actor& who) {
        who.member->commit_offer({where.shared.socket, who.ticket}, where.told().dead);
    };
    const auto withdraw = [](stage&, actor& who) {
        error_code ec;
        who.member->withdraw_ticket(who.ticket, ec);
    };
    const auto die_attached = [](stage& where) {
        where.die_after([](stage& here, actor& who) {
            who.member.attach();
            here.told().dead = who.member->self();
        });
    };
    add({.name = "prepare a ticket", .run = [](stage& where, actor& who) {
             error_code ec;
             who.member->prepare_ticket(where.shared.socket, 77, ec);
         }, .prepare = open});
    add({.name = "keep a ticket", .run = [](stage&, actor& who) { who.member->keep_ticket(who.ticket, 1, 1); }, .prepare = prepare_ticket});
    add({.name = "withdraw a ticket", .run = withdraw, .prepare = offer});
    add({.name = "withdraw a ticket whose source is about to say that it is one", .run = withdraw, .prepare = prepare_offer});
    add({.name  = "withdraw a ticket without a handle of its own",
         .run   = withdraw,
         .prepare = [](stage& where, actor& who) {
             attach(where, who);
             begin_offer(where, who, where.survivor->self());
             commit_offer(where, who);
         },
         .meanwhile = open_succession, // the handle that became the ticket was the only one: none leads to the actor's lock
         .done      = succeeded,
         .after     = told_if_succeeded});
    add({.name = "redeem a kept ticket",
         .run  = [](stage& where, actor& who) { who.member->redeem_kept(where.told().ticket); },
         .prepare   = attach,
         .meanwhile = keep_for_actor});

    // offers: tickets and hand-overs to those who are attached
    add({.name = "prepare an offer", .run = [](stage& where, actor& who) {
             error_code ec;
             who.member->prepare_offer(where.shared.socket, offer_nonce, where.survivor->self(), ec);
         }, .prepare = open});
    add({.name = "commit an offer", .run = commit_offer, .prepare = prepare_offer, .done = handed_over});
    add({.name = "commit an offer that was taken at once",
         .run  = commit_offer,
         .prepare   = prepare_offer,
         .meanwhile = take_from_actor});
    add({.name    = "commit an offer to a dead process",
         .run     = commit_to_the_dead,
         .scene   = die_attached,
         .prepare = prepare_offer_to_the_dead,
         .done    = still_here});
    add({.name  = "commit an offer to a dead process that was swept",
         .run   = commit_to_the_dead,
         .scene = [=](stage& where) {
             die_attached(where);
             where.survivor->sweep_dead();
         },
         .prepare = prepare_offer_to_the_dead,
         .done    = still_here});
    add({.name = "take what is offered",
         .run  = [](stage& where, actor& who) {
             who.member->take_offered(where.told().ticket, offer_nonce, where.survivor->self());
         },
         .prepare   = attach,
         .meanwhile = offer_to_actor});
    add({.name = "take what is being offered",
         .run  = [](stage& where, actor& who) {
             who.member->take_offered(where.told().ticket, offer_nonce, where.survivor->self());
         },
         .prepare   = attach,
         .meanwhile = begin_offer_to_actor});

    // the sweeper dies
    add({.name = "sweep a process that owned", .run = sweep,
         .scene   = [](stage& where) { where.die_after(own); },
         .prepare = attach, .done = told, .after = told});
    add({.name = "sweep a process that delivered, and had lost its registration", .run = sweep,
         .scene   = [](stage& where) {
             where.die_after(claim);
             take_back(where);
         },
         .prepare = attach, .done = woken, .after = woken});
    add({.name = "sweep a process that had read and not re-enabled", .run = sweep,
         .scene   = [](stage& where) {
             disarm(where);
             where.die_after(open);
         },
         .prepare = attach, .done = re_armed, .after = re_armed});
    add({.name = "sweep an owner while the survivor stands by", .run = sweep,
         .scene   = [](stage& where) {
             where.die_after(own);
             get_in_line(where);
         },
         .prepare = attach, .done = succeeded, .after = succeeded});
    add({.name = "sweep a process that held a lock", .run = sweep, .scene = die_locking, .prepare = attach});
    add({.name = "sweep a process that held locks and no handle", .run = sweep, .scene = die_withdrawing, .prepare = attach});
    add({.name = "sweep a process that was building", .run = sweep, .scene = die_building, .prepare = attach});
    add({.name = "sweep a process that had offered a ticket", .run = sweep, .scene = die_offering, .prepare = attach,
         .done = ticket_held, .after = ticket_held});
    add({.name = "sweep a process that was handing over", .run = sweep,
         .scene   = [](stage& where) { where.die_after(prepare_offer); },
         .prepare = attach});
    add({.name  = "sweep, and find a ticket for nobody",
         .run   = sweep,
         .scene = [](stage& where) {
             where.die_after([](stage& here, actor& who) {
                 who.member.attach();
                 here.told().dead = who.member->self();
             });
             where.survivor->sweep_dead();
             where.die_after([](stage& here, actor& who) { // at the same index, which its ticket does not mean
                 prepare_ticket(here, who);
                 who.member->bytes().handle(who.ticket.index)->process_generation = here.told().dead.generation;
                 handle_table::move(who.member->bytes(), who.ticket, handle_state::held, handle_state::offered, 6);
             });
         },
         .prepare = attach});

    // names
    add({.name = "publish a name", .run = [](stage& where, actor& who) {
             error_code ec;
             name_table::publish(who.member.self, "web", where.shared.socket, ec);
         }, .prepare = open});
    add({.name  = "unpublish a name",
         .run   = [](stage&, actor& who) {
             error_code ec;
             name_table::unpublish(who.member.self, "web", ec);
         },
         .scene = [](stage& where) {
             error_code ec;
             name_table::publish(where.survivor.self, "web", where.shared.socket, ec);
             expect(ec, "publish");
         },
         .prepare = attach});
    return list;
}

} // namespace

stage::stage()
{
    survivor.attach();
    error_code ec;
    shared = survivor->create_socket({.cookie = 1}, ec);
    expect(ec, "create_socket");
    epoch = take_over(survivor, shared);
}

std::uint32_t stage::take_over(core_member& by, const socket_and_handle& which)
{
    return by->take_over(which, all_events, 1).epoch;
}

void stage::die_after(const std::function<void(stage&, actor&)>& body)
{
    segment.die_after([&] {
        actor dying(segment);
        body(*this, dying);
        ::raise(SIGKILL); // before the destructors
    });
}

void stage::crowd()
{
    for (std::uint32_t index = 0; index < segment.bytes().capacity.processes; ++index) {
        if (!load(*segment.bytes().process(index)).used) {
            crowd_.push_back(std::make_unique<core_member>(segment));
            crowd_.back()->attach();
        }
    }
}

std::string stage::recovers()
{
    survivor->sweep_dead();
    return survivor.audit();
}

std::string stage::goes_on()
{
    tables& bytes = survivor->bytes();
    error_code ec;
    for (std::uint32_t index = 0; index < bytes.handles_backed(); ++index) {
        const handle_life life = load(*bytes.handle(index));
        const record_id id{index, life.generation};
        if (life.state == handle_state::offered) {
            const handle_record& record = *bytes.handle(index);
            if (!survivor->take_offered(id, record.nonce, {record.source, 0})) {
                return "the survivor cannot redeem its ticket";
            }
            survivor->close_handle({shared.socket, id}, 0, ec);
        } else if (life.state == handle_state::handing) {
            if (survivor->commit_offer({shared.socket, id}, told().actor)) {
                return "the survivor has handed over to the dead";
            }
        } else if (life.state == handle_state::kept && !survivor->withdraw_ticket(id, ec)) {
            return "the survivor cannot withdraw its ticket";
        }
    }
    epoch = take_over(survivor, shared);
    if (survivor->fence(shared.socket, epoch, 1s, false) != membership::fence_state::ended) {
        return "the survivor registers and stays fenced";
    }
    socket_slot& slot = survivor.slot(shared.socket);
    if (!survivor->claim(slot, epoch, read_event)) {
        return "the survivor cannot claim";
    }
    survivor->finish(slot, shared.socket.index, epoch, 0);
    survivor->close_handle(shared, epoch, ec);
    if (ec) {
        return "the survivor cannot close: " + ec.message();
    }
    return survivor.leftover();
}

const std::vector<operation>& operations()
{
    static const std::vector<operation> list = all();
    return list;
}

} // namespace test
