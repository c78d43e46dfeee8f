// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "prefork/appearance.hpp"

#include "attach/attachment.hpp"

namespace sharedsock::prefork::detail {

void appearance::in(const segment& where, worker_word word, error_code& ec)
{
    ec.clear();
    if (!where)
        ec = errc::not_attached;
    else if (where.attachment()->member(ec) != nullptr)
        where_ = where;
    say(word);
}

void appearance::say(worker_word word) const noexcept
{
    auto* const member = where_ ? where_->attachment()->member() : nullptr;
    if (member != nullptr) member->bytes().process(member->self().index)->worker.store(word.encode());
}

void appearance::sweep()
{
    if (!where_) return;
    try {
        where_->sweep();
    } catch (const system_error&) { // the kernel may not be asked which process is dead: another process may ask it
    }
}

void appearance::say_load(std::uint32_t load)
{
    if (where_) where_->set_load(load);
}

} // namespace sharedsock::prefork::detail
