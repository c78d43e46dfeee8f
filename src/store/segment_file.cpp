// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "store/segment_file.hpp"

#include "base/failure_note.hpp"
#include "base/file_growth.hpp"
#include "base/new_fd.hpp"
#include "base/syscall.hpp"
#include "store/liveness_lock.hpp"
#include "store/segment_memory.hpp"

#include <boost/assert.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

namespace sharedsock::detail {
namespace {

constexpr std::uint64_t least_extent = std::uint64_t{64} * 1024;
constexpr std::size_t longest_name   = 64;
constexpr int most_creations         = 16; // of creating, against other processes that create and remove the same name

bool good_name(std::string_view name)
{
    const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
    return !name.empty() && name.size() <= longest_name && alphanumeric(name.front()) &&
           std::all_of(name.begin(), name.end(), [&](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

bool good_unnamed_name(std::string_view name)
{
    return name.size() == 33 && name.front() == '@' && name.find_first_not_of("0123456789abcdef", 1) == name.npos;
}

std::string unnamed_name(const segment_header& header) { return '@' + to_hex(header.uuid); }

std::string entry_of(const segment_directory& place, std::string_view name) { return place.entry_prefix().append(name); }

std::shared_ptr<segment_directory> find_place(const segment_options& options, error_code& ec)
{
    return std::make_shared<segment_directory>(options.directory, options.patience, ec, file_access::of(options));
}

// ---- Making the files, in a directory that is private to this process's user --------------------------------------

void make_liveness_files(int directory, std::uint32_t processes, const file_access& whose, error_code& ec)
{
    for (std::uint32_t index = 0; index < processes && !ec; index += processes_per_liveness_file) {
        make_file(directory, liveness_file_name(index), whose, ec);
    }
}

// Opens an entry that this process has just made, and gives it to its owner with this mode. `made`: by a call that gave 0.
unique_fd open_made(int made, const call_category& by, int directory, const char* name, int flags, const file_access& whose,
                    mode_t mode, error_code& ec)
{
    unique_fd entry;
    if (made != 0) {
        ec = entry_error(by);
    } else if (::fchmodat(directory, name, 0700, 0) != 0) { // the bits that the umask took
        ec = last_error(sys<"fchmodat">);
    } else if (!(entry = new_fd::open_at(directory, name, flags | O_NOFOLLOW))) {
        ec = last_error(sys<"openat">);
    } else {
        whose.give(entry.get(), mode, ec);
    }
    return entry;
}

void make_common_bell(int directory, const file_access& whose, error_code& ec)
{
    open_made(::mkfifoat(directory, common_bell_name, 0600), sys<"mknodat">, directory, common_bell_name, O_RDWR | O_NONBLOCK,
              whose, whose.file_mode(), ec);
}

unique_fd make_ways(int directory, const file_access& whose, error_code& ec)
{
    return open_made(::mkdirat(directory, ways_name, 0700), sys<"mkdirat">, directory, ways_name, O_RDONLY | O_DIRECTORY, whose,
                     ways_mode, ec);
}

// ---- Opening them --------------------------------------------------------------------------------------------------

unique_fd enter_checked(const segment_directory& place, const std::string& entry, error_code& ec)
{
    unique_fd directory = place.enter(entry, ec);
    struct stat status;
    if (ec) return directory;
    ec = ::fstat(directory.get(), &status) == 0 ? place.whose().check(status) : last_error(fstat_call);
    if (ec) note_failure(ec, "fstat", directory.get(), "");
    return directory;
}

unique_fd open_ways(int directory, const file_access& whose, error_code& ec)
{
    unique_fd ways = new_fd::open_at(directory, ways_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    struct stat status;
    if (!ways || ::fstat(ways.get(), &status) != 0) {
        ec = errno == ENOENT    ? make_error_code(errc::paths_lost)
             : errno == ENOTDIR ? make_error_code(errc::not_a_segment)
                                : last_error(ways ? fstat_call : sys<"openat">);
        note_failure(ec, "openat", directory, ways_name);
    } else if (status.st_uid != whose.owner || (status.st_mode & 0777) != ways_mode) {
        ec = errc::foreign_segment;
    }
    return ways;
}

// ---- Removing ------------------------------------------------------------------------------------------------------

// False without an error: another process was faster.
bool discard(const segment_directory& place, const std::string& entry, int directory, bool force, error_code& ec)
{
    const directory_lock lock(directory, directory_lock::kind::exclusive, place.patience(), ec);
    if (ec || !place.leads_to(entry, directory, ec)) {
        return false;
    }
    const bool in_use = any_process_in(directory);
    if (in_use && !force) {
        ec = errc::segment_in_use;
        return false;
    }
    place.remove(entry, directory, in_use, ec);
    return !ec;
}

// Leaves the name free, unless it belongs to a segment that may still be in use.
void make_way(const segment_directory& place, const std::string& entry, error_code& ec)
{
    const unique_fd directory = place.enter(entry, ec);
    if (ec == errc::segment_not_found) {
        ec = {};
        return;
    }
    if (ec) {
        return;
    }
    segment_header header{};
    error_code reason;
    open_memory(directory.get(), header, place.whose(), reason);
    if (reason == errc::stale_segment || reason == boost::system::errc::no_such_file_or_directory) {
        discard(place, entry, directory.get(), false, ec);
    } else {
        ec = errc::segment_in_use;
    }
    if (ec == errc::segment_in_use) {
        ec = errc::segment_exists;
    }
}

} // namespace

// ---- The segment in this process -----------------------------------------------------------------------------------

segment_file::segment_file(std::shared_ptr<segment_directory> place, std::string_view name, unique_fd memory,
                           const segment_header& header, error_code& ec)
    : place_(std::move(place)),
      unnamed_(header.unnamed != 0),
      name_(unnamed_ ? "" : name),
      entry_(entry_of(*place_, unnamed_ ? unnamed_name(header) : name_)),
      memory_(std::move(memory)),
      memory_mark_(memory_.get()),
      plan_(segment_plan::of(header.capacity)),
      region_(map_memory(memory_.get(), plan_.size_bytes, ec))
{}

// The last step: all steps that may fail come before a segment has its name.
void segment_file::enter(unique_fd directory, unique_fd ways) noexcept
{
    directory_      = std::move(directory);
    directory_mark_ = file_mark(directory_.get());
    ways_           = std::move(ways);
    ways_mark_      = file_mark(ways_.get());
}

void segment_file::back(std::uint64_t table_offset, std::uint32_t record_size, std::uint32_t record_count, std::uint32_t record,
                        atomic_u32& backed, error_code& ec) noexcept
{
    BOOST_ASSERT(record < record_count);
    ec                = {};
    std::uint32_t had = backed.load();
    if (record < had) {
        return;
    }
    const std::uint64_t begin  = std::uint64_t{had} * record_size / page * page;
    const std::uint64_t table  = segment_plan::pages(std::uint64_t{record_count} * record_size);
    const std::uint64_t wanted = segment_plan::pages((record + std::uint64_t{1}) * record_size);
    std::uint64_t end          = std::min(std::max(wanted, begin + least_extent), table);
    ec                         = file_growth::allocate(memory(), table_offset + begin, end - begin);
    if (ec == errc::directory_full && end > wanted) { // then as little as the record needs
        end = wanted;
        ec  = file_growth::allocate(memory(), table_offset + begin, end - begin);
    }
    if (ec) {
        return;
    }
    const auto has = static_cast<std::uint32_t>(std::min<std::uint64_t>(end / record_size, record_count));
    while (had < has && !backed.compare_exchange_weak(had, has)) {
    }
}

bool segment_file::still_named(error_code& ec) const noexcept
{
    { // Waits for any rename of the directory that is under way.
        error_code ignored;
        const directory_lock wait(directory(), directory_lock::kind::shared, place_->patience(), ignored);
    }
    return place_->leads_to(entry_, directory(), ec) && (unnamed_ || is_memory_of(directory(), memory(), ec));
}

bool segment_file::prove() noexcept
{
    const bool has_place     = place_->prove();
    const bool has_directory = directory_mark_.prove(directory_);
    const bool has_ways      = ways_mark_.prove(ways_);
    return memory_mark_.prove(memory_) && has_directory && has_ways && has_place;
}

void segment_file::remove_if_nameless() noexcept
try {
    error_code unknown;
    const bool has_name = place_->leads_to(entry_, directory_.get(), unknown);
    if (!has_name && !unknown) {
        place_->remove_unused(place_->temporary_prefix());
    } else if (has_name && unnamed_) {
        error_code ignored; // a lock on a description of its own: `still_named` unlocks the other
        const unique_fd directory = place_->enter(entry_, ignored);
        if (directory) {
            discard(*place_, entry_, directory.get(), false, ignored);
        }
    }
} catch (const std::bad_alloc&) { // then the directory stays until the next creator removes it
}

std::unique_ptr<segment_file> segment_file::build(std::shared_ptr<segment_directory> place, std::string_view name,
                                                  const segment_plan& plan, error_code& ec)
{
    const bool unnamed       = name.empty();
    const file_access& whose = place->whose();
    segment_header header{};
    describe_segment(header, plan, unnamed, ec);
    unique_fd memory;
    if (!ec && unnamed) { // first: it fails most often, for want of memory
        memory = make_sealed_memory(header, plan, whose, ec);
    }
    if (ec) {
        return {};
    }
    new_directory directory(*place, ec);
    if (!ec && !unnamed) {
        memory = make_memory(directory.native_handle(), header, plan, whose, ec);
    }
    if (!ec) {
        make_liveness_files(directory.native_handle(), plan.capacity.processes, whose, ec);
    }
    if (!ec) {
        make_common_bell(directory.native_handle(), whose, ec);
    }
    unique_fd ways = ec ? unique_fd() : make_ways(directory.native_handle(), whose, ec);
    if (ec) {
        return {};
    }
    std::unique_ptr<segment_file> made(new segment_file(std::move(place), name, std::move(memory), header, ec));
    if (ec) {
        return {};
    }
    unique_fd published = directory.publish(made->entry_, ec);
    if (ec) {
        return {};
    }
    made->enter(std::move(published), std::move(ways));
    return made;
}

std::unique_ptr<segment_file> segment_file::create(std::string_view name, const segment_options& options, error_code& ec)
{
    if (!good_name(name)) {
        ec = errc::bad_segment_name;
        return {};
    }
    const segment_plan plan = plan_segment(options, ec);
    const auto place        = ec ? nullptr : find_place(options, ec);
    if (ec) {
        return {};
    }
    place->remove_unused(place->temporary_prefix());
    for (int attempt = 0; attempt < most_creations; ++attempt) {
        make_way(*place, entry_of(*place, name), ec);
        auto made = ec ? nullptr : build(place, name, plan, ec);
        if (ec != boost::system::errc::file_exists || ec == errc::segment_exists) {
            return made;
        }
    }
    ec = errc::segment_exists;
    return {};
}

std::unique_ptr<segment_file> segment_file::create_unnamed(const segment_options& options, error_code& ec)
{
    const segment_plan plan = plan_segment(options, ec);
    const auto place        = ec ? nullptr : find_place(options, ec);
    if (ec) {
        return {};
    }
    place->remove_unused(place->temporary_prefix());
    place->remove_unused(place->entry_prefix() + '@');
    return build(place, {}, plan, ec);
}

std::unique_ptr<segment_file> segment_file::open(std::string_view name, const segment_options& options, error_code& ec)
{
    if (!good_name(name)) {
        ec = errc::bad_segment_name;
        return {};
    }
    const auto place = find_place(options, ec);
    if (ec) {
        return {};
    }
    const std::string entry = entry_of(*place, name);
    unique_fd directory     = enter_checked(*place, entry, ec);
    segment_header header{};
    unique_fd memory = ec ? unique_fd() : open_memory(directory.get(), header, place->whose(), ec);
    if (directory && !memory && ec == boost::system::errc::no_such_file_or_directory) { // another process may be removing it
        error_code unknown;
        const bool leads = place->leads_to(entry, directory.get(), unknown);
        ec               = unknown ? unknown : leads ? errc::not_a_segment : errc::segment_not_found;
    }
    return attach(place, name, std::move(directory), std::move(memory), header, options, ec);
}

std::unique_ptr<segment_file> segment_file::open_unnamed(int memory, const segment_options& options, error_code& ec)
{
    segment_header header{};
    unique_fd own    = open_sealed_memory(memory, header, file_access::of(options), ec);
    const auto place = ec ? nullptr : find_place(options, ec);
    if (ec) {
        return {};
    }
    unique_fd directory = enter_checked(*place, entry_of(*place, unnamed_name(header)), ec);
    return attach(place, {}, std::move(directory), std::move(own), header, options, ec);
}

std::unique_ptr<segment_file> segment_file::attach(std::shared_ptr<segment_directory> place, std::string_view name,
                                                   unique_fd directory, unique_fd memory, const segment_header& header,
                                                   const segment_options& options, error_code& ec)
{
    if (!ec) check_capacity(header.capacity, options, ec);
    unique_fd ways = ec ? unique_fd() : open_ways(directory.get(), place->whose(), ec);
    if (ec && ec != errc::paths_lost) { // without them the memory can still be looked at
        return {};
    }
    std::unique_ptr<segment_file> made(new segment_file(std::move(place), name, std::move(memory), header, ec));
    made->enter(std::move(directory), std::move(ways));
    return ec ? nullptr : std::move(made);
}

bool segment_file::remove(std::string_view name, const segment_options& options, bool force, error_code& ec)
{
    if (!good_name(name) && !good_unnamed_name(name)) {
        ec = errc::bad_segment_name;
        return false;
    }
    const auto place = find_place(options, ec);
    if (ec) {
        return false;
    }
    const std::string entry   = entry_of(*place, name);
    const unique_fd directory = place->enter(entry, ec);
    if (ec == errc::segment_not_found) {
        ec = {};
        return false;
    }
    return !ec && discard(*place, entry, directory.get(), force, ec);
}

std::vector<std::string> segment_file::list(const segment_options& options, error_code& ec)
{
    const auto place = find_place(options, ec);
    return ec ? std::vector<std::string>() : place->find(place->entry_prefix(), ec);
}

} // namespace sharedsock::detail
