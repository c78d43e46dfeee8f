// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// nginx with an equal answer, its own workers and its own way of accepting.
#include "accept/scheme.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace accept_bench {
namespace {

namespace fs = std::filesystem;

fs::path binary()
{
    for (const char* const place : {"/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"})
        if (::access(place, X_OK) == 0) return place;
    return {};
}

class nginx final : public scheme {
public:
    ~nginx() override
    {
        if (master_ > 0) {
            ::kill(master_, SIGTERM);
            ::waitpid(master_, nullptr, 0);
        }
        std::error_code ignored; // a directory in /tmp that cannot be removed is no reason to end the comparison
        if (!place_.empty()) fs::remove_all(place_, ignored);
    }
    bool foreign() const override { return true; }
    std::uint16_t prepare(unsigned workers) override
    {
        workers_    = workers;
        char name[] = "/tmp/accept_bench.XXXXXX";
        if (::mkdtemp(name) == nullptr) fail("mkdtemp");
        place_                   = name;
        const int probe          = listen_somewhere(false);
        const std::uint16_t port = port_of(probe);
        ::close(probe);
        const std::string base = place_.string();
        std::ofstream(place_ / "nginx.conf")
            << "daemon off; worker_processes " << workers << "; pid " << base << "/pid; error_log " << base << "/error.log crit;\n"
            << (::getuid() == 0 ? "user root;\n" : "") << "events { worker_connections 1024; use epoll; }\n"
            << "http { access_log off; keepalive_requests 1000000; default_type text/plain; client_body_temp_path " << base
            << "/a; proxy_temp_path " << base << "/b; fastcgi_temp_path " << base << "/c; uwsgi_temp_path " << base
            << "/d; scgi_temp_path " << base << "/e;\nserver { listen 127.0.0.1:" << port
            << " backlog=1024; location / { return 200 \"ok\\n\"; } } }\n";
        master_ = ::fork();
        if (master_ < 0) fail("fork");
        if (master_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGTERM);
            ::execl(binary().c_str(), "nginx", "-p", base.c_str(), "-c", (place_ / "nginx.conf").c_str(), "-e",
                    (base + "/error.log").c_str(), nullptr);
            fail("nginx");
        }
        return port;
    }
    std::vector<pid_t> helpers() override { return workers_of(master_, workers_); }

private:
    fs::path place_;
    unsigned workers_ = 0;
    pid_t master_     = 0;
};

} // namespace

bool nginx_installed() { return !binary().empty(); }
std::unique_ptr<scheme> make_nginx() { return std::make_unique<nginx>(); }

} // namespace accept_bench
