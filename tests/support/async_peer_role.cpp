#include "support/async_peer.hpp"
#include "support/network_verbs.hpp"
#include "support/peer_errors.hpp"
#include "support/peer_values.hpp"
#include "support/plain_socket.hpp"

#include <sharedsock/asio.hpp>
#include <sharedsock/sharedsock.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

namespace {

namespace asio = boost::asio;
namespace ss   = sharedsock;

// An io_context and the thread that runs it.
class runner {
public:
    runner() { start(); }
    ~runner() { stop(); }

    asio::io_context& context() noexcept { return context_; }
    std::thread::id thread_id() const noexcept { return thread_.get_id(); }

    void stop()
    {
        if (!thread_.joinable()) return;
        context_.stop();
        thread_.join();
    }
    void start()
    {
        context_.restart();
        thread_ = std::thread([this] { context_.run(); });
    }
    void pause()
    {
        std::promise<void> standing;
        resume_ = std::promise<void>();
        asio::post(context_, [&standing, resumed = resume_.get_future().share()] {
            standing.set_value();
            resumed.wait();
        });
        standing.get_future().wait();
    }
    void resume() { resume_.set_value(); }

private:
    asio::io_context context_{1};
    asio::executor_work_guard<asio::io_context::executor_type> guard_ = asio::make_work_guard(context_);
    std::thread thread_;
    std::promise<void> resume_;
};

class async_peer_state {
public:
    explicit async_peer_state(const std::string& segment_name) : segment_(ss::segment::open(segment_name)) { make_verbs(); }
    ~async_peer_state() { runner_.stop(); }

    const test::role_context::handlers& verbs() const noexcept { return verbs_; }

private:
    using arguments = std::istringstream;

    ss::shared_socket& socket(arguments& line)
    {
        const std::string name = word(line);
        const std::scoped_lock lock(mutex_);
        return sockets_.at(name);
    }
    static std::string word(arguments& line)
    {
        std::string text;
        if (!(line >> text)) throw std::invalid_argument("a word is missing");
        return text;
    }
    static std::uint16_t port(arguments& line) { return static_cast<std::uint16_t>(std::stoi(word(line))); }
    void keep(const std::string& name, ss::shared_socket&& made)
    {
        const std::scoped_lock lock(mutex_);
        names_[made.id()] = name;
        sockets_[name]    = std::move(made);
    }

    // A verb whose answer is the text that `action` returns, "ok" for an action without a result.
    template <class Action>
    void add(const char* verb, Action action)
    {
        verbs_[verb] = [action](const std::string& rest) {
            arguments line(rest);
            if constexpr (std::is_void_v<decltype(action(line))>) {
                action(line);
                return std::string("ok");
            } else {
                return std::string(action(line));
            }
        };
    }

    void make_verbs()
    {
        add("dial", [this](arguments& line) {
            const std::string name    = word(line);
            test::plain_socket plain  = test::plain_socket::connect(port(line));
            ss::shared_socket adopted = ss::shared_socket::adopt(segment_, plain.descriptor());
            plain.release();
            adopted.set_blocking(false);
            keep(name, std::move(adopted));
        });
        add("open", [this](arguments& line) {
            const std::string name = word(line);
            keep(name, ss::shared_socket::open(segment_, AF_INET, SOCK_STREAM));
        });
        add("connect", [this](arguments& line) {
            ss::shared_socket& h = socket(line);
            ss::error_code ec;
            h.connect(ss::socket_address::loopback(port(line)), ec);
            test::succeed(ec);
        });
        add("listener", [this](arguments& line) {
            const std::string name = word(line);
            ss::shared_socket made = ss::shared_socket::listen(segment_, ss::socket_address::loopback(0));
            const auto at          = made.local_address().port();
            keep(name, std::move(made));
            return std::to_string(at);
        });
        add("accept", [this](arguments& line) {
            ss::shared_socket& listener = socket(line);
            const std::string name      = word(line);
            const std::scoped_lock accepting(naming_); // its first message may come before it has a name
            keep(name, listener.accept());
        });
        add("redeem", [this](arguments& line) {
            const std::string name = word(line);
            keep(name, ss::shared_socket::redeem(segment_, ss::ticket::from_text(word(line))));
        });
        add("duplicate", [this](arguments& line) {
            ss::shared_socket& h = socket(line);
            return h.duplicate(segment_.find_process(std::stoi(word(line))).value()).to_text();
        });
        add("close", [this](arguments& line) { socket(line).close(); });
        add("receive", [this](arguments& line) {
            ss::shared_socket& h = socket(line);
            return receive(h, static_cast<std::size_t>(std::stoi(word(line))));
        });
        add("send", [this](arguments& line) {
            ss::shared_socket& h = socket(line);
            return std::to_string(h.send(word(line)));
        });
        add("option_error", [this](arguments& line) {
            const ss::error_code taken = socket(line).take_error();
            return taken ? test::condition_name(taken) : "none";
        });
        add("query", [this](arguments& line) {
            const auto now = socket(line).registration();
            return now ? "owner=" + to_string(now->owner) + " mask=" + to_string(now->mask) : "nobody";
        });
        add("enum", [this](arguments& line) { return to_string(socket(line).enum_network_events().occurred); });
        add("cancel", [this](arguments& line) { socket(line).cancel_registration(); });
        add_selects();
        add_handler_verbs();
        test::add_network_verbs(verbs_);
        add("pid", [](arguments&) { return std::to_string(::getpid()); });
        add("self", [this](arguments&) { return to_string(segment_.self()); });
    }

