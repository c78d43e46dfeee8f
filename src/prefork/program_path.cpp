// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "prefork/program_path.hpp"

#include <array>
#include <climits>
#include <cstddef>
#include <string_view>
#include <utility>

#include <unistd.h>

namespace sharedsock::prefork::detail {
namespace {

constexpr const char* own_file          = "/proc/self/exe";
constexpr std::string_view deleted_sign = " (deleted)";

bool is_there(const std::string& path) noexcept { return ::access(path.c_str(), F_OK) == 0; }

std::string own_name()
{
    std::array<char, PATH_MAX> room;
    const ssize_t size = ::readlink(own_file, room.data(), room.size());
    if (size <= 0 || size == static_cast<ssize_t>(room.size())) return {};
    return name_in_link({room.data(), static_cast<std::size_t>(size)});
}

} // namespace

std::string name_in_link(std::string target)
{
    const bool has_sign = target.ends_with(deleted_sign) && !is_there(target); // a file may have such a name
    if (has_sign) target.resize(target.size() - deleted_sign.size());
    return target;
}

program_path::program_path(std::string given) : given_(std::move(given))
{
    if (given_ == own_file) name_ = own_name();
}

std::string program_path::to_execute() const { return !name_.empty() && is_there(name_) ? name_ : given_; }

} // namespace sharedsock::prefork::detail
