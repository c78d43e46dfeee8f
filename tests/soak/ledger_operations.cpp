// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "soak/ledger_operations.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <system_error>
#include <vector>

#include <sys/socket.h>

namespace ledger {

own_pair::own_pair()
{
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        throw std::system_error(errno, std::generic_category(), "socketpair");
    near_ = ends[0];
    far_  = ends[1];
}

own_pair::~own_pair()
{
    if (near_ >= 0) ::close(near_);
    if (far_ >= 0) ::close(far_);
}

namespace {

void send_byte(int to, std::uint8_t value)
{
    if (::send(to, &value, 1, MSG_NOSIGNAL) != 1)
        throw std::system_error(errno, std::generic_category(), "send to an own connection");
}

std::string of(std::size_t done, std::size_t wanted) { return std::to_string(done) + " of " + std::to_string(wanted) + " came"; }

class reading final : public operation {
public:
    using operation::operation;
    const char* name() const override { return "async_read_some"; }
    void start() override
    {
        stream_.emplace(here_.io, ss::shared_socket::adopt(here_.segment, ends_.give()));
        read();
    }
    void provoke() override
    {
        for (int count = 0; count < 3; ++count)
            send_byte(ends_.far(), sent_++);
    }
    bool done() const override { return got_ == sent_; }
    std::string state() const override { return of(got_, sent_) + ", the last completion said " + last_.message(); }

private:
    void read()
    {
        stream_->async_read_some(asio::buffer(&room_, 1), when_done([this](ss::error_code ec, std::size_t) {
                                     last_ = ec;
                                     if (!ec && room_ != got_++)
                                         here_.denounce(
                                             "a byte of a pending read came out of order or was taken by another process");
                                     if (ec != std::errc::operation_canceled || ec == ss::errc::registration_cancelled) read();
                                 }));
    }

    own_pair ends_;
    std::optional<ss::stream> stream_;
    std::uint8_t room_ = 0, sent_ = 0, got_ = 0;
    ss::error_code last_;
};

class giving final : public operation {
public:
    using operation::operation;
    const char* name() const override { return "async_hand_over"; }
    const char* part() const override { return "giving"; }
    void start() override
    {
        stream_.emplace(here_.io, ss::shared_socket::adopt(here_.segment, ends_.give()));
        tag_ = here_.new_parcel(here_.second.self());
        ss::async_hand_over(*stream_, here_.second.self(), {{}, tag_}, when_done([this](ss::error_code ec) {
            here_.parcel_given(tag_, ec);
            completed_ = true;
            failed_    = static_cast<bool>(ec);
        }));
    }
    void provoke() override {}
    bool done() const override { return completed_ && (failed_ || here_.arrived(tag_)); }
    std::string state() const override
    {
        return std::string(completed_ ? "it completed" : "it did not complete") +
               (here_.arrived(tag_) ? ", and arrived" : ", and did not arrive");
    }

private:
    own_pair ends_;
    std::optional<ss::stream> stream_;
    std::uint32_t tag_ = 0;
    bool completed_ = false, failed_ = false;
};

class receiving final : public operation {
public:
    using operation::operation;
    const char* name() const override { return "async_receive_hand_over"; }
    const char* part() const override { return "receiving"; }
    void start() override
    {
        const auto came = [this](ss::error_code ec, ss::handed_over got) {
            if (!ec) here_.parcel_came(std::move(got));
            last_ = ec;
            if (ec != std::errc::operation_canceled) start();
        };
        const auto late = [&here = here_](ss::error_code ec, ss::handed_over got) {
            if (!ec) here.parcel_came(std::move(got));
        };
        ss::async_receive_hand_over(here_.segment, here_.io.get_executor(), when_done(came, late));
    }
    void provoke() override
    {
        own_pair ends;
        ss::error_code ec;
        const std::uint32_t tag = here_.new_parcel(here_.segment.self());
        ss::hand_over_unacknowledged(ss::shared_socket::adopt(here_.second, ends.give()), here_.segment.self(), {{}, tag}, ec);
        here_.parcel_given(tag, ec);
        if (!ec) given_.push_back(tag);
    }
    bool done() const override
    {
        for (const std::uint32_t tag : given_)
            if (!here_.arrived(tag)) return false;
        return true;
    }
    std::string state() const override
    {
        return "not all of " + std::to_string(given_.size()) + " hand-overs came, the last completion said " + last_.message();
    }

private:
    std::vector<std::uint32_t> given_;
    ss::error_code last_;
};

class accepting final : public operation {
public:
    accepting(scene_of& here, bool in_turn) : operation(here), in_turn_(in_turn) {}
    ~accepting() override
    {
        for (const int client : clients_)
            ::close(client);
    }
    const char* name() const override { return in_turn_ ? "async_accept in turn" : "async_accept by registration"; }
    void start() override
    {
        auto listener = ss::shared_socket::listen(here_.segment, ss::socket_address::loopback(0));
        at_           = listener.local_address();
        if (in_turn_)
            acceptor_.emplace(here_.io, std::move(listener));
        else
            acceptor_.emplace(here_.io.get_executor(), std::move(listener), ss::by_registration);
        accept();
    }
    void provoke() override
    {
        for (int count = 0; count < 2; ++count) {
            clients_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
            if (::connect(clients_.back(), at_.data(), at_.size()) != 0)
                throw std::system_error(errno, std::generic_category(), "connect");
        }
    }
    bool done() const override { return got_ == clients_.size(); }
    std::string state() const override { return of(got_, clients_.size()) + ", the last completion said " + last_.message(); }

private:
    void accept()
    {
        acceptor_->async_accept(when_done([this](ss::error_code ec, ss::stream) {
            last_ = ec;
            if (!ec) ++got_;
            if (ec != std::errc::operation_canceled || ec == ss::errc::registration_cancelled) accept();
        }));
    }