    void add_selects()
    {
        add("async_select", [this](arguments& line) {
            ss::shared_socket& h         = socket(line);
            const ss::network_event mask = test::to_mask(word(line));
            ss::select_options options;
            std::string tell;
            options.tell_loss = static_cast<bool>(line >> tell);
            ss::error_code ec;
            ss::async_select(h, runner_.context().get_executor(), handler(), mask, options, ec);
            test::succeed(ec);
        });
        add("async_stand_by", [this](arguments& line) {
            ss::shared_socket& h = socket(line);
            ss::async_stand_by(h, runner_.context().get_executor(), handler(), test::to_mask(word(line)));
        });
        add("async_select_without", [this](arguments& line) {
            const bool no_executor = word(line) == "executor";
            ss::shared_socket& h   = socket(line);
            ss::error_code ec;
            if (no_executor)
                ss::async_select(h, {}, handler(), ss::network_event::read, {}, ec);
            else
                ss::async_select(h, runner_.context().get_executor(), {}, ss::network_event::read, {}, ec);
            test::succeed(ec);
        });
        add("run_alone", [this](arguments& line) {
            ss::shared_socket& h = socket(line);
            alone_               = std::make_unique<asio::io_context>();
            ss::async_select(h, alone_->get_executor(), handler(), test::to_mask(word(line)));
            alone_->run();
            return "returned";
        });
    }

    void add_handler_verbs()
    {
        add("receive_in_handler", [this](arguments& line) { receive_size_ = std::stoi(word(line)); });
        add("select_in_handler", [this](arguments& line) {
            const std::scoped_lock lock(mutex_);
            select_in_handler_ = test::to_mask(word(line));
        });
        add("next", [this](arguments& line) {
            const std::chrono::milliseconds limit(std::stoi(word(line)));
            std::unique_lock lock(mutex_);
            if (!changed_.wait_for(lock, limit, [this] { return !messages_.empty(); })) return std::string("quiet");
            std::string first = std::move(messages_.front());
            messages_.pop_front();
            return first;
        });
        add("hold", [this](arguments&) {
            const std::scoped_lock lock(mutex_);
            hold_ = true;
        });
        add("entered", [this](arguments&) {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return inside_; });
        });
        add("go", [this](arguments&) {
            const std::scoped_lock lock(mutex_);
            hold_ = false;
            changed_.notify_all();
        });
        add("pause", [this](arguments&) { runner_.pause(); });
        add("resume", [this](arguments&) { runner_.resume(); });
        add("stop", [this](arguments&) { runner_.stop(); });
        add("restart", [this](arguments&) { runner_.start(); });
        add("orderly", [this](arguments&) { return orderly_ ? "yes" : "no"; });
    }

    ss::event_handler handler()
    {
        return [this](const ss::event_message& message) {
            if (running_.exchange(true) || std::this_thread::get_id() != runner_.thread_id()) orderly_ = false;
            std::string name;
            {
                const std::scoped_lock naming(naming_);
                const std::scoped_lock lock(mutex_);
                name = names_[message.socket];
            }
            std::string text = name + " " + (any(message.event) ? to_string(message.event) : "lost");
            if (any(message.event) && message.error) text += "=" + test::condition_name(message.error);
            if (message.event == ss::network_event::read && receive_size_ > 0)
                text += " " + receive(sockets_.at(name), static_cast<std::size_t>(receive_size_));
            std::unique_lock lock(mutex_);
            if (const ss::network_event mask = std::exchange(select_in_handler_, ss::network_event::none); any(mask)) {
                lock.unlock();
                ss::async_select(sockets_.at(name), runner_.context().get_executor(), handler(), mask);
                lock.lock();
            }
            inside_ = true;
            changed_.notify_all();
            changed_.wait(lock, [this] { return !hold_; });
            inside_ = false;
            messages_.push_back(std::move(text));
            changed_.notify_all();
            running_ = false;
        };
    }

    static std::string receive(ss::shared_socket& h, std::size_t size)
    {
        std::string room(size, '\0');
        ss::error_code ec;
        const std::size_t got = h.receive(std::as_writable_bytes(std::span(room)), MSG_DONTWAIT, ec);
        if (ec) return test::condition_name(ec); // not thrown: a handler may have called it, where no caller catches
        return got == 0 ? "end" : '"' + room.substr(0, got) + '"';
    }

    ss::segment segment_;
    test::role_context::handlers verbs_; // constant once made
    std::mutex naming_;                  // held while a socket gets its name
    std::mutex mutex_;                   // guards all below but the atomics
    std::condition_variable changed_;
    std::map<std::string, ss::shared_socket> sockets_; // grows only
    std::map<std::uint64_t, std::string> names_;
    std::deque<std::string> messages_;
    ss::network_event select_in_handler_ = ss::network_event::none;
    bool hold_                           = false;
    bool inside_                         = false;
    std::atomic<int> receive_size_{0};
    std::atomic<bool> running_{false};
    std::atomic<bool> orderly_{true};
    std::unique_ptr<asio::io_context> alone_;
    runner runner_; // last: its thread uses all of the above
};

} // namespace

SHAREDSOCK_CHILD_ROLE("async peer")
{
    async_peer_state state(role.args.at(0));
    role.say("ready");
    return role.serve(state.verbs());
}
