// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "base/unique_fd.hpp"

#include <memory>

namespace sharedsock::winsock::detail {

/// For a call that waits for several SOCKETs: a descriptor that becomes readable when any SOCKET of this process was closed.
class closing_watch {
public:
    closing_watch(); ///< throws `system_error` if the process has no descriptor left
    ~closing_watch();
    closing_watch(const closing_watch&)            = delete;
    closing_watch& operator=(const closing_watch&) = delete;

    int descriptor() const noexcept { return signal_->get(); }
    void forget() const noexcept; ///< not readable any more, until the next one is closed

    static void tell() noexcept; ///< a SOCKET was closed

private:
    std::shared_ptr<sharedsock::detail::unique_fd> signal_;
};

} // namespace sharedsock::winsock::detail
