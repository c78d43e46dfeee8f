// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>

namespace sharedsock::detail {

/// The errors EPERM and ENOSYS of one system call, which its message names. The values are errno's.
class call_category final : public boost::system::error_category {
public:
    constexpr call_category(const char* call, std::uint64_t id) noexcept : error_category(id), call_(call) {}

    const char* call() const noexcept { return call_; }
    const char* name() const noexcept override { return "sharedsock.call"; }
    std::string message(int value) const override;
    boost::system::error_condition default_error_condition(int value) const noexcept override;

private:
    const char* call_;
};

template <std::size_t Size>
struct call_name {
    constexpr call_name(const char (&literal)[Size]) noexcept { std::copy_n(literal, Size, text); } // NOLINT: a literal becomes one

    // FNV-1a: the same in every copy of the library in a process, as is Boost's way to compare categories.
    constexpr std::uint64_t id() const noexcept
    {
        std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
        for (const char letter : text)
            hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100'0000'01b3;
        return hash;
    }

    char text[Size]{};
};

template <call_name Name>
inline constexpr call_name kept_name = Name;

/// A system call, by its name in the kernel's table: `sys<"newfstatat">`.
template <call_name Name>
inline const call_category sys{kept_name<Name>.text, Name.id()};

/// The system call that the C library makes for fstat(3).
#if defined(__GLIBC__) && !__GLIBC_PREREQ(2, 39)
inline const call_category& fstat_call = sys<"newfstatat">;
#else
inline const call_category& fstat_call = sys<"fstat">;
#endif

/// The error of a call that failed with `error`. EPERM and ENOSYS, by which filters deny a call, name it.
inline error_code error_of(const call_category& call, int error) noexcept
{
    if (error == EPERM || error == ENOSYS) [[unlikely]]
        return {error, call};
    return {error, boost::system::system_category()};
}

/// The error of this thread's last system call, which was that one.
inline error_code last_error(const call_category& call) noexcept { return error_of(call, errno); }

/// Makes a system call, again as long as a signal handler interrupts it; returns its result.
template <typename Call>
auto uninterrupted(Call call) noexcept
{
    auto result = call();
    while (result == -1 && errno == EINTR) {
        result = call();
    }
    return result;
}

} // namespace sharedsock::detail
