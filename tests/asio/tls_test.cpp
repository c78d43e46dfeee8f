// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "asio/stream_pair.hpp"
#include "support/catch.hpp"
#include "support/scratch_segment.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

namespace asio = boost::asio;
namespace ss   = sharedsock;
using ss::error_code;

namespace {

using tls_stream = asio::ssl::stream<ss::stream>;

/// Without certificates: both sides are anonymous, which TLS 1.2 has a key exchange for.
asio::ssl::context anonymous(asio::ssl::context::method method)
{
    asio::ssl::context made(method);
    ::SSL_CTX_set_max_proto_version(made.native_handle(), TLS1_2_VERSION);
    ::SSL_CTX_set_cipher_list(made.native_handle(), "ADH-AES128-SHA256:@SECLEVEL=0");
    ::SSL_CTX_set_dh_auto(made.native_handle(), 1);
    return made;
}

} // namespace

TEST_CASE("ssl::stream runs over a shared stream: the hand-shake, data and an orderly end", "[asio][tls]")
{
    test::scratch_segment segment;
    asio::io_context io;
    test::stream_pair pair(io, segment);
    auto server_side = anonymous(asio::ssl::context::tls_server);
    auto client_side = anonymous(asio::ssl::context::tls_client);
    tls_stream server(std::move(pair.server), server_side);
    tls_stream client(std::move(pair.client), client_side);
    static_assert(std::is_same_v<tls_stream::lowest_layer_type, ss::stream>);

    error_code accepted = asio::error::would_block, connected = accepted;
    server.async_handshake(tls_stream::server, [&](error_code ec) { accepted = ec; });
    client.async_handshake(tls_stream::client, [&](error_code ec) { connected = ec; });
    io.run();
    REQUIRE(accepted.message() == error_code().message());
    REQUIRE(connected.message() == error_code().message());

    const std::string sent(1'000'000, 's');
    std::string got;
    error_code ended, farewell = asio::error::would_block;
    asio::async_write(client, asio::buffer(sent), [&](error_code ec, std::size_t) {
        CHECK_FALSE(ec);
        client.async_shutdown([&](error_code done) { farewell = done; });
    });
    asio::async_read(server, asio::dynamic_buffer(got), [&](error_code ec, std::size_t) {
        ended = ec;
        server.async_shutdown([](error_code) {});
    });
    io.restart();
    io.run();
    CHECK(got == sent);
    CHECK(ended == asio::error::eof); // not stream_truncated
    CHECK_FALSE(farewell);
}
