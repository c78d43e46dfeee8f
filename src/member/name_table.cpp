// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "member/name_table.hpp"

#include <boost/interprocess/sync/scoped_lock.hpp>

#include <atomic>
#include <cstdint>
#include <cstring>

namespace sharedsock::detail::name_table {
namespace {

std::string_view name_of(const name_record& record) noexcept { return {record.name, ::strnlen(record.name, name_size)}; }

bool live(const membership& self, const name_record& record) noexcept
{
    return record.socket_generation != 0 &&
           socket_table::find(self.bytes(), {record.socket, record.socket_generation - 1}) != nullptr;
}

// The live record of that name; null if there is none.
name_record* lookup(membership& self, std::string_view name) noexcept
{
    table_view& bytes = self.bytes();
    for (std::uint32_t index = 0; index < bytes.capacity.names; ++index)
        if (live(self, bytes.names[index]) && name_of(bytes.names[index]) == name) return &bytes.names[index];
    return nullptr;
}

// Runs `action` with the table locked. A name is a whole record or none, so a dead holder leaves nothing to repair.
template <class Action>
void locked(membership& self, error_code& ec, Action action)
{
    robust_lock lock = self.name_lock();
    lock.lock(ec);
    if (ec) return;
    const boost::interprocess::scoped_lock<robust_lock> guard(lock, boost::interprocess::accept_ownership);
    action();
}

} // namespace

void publish(membership& self, std::string_view name, record_id socket, error_code& ec)
{
    if (name.empty() || name.size() >= name_size) {
        ec = make_error_code(boost::system::errc::invalid_argument);
        return;
    }
    locked(self, ec, [&] {
        name_record* place = lookup(self, name);
        if (place != nullptr) {
            if (place->socket != socket.index || place->socket_generation != socket.generation + 1) ec = errc::name_taken;
            return;
        }
        table_view& bytes = self.bytes();
        for (std::uint32_t index = 0; index < bytes.capacity.names && place == nullptr; ++index)
            if (!live(self, bytes.names[index])) place = &bytes.names[index];
        if (place == nullptr) {
            ec = errc::name_table_full;
            return;
        }
        place->socket_generation = 0;
        std::atomic_thread_fence(std::memory_order_seq_cst);
        std::memset(place->name, 0, name_size);
        std::memcpy(place->name, name.data(), name.size());
        place->socket = socket.index;
        std::atomic_thread_fence(std::memory_order_seq_cst);
        place->socket_generation = socket.generation + 1; // last: from here on the record is a name
    });
}

record_id find(membership& self, std::string_view name, error_code& ec)
{
    record_id found;
    locked(self, ec, [&] {
        if (const name_record* const record = lookup(self, name))
            found = {record->socket, record->socket_generation - 1};
        else
            ec = errc::name_not_published;
    });
    return found;
}

bool unpublish(membership& self, std::string_view name, error_code& ec)
{
    bool found = false;
    locked(self, ec, [&] {
        if (name_record* const record = lookup(self, name)) {
            record->socket_generation = 0;
            found                     = true;
        }
    });
    return found;
}

std::vector<std::string> list(membership& self, error_code& ec)
{
    std::vector<std::string> names;
    locked(self, ec, [&] {
        const table_view& bytes = self.bytes();
        for (std::uint32_t index = 0; index < bytes.capacity.names; ++index)
            if (live(self, bytes.names[index])) names.emplace_back(name_of(bytes.names[index]));
    });
    return names;
}

std::uint32_t count(const membership& self) noexcept
{
    std::uint32_t names     = 0;
    const table_view& bytes = self.bytes();
    for (std::uint32_t index = 0; index < bytes.capacity.names; ++index)
        names += live(self, bytes.names[index]) ? 1 : 0;
    return names;
}

} // namespace sharedsock::detail::name_table
