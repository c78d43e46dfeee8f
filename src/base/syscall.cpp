// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "base/syscall.hpp"

#include <boost/system/generic_category.hpp>

#include <cerrno>
#include <string>

namespace sharedsock::detail {

std::string call_category::message(int value) const
{
    const std::string what = boost::system::system_category().message(value);
    const std::string next = std::string("; permit ") + call_ + " where the system calls of this process are filtered (seccomp)";
    return std::string("the system call ") + call_ + " is denied to this process: " + what + next +
           (value == ENOSYS ? ", or run a kernel that has it" : ", or give the process the privilege that it needs");
}

boost::system::error_condition call_category::default_error_condition(int value) const noexcept
{
    return {value, boost::system::generic_category()};
}

} // namespace sharedsock::detail
