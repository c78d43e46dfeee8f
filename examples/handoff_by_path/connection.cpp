// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "connection.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include <unistd.h>

namespace handoff {

namespace ss = sharedsock;

place place_of(const std::string& path)
{
    const auto begins = [&](const std::string& part) { return path == part || path.starts_with(part + "/"); };
    return begins("/a") ? place::a : begins("/b") ? place::b : place::front;
}

connection::connection(ss::shared_socket socket, place here, std::string unread, std::uint64_t moves)
    : socket_(std::move(socket)), here_(here), next_(here), unread_(std::move(unread)), moves_(moves)
{}

connection::state connection::proceed()
{
    for (;;) {
        if (const progress now = send(); now != progress::done) return now == progress::ended ? state::is_over : state::waits;
        if (last_) return state::is_over;
        if (current_) {
            take_body();
        } else if (const auto head = parse_head(unread_)) {
            next_ = head->understood ? place_of(head->path) : here_;
            if (next_ == place::front) next_ = here_; // of no worker, so the process that has it answers
            if (next_ != here_) return state::moves;
            begin(*head);
            continue;
        }
        if (!unsent_.empty()) continue;
        if (const progress now = receive(); now != progress::done) return now == progress::ended ? state::is_over : state::waits;
    }
}

void connection::begin(const request& head)
{
    unread_.erase(0, head.head_bytes);
    last_ = !head.keep_alive || !head.understood;
    if (!head.understood) return answer("400 Bad Request", "A request with a Content-Length, please.\n");
    if (head.expects_continue && unread_.empty()) unsent_ = "HTTP/1.1 100 Continue\r\n\r\n";
    const bool keep_alive = !last_;
    last_                 = false; // not before the answer
    current_              = head;
    current_->keep_alive  = keep_alive;
    body_left_            = head.body_bytes;
    sum_                  = {};
    take_body();
}

void connection::take_body()
{
    const std::size_t some = static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, unread_.size()));
    sum_.add(std::as_bytes(std::span(unread_).first(some)));
    unread_.erase(0, some);
    body_left_ -= some;
    if (body_left_ != 0) return;
    const request done = *std::exchange(current_, std::nullopt);
    last_              = !done.keep_alive;
    if (place_of(done.path) == place::front) return answer("404 Not Found", "There is /a/... and /b/...\n");
    answer("200 OK", std::string(here_ == place::a ? "a" : "b") + " process=" + std::to_string(::getpid()) +
                         " moves=" + std::to_string(moves_) + " bytes=" + std::to_string(done.body_bytes) +
                         " sha256=" + sum_.hex() + " path=" + done.path + "\n");
}

void connection::refuse(const std::string& why)
{
    last_ = true;
    answer("503 Service Unavailable", why + "\n");
    send();
}

void connection::answer(const char* status, const std::string& body)
{
    unsent_ += std::string("HTTP/1.1 ") + status +
               "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) +
               "\r\nConnection: " + (last_ ? "close" : "keep-alive") + "\r\n\r\n" + body;
}

connection::progress connection::send()
{
    ss::error_code ec;
    while (!unsent_.empty() && !ec)
        unsent_.erase(0, socket_.send(std::as_bytes(std::span(unsent_)), 0, ec));
    if (!ec) return progress::done;
    return ec == std::errc::operation_would_block ? progress::blocked : progress::ended;
}

connection::progress connection::receive()
{
    constexpr std::size_t piece = 64 * 1024;
    const std::size_t before    = unread_.size();
    unread_.resize(before + piece);
    ss::error_code ec;
    const std::size_t got = socket_.receive(std::as_writable_bytes(std::span(unread_).subspan(before)), 0, ec);
    unread_.resize(before + got);
    if (ec == std::errc::operation_would_block) return progress::blocked;
    return ec || got == 0 ? progress::ended : progress::done;
}

} // namespace handoff
