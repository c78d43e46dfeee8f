// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "soak/ledger_worker.hpp"

#include <sharedsock/asio.hpp>

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <unistd.h>

namespace ledger {

namespace asio = boost::asio;

/// Both ends of a connection that one process has alone.
class own_pair {
public:
    own_pair();
    own_pair& operator=(own_pair&& other) noexcept
    {
        std::swap(near_, other.near_);
        std::swap(far_, other.far_);
        return *this;
    }
    ~own_pair();

    int give() { return std::exchange(near_, -1); }
    int far() const { return far_; }

private:
    int near_ = -1, far_ = -1;
};

/// The parts of a worker that its operations use.
struct scene_of {
    asio::io_context& io;
    ss::segment& segment; ///< the worker's
    ss::segment& second;  ///< another attachment of the worker, whose hand-overs it receives
    std::function<void(const char*)> denounce;
    std::function<std::uint32_t(ss::process_id)> new_parcel;
    std::function<void(std::uint32_t, const ss::error_code&)> parcel_given;
    std::function<void(ss::handed_over&&)> parcel_came;
    std::function<bool(std::uint32_t)> arrived;
    std::function<int()> depth;
};

/// One asynchronous operation that is pending when its process forks.
class operation {
public:
    explicit operation(scene_of& here) : here_(here), depth_(here.depth()) {}
    virtual ~operation() { *alive_ = false; }
    virtual const char* name() const = 0;
    virtual const char* part() const { return name(); } ///< as a run leaves it out
    virtual void start()   = 0;
    virtual void provoke() = 0;                 ///< makes it complete, in the parent; called after each fork
    virtual void pursue() {}                    ///< called again and again until it is done
    virtual bool done() const              = 0; ///< whether all that was provoked has been done
    virtual std::string state() const      = 0; ///< for a finding
    operation(const operation&)            = delete;
    operation& operator=(const operation&) = delete;

protected:
    /// A handler that runs while the operation exists, in the process that started it. Success anywhere else is a finding.
    /// A completion that comes when the operation has gone is for `otherwise`.
    template <class Then, class Otherwise>
    auto when_done(Then then, Otherwise otherwise)
    {
        return [this, &here = here_, alive = alive_, mine = depth_, then, otherwise](ss::error_code ec, auto&&... results) {
            if (here.depth() != mine) {
                if (!ec && *alive) denounce();
                return;
            }
            if (*alive)
                then(ec, std::forward<decltype(results)>(results)...);
            else
                otherwise(ec, std::forward<decltype(results)>(results)...);
        };
    }
    template <class Then>
    auto when_done(Then then)
    {
        return when_done(then, [](auto&&...) {});
    }

    scene_of& here_;

private:
    void denounce() const
    {
        here_.denounce((std::string("an operation that the parent had started completed in the forked child: ") + name()).c_str());
    }

    const int depth_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

inline constexpr std::uint32_t kinds_of_operations = 9;

std::unique_ptr<operation> make_operation(std::uint32_t kind, scene_of& here);

} // namespace ledger
