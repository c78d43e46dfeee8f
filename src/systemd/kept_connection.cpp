// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/sealed_memory.hpp"
#include "base/unique_fd.hpp"

#include <sharedsock/systemd/kept_connection.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/stat.h>

namespace sharedsock::systemd {

namespace sealed_memory = sharedsock::detail::sealed_memory;
using sharedsock::detail::or_throw;
using sharedsock::detail::unique_fd;

namespace {

// Stands before the carry's bytes. Another version of the library may read it: a new form gets another mark.
struct memory_head {
    std::array<char, 16> mark{};
    std::uint64_t tag = 0;
};
static_assert(sizeof(memory_head) == 24);
constexpr std::array<char, 16> mark_1{"sharedsock keep"};

// The descriptors of one name, counted.
struct parts_of_name {
    int sockets  = 0;
    int memories = 0;
    int memory   = -1; // the descriptor
    int others   = 0;
};

bool is_socket(int descriptor) noexcept
{
    struct stat about {};
    return ::fstat(descriptor, &about) == 0 && S_ISSOCK(about.st_mode);
}

std::map<std::string, parts_of_name> parts_by_name(const passed_descriptors& all, error_code& ec)
{
    std::map<std::string, parts_of_name> found;
    for (const passed_descriptor& one : all) {
        parts_of_name& parts = found[one.name()];
        if (is_socket(one.native_handle())) {
            ++parts.sockets;
        } else if (sealed_memory::size_of(one.native_handle(), ec)) {
            ++parts.memories;
            parts.memory = one.native_handle();
        } else {
            ++parts.others; // or the kernel did not tell: nothing is taken then
        }
        if (ec) break;
    }
    return found;
}

// Nothing if the memory was not made by `keep_connection`, or cannot be read.
std::optional<kept_connection> read_carry(int memory, error_code& ec)
{
    const std::size_t size = sealed_memory::size_of(memory, ec).value_or(0);
    memory_head head;
    if (ec || size < sizeof head || size - sizeof head > max_carry) return {};
    sealed_memory::read(memory, 0, std::as_writable_bytes(std::span(&head, 1)), ec);
    if (ec || head.mark != mark_1) return {};
    kept_connection kept;
    kept.tag = head.tag;
    kept.bytes.resize(size - sizeof head);
    sealed_memory::read(memory, sizeof head, kept.bytes, ec);
    if (ec) return {};
    return kept;
}

} // namespace

void keep_connection(const notifier& manager, std::string_view name, int socket, const carry& with, error_code& ec)
{
    ec.clear();
    if (with.bytes.size() > max_carry) {
        ec = errc::carry_too_large;
        return;
    }
    const memory_head head{mark_1, with.tag};
    const std::array parts{std::as_bytes(std::span(&head, 1)), with.bytes};
    const unique_fd memory = sealed_memory::make("sharedsock-kept", parts, ec);
    if (ec) return;
    const std::array both{socket, memory.get()};
    manager.store(name, both, ec, notifier::drop_when::removed_only);
}

void keep_connection(const notifier& manager, std::string_view name, int socket, const carry& with)
{
    or_throw("sharedsock::systemd::keep_connection", [&](error_code& ec) { keep_connection(manager, name, socket, with, ec); });
}

std::vector<kept_connection> take_kept_connections(passed_descriptors& from, error_code& ec)
{
    ec.clear();
    const auto names = parts_by_name(from, ec);
    std::vector<kept_connection> all;
    if (ec) return all;
    all.reserve(names.size());
    for (const auto& [name, parts] : names) {
        if (parts.sockets != 1 || parts.memories != 1 || parts.others != 0) continue;
        std::optional<kept_connection> kept = read_carry(parts.memory, ec);
        if (ec) return all;
        if (!kept) continue;
        passed_descriptor one   = from.take(name);
        passed_descriptor other = from.take(name);
        kept->socket            = std::move(is_socket(one.native_handle()) ? one : other);
        all.push_back(std::move(*kept));
    }
    return all;
}

std::vector<kept_connection> take_kept_connections(passed_descriptors& from)
{
    return or_throw("sharedsock::systemd::take_kept_connections", [&](error_code& ec) { return take_kept_connections(from, ec); });
}

} // namespace sharedsock::systemd
