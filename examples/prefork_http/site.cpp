// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "site.hpp"

#include <boost/beast/http/error.hpp>

#include <utility>

namespace prefork_http {

namespace http = boost::beast::http;

namespace {

site::response make(http::status status, const char* type, std::string body)
{
    site::response answer(status, 11);
    answer.set(http::field::content_type, type);
    answer.body() = std::move(body);
    answer.prepare_payload();
    return answer;
}

} // namespace

site::response site::answer(const request& asked)
{
    mine_.requests.fetch_add(1, std::memory_order_relaxed);
    const bool head = asked.method() == http::verb::head;
    if (!head && asked.method() != http::verb::get) {
        auto refusal = make(http::status::method_not_allowed, "text/plain", "There is only something to get.\n");
        refusal.set(http::field::allow, "GET, HEAD");
        return refusal;
    }
    auto answer = asked.target() == "/"
                      ? make(http::status::ok, "text/plain", "Hello from process " + std::to_string(mine_.pid) + ".\n")
                  : asked.target() == "/stats" ? make(http::status::ok, "application/json", all_.to_json())
                                               : make(http::status::not_found, "text/plain", "There is / and /stats.\n");
    if (head) answer.body().clear(); // its length stays
    return answer;
}

bool site::is_no_request(const boost::system::error_code& ec)
{
    return ec.category() == http::make_error_code(http::error::bad_method).category() && ec != http::error::end_of_stream &&
           ec != http::error::partial_message;
}

site::response site::refuse(const std::string& why)
{
    return make(http::status::bad_request, "text/plain", "This is no request that I understand: " + why + "\n");
}

} // namespace prefork_http
