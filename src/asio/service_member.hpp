// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include <sharedsock/asio/detail/build.hpp>

#include <boost/intrusive/list.hpp>

namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD {

/// An object that has a descriptor in the reactor of a context. It is in the list of the context's `reactor_service` from the end
/// of its constructor to the beginning of its destructor: so every object in the list is whole, whatever other threads do.
///
/// The service's mutex guards the list. All of it stays the parent's at a fork(2).
using service_hook = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
class service_member : public service_hook {
public:
    // Called with the service's mutex held. They may not destroy anything, nor run code of the user; in the child, nor use the
    // heap.
    virtual void before_fork() noexcept {}          ///< takes the locks that the child needs free
    virtual void after_fork_in_parent() noexcept {} ///< releases the locks
    virtual void after_fork_in_child() noexcept {}  ///< releases the locks; does not touch Asio
    /// In the child, when Asio has an epoll of its own: leaves that epoll, and ends all that was pending. Perhaps inside the fork
    /// hook: uses no heap.
    virtual void abandon() noexcept = 0;
    /// The context ends; the object is not in the list any more.
    virtual void shut_down() noexcept = 0;

protected:
    service_member()                                 = default;
    ~service_member()                                = default;
    service_member(const service_member&)            = delete;
    service_member& operator=(const service_member&) = delete;

private:
    friend class reactor_service;
    bool enlisted_ = false; // the service still exists; the constructor and the end of the context change this
};

} // namespace sharedsock::detail::inline SHAREDSOCK_ASIO_BUILD
