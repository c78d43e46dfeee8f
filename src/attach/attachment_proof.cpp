// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Whether an attachment still owns its descriptors: other code of the process may have closed them.
#include "attach/attachment.hpp"
#include "base/descriptor_proof.hpp"

#include <utility>

#include <sys/epoll.h>

namespace sharedsock::detail {

bool attachment::descriptors_are_ours() noexcept
{
    if (file_->prove() && box_.is_ours()) return true;
    descriptor_claims::doubt();
    return false;
}

bool attachment::prove_descriptors() noexcept
{
    if (!file_ || instance_ != process_instance())
        return true; // in a raw clone(2)'s child the descriptors are its parent's as well
    bool all_are = file_->prove() && bells_.prove();
    all_are &= box_.prove();
    all_are &= deaths_.prove();
    if (serving_) deaths_.prove_in(serving_, EPOLLIN, 0);
    for (const auto& [epoll, entry] : {std::pair(&serving_, &tick_), std::pair(&arrivals_, &arrived_)}) {
        const bool is_proven = prove_entry(*epoll, *entry, EPOLLIN, 0);
        all_are &= keep_proven(*epoll, is_proven);
        all_are &= keep_proven(*entry, is_proven);
    }
    for (delivered_message& one : mail_)
        all_are &= keep_proven(one.descriptor, prove_socket(one.descriptor, one.text.cookie));
    for (kept_descriptor& one : kept_)
        all_are &= keep_proven(one.descriptor, prove_socket(one.descriptor, one.cookie));
    return all_are;
}

} // namespace sharedsock::detail
