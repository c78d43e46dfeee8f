// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "clients.hpp"

#include "../support/child.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace tls_workers {

namespace asio = boost::asio;
using play::require;

std::string ask_with_asio(std::uint16_t port, const std::string& certificate, const std::string& words)
{
    asio::io_context io(1);
    asio::ssl::context context(asio::ssl::context::tls_client);
    context.add_certificate_authority(asio::buffer(certificate));
    context.set_verify_mode(asio::ssl::verify_peer);
    asio::ssl::stream<asio::ip::tcp::socket> connection(io, context);
    connection.set_verify_callback(asio::ssl::host_name_verification("localhost"));
    connection.next_layer().connect({asio::ip::address_v4::loopback(), port});
    connection.handshake(asio::ssl::stream_base::client);
    asio::write(connection, asio::buffer(words));
    std::string heard;
    boost::system::error_code ec;
    asio::read(connection, asio::dynamic_buffer(heard), ec);
    require(ec == asio::error::eof, "the server says farewell before it closes"); // else it would be stream_truncated
    return heard;
}

std::string ask_with_openssl(std::uint16_t port, const std::string& certificate, const std::string& words)
{
    const int file =
        ::memfd_create("certificate", 0); // the file has no name in any directory, but one among the program's descriptors
    int in[2], out[2];
    require(file >= 0 && ::write(file, certificate.data(), certificate.size()) == static_cast<ssize_t>(certificate.size()) &&
                ::pipe2(in, O_CLOEXEC) == 0 && ::pipe2(out, O_CLOEXEC) == 0,
            "there is memory, and pipes");
    play::child program([&] {
        ::dup2(in[0], STDIN_FILENO);
        ::dup2(out[1], STDOUT_FILENO);
        const std::string to      = "127.0.0.1:" + std::to_string(port);
        const std::string trusted = "/dev/fd/" + std::to_string(file);
        ::execlp("openssl", "openssl", "s_client", "-quiet", "-verify_quiet", "-connect", to.c_str(), "-servername", "localhost",
                 "-CAfile", trusted.c_str(), "-verify_return_error", "-verify_hostname", "localhost", nullptr);
        return 127;
    });
    for (const int ours : {file, in[0], out[1]})
        ::close(ours);
    require(::write(in[1], words.data(), words.size()) == static_cast<ssize_t>(words.size()), "openssl reads what it has to send");
    std::string heard;
    char room[4096];
    for (ssize_t got; (got = ::read(out[0], room, sizeof room)) > 0;)
        heard.append(room, static_cast<std::size_t>(got));
    ::close(in[1]); // only now: openssl ends the connection when its input ends
    ::close(out[0]);
    require(program.wait() == 0, "openssl s_client is content with the server");
    return heard;
}

bool has_openssl()
{
    play::child program([] {
        const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
        ::dup2(nowhere, STDOUT_FILENO);
        ::execlp("openssl", "openssl", "version", nullptr);
        return 127;
    });
    return program.wait() == 0;
}

} // namespace tls_workers
