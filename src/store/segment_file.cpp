// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "store/segment_file.hpp"

#include "base/descriptor_proof.hpp"
#include "base/file_growth.hpp"
#include "base/syscall.hpp"
#include "store/liveness_lock.hpp"
#include "store/segment_directory.hpp"
#include "store/segment_memory.hpp"

#include <boost/assert.hpp>

#include <algorithm>
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

std::string entry_of(std::string_view name) { return entry_prefix().append(name); }

void make_liveness_files(int directory, std::uint32_t processes, error_code& ec)
{
    ec = {};
    for (std::uint32_t index = 0; index < processes && !ec; index += processes_per_liveness_file) {
        make_file(directory, liveness_file_name(index), ec);
    }
}

void check_private_directory(int directory, error_code& ec)
{
    struct stat status;
    ec = ::fstat(directory, &status) == 0 ? check_private(status) : last_error(sys<"newfstatat">);
}

// ---- Removing ------------------------------------------------------------------------------------------------------

bool in_use(int directory)
{
    error_code ec; // asks all lock files that there can be: the header may be broken
    return liveness_lock::open(directory, max_processes, ec)->any_held();
}

// False without an error: another process was faster.
bool discard(const segment_directory& place, const std::string& entry, int directory, bool force, error_code& ec)
{
    const directory_lock lock(directory, directory_lock::kind::exclusive, place.patience(), ec);
    if (ec || !place.leads_to(entry, directory, ec)) {
        return false;
    }
    if (!force && in_use(directory)) {
        ec = errc::segment_in_use;
        return false;
    }
    place.remove(entry, directory, ec);
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
    open_memory(directory.get(), header, reason);
    if (reason == errc::stale_segment || reason == boost::system::errc::no_such_file_or_directory) {
        discard(place, entry, directory.get(), false, ec);
    } else {
        ec = errc::segment_in_use;
    }
    if (ec == errc::segment_in_use) {
        ec = errc::segment_exists;
    }
}

// ---- The segment in this process -----------------------------------------------------------------------------------

class mapped_segment final : public segment_file {
public:
    mapped_segment(std::shared_ptr<segment_directory> place, std::string name, unique_fd memory, const segment_header& header,
                   error_code& ec)
        : place_(std::move(place)),
          unnamed_(header.unnamed != 0),
          name_(unnamed_ ? "" : std::move(name)),
          entry_(entry_of(unnamed_ ? unnamed_name(header) : name_)),
          memory_(std::move(memory)),
          memory_mark_(memory_.get()),
          plan_(segment_plan::of(header.capacity)),
          region_(map_memory(memory_.get(), plan_.size_bytes, ec))
    {}

    /// The last step: all steps that may fail come before a segment has its name.
    void enter(unique_fd directory) noexcept
    {
        directory_      = std::move(directory);
        directory_mark_ = file_mark(directory_.get());
    }

    std::byte* base() const noexcept override { return static_cast<std::byte*>(region_.get_address()); }
    const segment_plan& plan() const noexcept override { return plan_; }
    const std::string& name() const noexcept override { return name_; }
    int directory() const noexcept override { return directory_.get(); }
    int memory() const noexcept override { return memory_.get(); }

    void back(std::uint64_t table_offset, std::uint32_t record_size, std::uint32_t record_count, std::uint32_t record,
              atomic_u32& backed, error_code& ec) noexcept override
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

    bool still_named(error_code& ec) const noexcept override
    {
        { // Waits for any rename of the directory that is under way.
            error_code ignored;
            const directory_lock wait(directory(), directory_lock::kind::shared, place_->patience(), ignored);
        }
        return place_->leads_to(entry_, directory(), ec) && (unnamed_ || is_memory_of(directory(), memory(), ec));
    }

    bool prove() noexcept override
    {
        const bool has_place     = place_->prove();
        const bool has_directory = directory_mark_.prove(directory_);
        return memory_mark_.prove(memory_) && has_directory && has_place;
    }

    void remove_if_unnamed() noexcept override
    try {
        if (unnamed_) {
            error_code ignored; // a lock on a description of its own: `still_named` unlocks the other
            const unique_fd directory = place_->enter(entry_, ignored);
            if (directory && place_->leads_to(entry_, directory_.get(), ignored)) {
                discard(*place_, entry_, directory.get(), false, ignored);
            }
        }
    } catch (const std::bad_alloc&) { // then the directory stays until `sharedsock` removes it
    }

private:
    const std::shared_ptr<segment_directory> place_;
    const bool unnamed_;
    const std::string name_;
    const std::string entry_;
    unique_fd directory_; // constant after `enter`
    file_mark directory_mark_;
    unique_fd memory_; // constant
    const file_mark memory_mark_;
    const segment_plan plan_;
    const boost::interprocess::mapped_region region_;
};

std::shared_ptr<segment_directory> find_place(const segment_options& options, error_code& ec)
{
    return std::make_shared<segment_directory>(options.directory, options.patience, ec);
}