    const bool in_turn_;
    ss::socket_address at_;
    std::optional<ss::acceptor> acceptor_;
    std::vector<int> clients_;
    std::size_t got_ = 0;
    ss::error_code last_;
};

// The listener's queue is full, so the attempt waits for room: until the parent accepts the earlier connections.
class connecting final : public operation {
public:
    using operation::operation;
    ~connecting() override
    {
        for (const int each : others_)
            ::close(each);
        ::close(listener_);
    }
    const char* name() const override { return "async_connect"; }
    void start() override
    {
        auto at        = ss::socket_address::loopback(0);
        socklen_t size = at.size();
        listener_      = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (::bind(listener_, at.data(), size) != 0 || ::listen(listener_, 0) != 0 ||
            ::getsockname(listener_, at.data(), &size) != 0)
            throw std::system_error(errno, std::generic_category(), "listen");
        for (int count = 0; count < 2; ++count) {
            others_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
            static_cast<void>(::connect(others_.back(), at.data(), size)); // EINPROGRESS where the queue is full already
        }
        stream_.emplace(here_.io, ss::shared_socket::open(here_.segment, AF_INET, SOCK_STREAM));
        stream_->async_connect(at, when_done([this](ss::error_code ec) {
                                   completed_ = true;
                                   last_      = ec;
                               }));
    }
    void provoke() override { wanted_ = true; }
    void pursue() override // the kernel makes its attempts in its own time
    {
        if (const int one = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK); one >= 0) others_.push_back(one);
    }
    bool done() const override { return completed_ || !wanted_; }
    std::string state() const override { return "it did not complete"; }

private:
    bool wanted_  = false;
    int listener_ = -1;
    std::vector<int> others_;
    std::optional<ss::stream> stream_;
    bool completed_ = false;
    ss::error_code last_;
};

class standing_by final : public operation {
public:
    using operation::operation;
    const char* name() const override { return "async_stand_by"; }
    void start() override
    {
        auto first = ss::shared_socket::adopt(here_.segment, ends_.give());
        owner_     = ss::shared_socket::redeem(here_.second, first.duplicate(here_.second.self()));
        owner_.event_select(object_, ss::network_event::read);
        stream_.emplace(here_.io, std::move(first));
        stream_->async_stand_by(when_done([this](ss::error_code) { completed_ = true; }));
    }
    void provoke() override
    {
        if (!owner_.is_open()) return;
        ss::error_code ec;
        owner_.close(ec);
    }
    bool done() const override { return completed_ || owner_.is_open(); }
    std::string state() const override { return "the turn did not come"; }

private:
    own_pair ends_;
    ss::event_object object_;
    ss::shared_socket owner_;
    std::optional<ss::stream> stream_;
    bool completed_ = false;
};

class selecting final : public operation {
public:
    using operation::operation;
    const char* name() const override { return "async_select"; }
    void start() override
    {
        socket_ = ss::shared_socket::adopt(here_.segment, ends_.give());
        ss::async_select(
            socket_, here_.io.get_executor(), [this, take = when_done([this](ss::error_code) {
                                                         ss::error_code ec;
                                                         std::byte room[16];
                                                         got_ += socket_.receive(room, MSG_DONTWAIT, ec);
                                                     })](const ss::event_message& message) { take(message.error); },
            ss::network_event::read);
    }
    void provoke() override
    {
        send_byte(ends_.far(), 0);
        ++sent_;
    }
    bool done() const override { return got_ == sent_; }
    std::string state() const override { return of(got_, sent_); }

private:
    own_pair ends_;
    ss::shared_socket socket_;
    std::size_t sent_ = 0, got_ = 0;
};

// Nothing is pending that completes by itself: a fork has to leave it alone.
class serving final : public operation {
public:
    using operation::operation;
    const char* name() const override { return "serve"; }
    const char* part() const override { return "serving"; }
    void start() override { alive_ = ss::serve(here_.segment, here_.io.get_executor()); }
    void provoke() override {}
    bool done() const override { return true; }
    std::string state() const override { return {}; }

private:
    std::shared_ptr<void> alive_;
};

} // namespace

std::unique_ptr<operation> make_operation(std::uint32_t kind, scene_of& here)
{
    switch (kind) {
    case 0:
        return std::make_unique<reading>(here);
    case 1:
        return std::make_unique<giving>(here);
    case 2:
        return std::make_unique<receiving>(here);
    case 3:
        return std::make_unique<accepting>(here, true);
    case 4:
        return std::make_unique<accepting>(here, false);
    case 5:
        return std::make_unique<connecting>(here);
    case 6:
        return std::make_unique<standing_by>(here);
    case 7:
        return std::make_unique<selecting>(here);
    default:
        return std::make_unique<serving>(here);
    }
}

} // namespace ledger
