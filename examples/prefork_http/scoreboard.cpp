// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "scoreboard.hpp"

#include <cerrno>
#include <memory>
#include <system_error>

#include <sys/mman.h>

namespace prefork_http {
namespace {

score* shared_scores(std::size_t count)
{
    void* const memory = ::mmap(nullptr, count * sizeof(score), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::system_error(errno, std::system_category(), "memory for the scores");
    auto* const scores = static_cast<score*>(memory);
    std::uninitialized_value_construct_n(scores, count);
    return scores;
}

} // namespace

scoreboard::scoreboard(std::size_t places) : size_(places), first_(shared_scores(places)) {}

scoreboard::~scoreboard() { ::munmap(first_, size_ * sizeof(score)); }

std::string scoreboard::to_json()
{
    std::string text;
    const auto field = [&](const char* name, std::uint64_t value) {
        text += std::string(text.back() == '{' ? "\"" : ", \"") + name + "\": " + std::to_string(value);
    };
    for (const score& one : *this) {
        if (one.starts == 0) continue; // a place that no worker has had yet
        text += text.empty() ? "{\"workers\": [\n  {" : ",\n  {";
        field("pid", static_cast<std::uint64_t>(one.pid.load()));
        field("starts", one.starts);
        field("open", one.open);
        field("accepts", one.accepts);
        field("requests", one.requests);
        text += '}';
    }
    return text + "\n]}\n";
}

} // namespace prefork_http