std::unique_ptr<segment_file> attach(std::shared_ptr<segment_directory> place, std::string_view name, unique_fd directory,
                                     unique_fd memory, const segment_header& header, const segment_options& options, error_code& ec)
{
    check_capacity(header.capacity, options, ec);
    if (ec) {
        return {};
    }
    auto made = std::make_unique<mapped_segment>(std::move(place), std::string(name), std::move(memory), header, ec);
    made->enter(std::move(directory));
    return ec ? nullptr : std::unique_ptr<segment_file>(std::move(made));
}

} // namespace

// ---- segment_file --------------------------------------------------------------------------------------------------

std::unique_ptr<segment_file> segment_file::create(std::string_view name, const segment_options& options, error_code& ec)
{
    if (!good_name(name)) {
        ec = errc::bad_segment_name;
        return {};
    }
    const segment_plan plan = plan_segment(options, ec);
    if (ec) {
        return {};
    }
    const auto place = find_place(options, ec);
    if (ec) {
        return {};
    }
    place->remove_leftovers();

    const std::string entry = entry_of(name);
    for (int attempt = 0; attempt < most_creations; ++attempt) {
        make_way(*place, entry, ec);
        if (ec) {
            return {};
        }
        new_directory directory(*place, ec);
        if (ec) {
            return {};
        }
        segment_header header{};
        describe_segment(header, plan, false, ec);
        if (ec) {
            return {};
        }
        unique_fd memory = make_memory(directory.native_handle(), header, plan, ec);
        if (!ec) {
            make_liveness_files(directory.native_handle(), plan.capacity.processes, ec);
        }
        if (ec) {
            return {};
        }
        auto made = std::make_unique<mapped_segment>(place, std::string(name), std::move(memory), header, ec);
        if (ec) {
            return {};
        }
        unique_fd published = directory.publish(entry, ec);
        if (!ec) {
            made->enter(std::move(published));
            return made;
        }
        if (ec != boost::system::errc::file_exists) {
            return {};
        }
    }
    ec = errc::segment_exists;
    return {};
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
    const std::string entry = entry_of(name);
    unique_fd directory     = place->enter(entry, ec);
    if (!ec) {
        check_private_directory(directory.get(), ec);
    }
    if (ec) {
        return {};
    }
    segment_header header{};
    unique_fd memory = open_memory(directory.get(), header, ec);
    if (ec == boost::system::errc::no_such_file_or_directory) { // another process may be removing it
        error_code unknown;
        const bool leads = place->leads_to(entry, directory.get(), unknown);
        ec               = unknown ? unknown : leads ? errc::not_a_segment : errc::segment_not_found;
    }
    if (ec) {
        return {};
    }
    return attach(place, name, std::move(directory), std::move(memory), header, options, ec);
}

std::unique_ptr<segment_file> segment_file::create_unnamed(const segment_options& options, error_code& ec)
{
    const segment_plan plan = plan_segment(options, ec);
    if (ec) {
        return {};
    }
    const auto place = find_place(options, ec);
    if (ec) {
        return {};
    }
    place->remove_leftovers();

    segment_header header{};
    describe_segment(header, plan, true, ec);
    if (ec) {
        return {};
    }
    unique_fd memory = make_sealed_memory(header, plan, ec);
    if (ec) {
        return {};
    }
    new_directory directory(*place, ec);
    if (!ec) {
        make_liveness_files(directory.native_handle(), plan.capacity.processes, ec);
    }
    if (ec) {
        return {};
    }
    auto made = std::make_unique<mapped_segment>(place, std::string(), std::move(memory), header, ec);
    if (ec) {
        return {};
    }
    const std::string entry = entry_of(unnamed_name(header));
    unique_fd published     = directory.publish(entry, ec);
    if (ec) {
        return {};
    }
    made->enter(std::move(published));
    return made;
}

std::unique_ptr<segment_file> segment_file::open_unnamed(int memory, const segment_options& options, error_code& ec)
{
    segment_header header{};
    unique_fd own = open_sealed_memory(memory, header, ec);
    if (ec) {
        return {};
    }
    const auto place = find_place(options, ec);
    if (ec) {
        return {};
    }
    unique_fd directory = place->enter(entry_of(unnamed_name(header)), ec);
    if (!ec) {
        check_private_directory(directory.get(), ec);
    }
    if (ec) {
        return {};
    }
    return attach(place, {}, std::move(directory), std::move(own), header, options, ec);
}

bool segment_file::remove(std::string_view name, const segment_options& options, bool force, error_code& ec)
{
    if (!good_name(name) && !good_unnamed_name(name)) {
        ec = errc::bad_segment_name;
        return false;
    }
    const segment_directory place(options.directory, options.patience, ec);
    if (ec) {
        return false;
    }
    const std::string entry   = entry_of(name);
    const unique_fd directory = place.enter(entry, ec);
    if (ec == errc::segment_not_found) {
        ec = {};
        return false;
    }
    return !ec && discard(place, entry, directory.get(), force, ec);
}

std::vector<std::string> segment_file::list(const std::string& directory, error_code& ec)
{
    const segment_directory place(directory, {}, ec);
    return ec ? std::vector<std::string>() : place.find(entry_prefix(), ec);
}

} // namespace sharedsock::detail
