#include "fault/harness/core_fixture.hpp"

#include "attach/fork_hook.hpp"
#include "audit/inspection.hpp"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {
namespace {

unique_fd checked(int descriptor, const char* what)
{
    if (descriptor < 0) {
        throw std::system_error(errno, std::generic_category(), what);
    }
    return unique_fd(descriptor);
}

std::shared_ptr<liveness_lock> open_life(const core_segment& segment)
{
    return liveness_lock::open(segment.directory(), segment.bytes().capacity.processes);
}

} // namespace

shared_memory::shared_memory(std::size_t size) : size_(size)
{
    void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        throw std::system_error(errno, std::generic_category(), "mmap");
    }
    data_ = static_cast<std::byte*>(memory);
}

shared_memory::~shared_memory() { ::munmap(data_, size_); }

core_segment::core_segment(const capacities& wanted)
    : plan_(segment_plan::of(wanted)),
      memory_(plan_.size_bytes),
      directory_(checked(::open(scratch_.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), "open")),
      bytes_(memory_.data(), plan_)
{
    bytes_.header->handles_backed = wanted.handles;
    bytes_.header->sockets_backed = wanted.sockets;
    for (std::uint32_t index = 0; index < wanted.processes; index += processes_per_liveness_file) {
        const auto file =
            checked(::openat(directory_.get(), liveness_file_name(index).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "openat");
    }
}

std::vector<std::byte> core_segment::copy() const { return {memory_.data(), memory_.data() + memory_.size()}; }

void core_segment::restore(const std::vector<std::byte>& copied) noexcept
{
    std::memcpy(memory_.data(), copied.data(), copied.size());
}

pid_t core_segment::fork(const std::function<void()>& body)
{
    install_fork_hook(); // a child must know that it holds none of its parent's bytes
    const pid_t child = ::fork();
    if (child != 0) {
        if (child < 0) {
            throw std::system_error(errno, std::generic_category(), "fork");
        }
        return child;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
        body();
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "forked child: %s\n", failure.what());
        ::_exit(98);
    }
    ::raise(SIGKILL);
    ::_exit(99);
}

void core_segment::die_after(const std::function<void()>& body)
{
    int status        = 0;
    const pid_t child = fork(body);
    ::waitpid(child, &status, 0);
    if (!WIFSIGNALED(status)) {
        throw std::runtime_error("a process that was to die did not come so far");
    }
}

core_member::core_member(const core_segment& segment, std::chrono::nanoseconds limit)
    : life(open_life(segment)),
      bells(segment.directory(), segment.bytes().capacity.processes),
      self(segment.bytes(), *life, bells, pages_, limit)
{}

void core_member::attach()
{
    error_code ec;
    self.attach(ec);
    if (!ec) {
        bells.hang(self.self().index, ec);
    }
    if (ec) {
        throw boost::system::system_error(ec, "core_member::attach");
    }
}

bool core_member::rung() const noexcept
{
    pollfd bell{bells.native_handle(), POLLIN, 0};
    return ::poll(&bell, 1, 0) == 1;
}

std::vector<std::uint32_t> core_member::heard() noexcept
{
    std::vector<std::uint32_t> all;
    for (std::uint32_t ids[64];;) {
        const std::size_t count = bells.answer(ids);
        all.insert(all.end(), ids, ids + count);
        if (count < std::size(ids)) {
            return all;
        }
    }
}

std::string core_member::audit()
{
    table_view& bytes = self.bytes();
    for (std::uint32_t socket = 0; socket < bytes.sockets_backed(); ++socket) {
        if (bytes.socket(socket)->lock.load() != 0) {
            return "the lock of socket " + std::to_string(socket) + " is held by process index " +
                   std::to_string((bytes.socket(socket)->lock.load() & 0xffff) - 1);
        }
        error_code ec;
        const membership::slot_guard guard(self, socket, ec);
        if (!guard) {
            return "the lock of socket " + std::to_string(socket) + " cannot be had: " + ec.message();
        }
    }
    if (bytes.header->names_lock.load() != 0) {
        return "the lock of the name table is held";
    }
    if (bytes.header->adoption_lock.load() != 0) {
        return "the lock of adopting is held";
    }
    const auto findings = sharedsock::command::inspect(bytes, [&](std::uint32_t index) { return life->held(index); });
    if (!findings.empty()) {
        return findings.front().text;
    }
    for (std::uint32_t handle = 0; handle < bytes.handles_backed(); ++handle) {
        if (load(*bytes.handle(handle)).state == handle_state::claimed) {
            return "handle " + std::to_string(handle) + " is half made";
        }
    }
    for (std::uint32_t socket = 0; socket < bytes.sockets_backed(); ++socket) {
        if (load(*bytes.socket(socket)).state == slot_state::building) {
            return "socket " + std::to_string(socket) + " is half made";
        }
    }
    return {};
}

std::string core_member::leftover()
{
    const table_view& bytes = self.bytes();
    for (std::uint32_t handle = 0; handle < bytes.handles_backed(); ++handle) {
        if (load(*bytes.handle(handle)).state != handle_state::free) {
            return "handle " + std::to_string(handle) + " was not freed";
        }
    }
    for (std::uint32_t socket = 0; socket < bytes.sockets_backed(); ++socket) {
        if (load(*bytes.socket(socket)).state != slot_state::free) {
            return "socket " + std::to_string(socket) + " was not freed";
        }
    }
    for (std::uint32_t process = 0; process < bytes.capacity.processes; ++process) {
        if (load(*bytes.process(process)).used && !life->held(process)) {
            return "process record " + std::to_string(process) + " was not freed";
        }
    }
    return {};
}

} // namespace test
