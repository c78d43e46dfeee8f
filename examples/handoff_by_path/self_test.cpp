// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "self_test.hpp"

#include "client.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>

#include <unistd.h>

namespace handoff {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t upload_bytes = 100'000'000;
constexpr int alternations         = 200;

// Removed at the end of the scope.
struct scratch_file {
    const fs::path path = fs::temp_directory_path() / ("handoff_by_path." + std::to_string(::getpid()));
    ~scratch_file()
    {
        std::error_code ignored; // the file may never have been made
        fs::remove(path, ignored);
    }
};

void fill(const fs::path& path, std::size_t bytes)
{
    std::ofstream out(path, std::ios::binary);
    std::mt19937_64 random(2024);
    std::vector<std::uint64_t> piece(1 << 16);
    for (std::size_t done = 0; done < bytes;) {
        for (std::uint64_t& word : piece)
            word = random();
        const std::size_t some = std::min(bytes - done, piece.size() * sizeof(std::uint64_t));
        out.write(reinterpret_cast<const char*>(piece.data()), static_cast<std::streamsize>(some));
        done += some;
    }
    require(out.flush().good(), "there is room for a file of 100 MB");
}

std::string output_of(const std::string& command)
{
    std::FILE* const pipe = ::popen(command.c_str(), "r");
    require(pipe != nullptr, "a shell can be started");
    std::string text;
    char piece[4096];
    while (const std::size_t got = std::fread(piece, 1, sizeof piece, pipe))
        text.append(piece, got);
    require(::pclose(pipe) == 0, "this succeeds: " + command);
    return text;
}

// The front has read the whole request, and nothing comes after it: a worker that does not get those bytes has nothing to answer.
void one_request_each_way(const sharedsock::socket_address& server)
{
    for (const std::string path : {"/a/hello", "/b/hello"}) {
        client one(server);
        one.ask(path);
        one.end();
        const answer got = one.receive();
        require(got.worker == path.substr(1, 1) && got.moves == 1, "a request goes to the process of its path");
    }
    client one(server);
    one.ask("/c");
    require(one.receive().status == 404, "a path of no worker is not found");
}

// The same connection goes to and fro between the two workers, directly.
void to_and_fro(const sharedsock::socket_address& server)
{
    client one(server);
    std::uint64_t moves = 0;
    for (int i = 0; i < alternations; ++i) {
        const std::string where = i % 2 == 0 ? "a" : "b";
        for (int twice = 0; twice < 2; ++twice) { // the second time it is there already
            one.ask("/" + where + "/" + std::to_string(i));
            const answer got = one.receive();
            moves += twice == 0 ? 1 : 0;
            require(got.worker == where && got.moves == moves, "a connection moves when its path does");
        }
    }
}

// The bytes after the request that moves the connection have been read as well.
void many_at_once(const sharedsock::socket_address& server)
{
    client one(server);
    const std::string paths[] = {"/a/1", "/b/2", "/a/3", "/a/4", "/b/5", "/b/6", "/a/7"};
    const std::string body(20'000, 'x'); // with it the carry is larger than a message
    for (const std::string& path : paths)
        one.ask(path, body);
    for (const std::string& path : paths) {
        const answer got = one.receive();
        require(got.worker == path.substr(1, 1) && got.path == path && got.bytes == body.size(),
                "requests that came at once are answered in order");
        require(got.sha256 == sum_of(body), "and their bodies are whole");
    }
}

std::string upload_by_curl(const sharedsock::socket_address& server)
{
    if (::system("command -v curl > /dev/null && command -v sha256sum > /dev/null") != 0) return "no curl: not tried";
    const scratch_file file;
    fill(file.path, upload_bytes);
    const std::string right = output_of("sha256sum < " + file.path.string()).substr(0, 64);
    const std::string url   = "http://" + to_string(server);
    for (const std::string path : {"/a/file", "/b/file"}) {
        const answer got = understand(output_of("curl -sS --fail -T " + file.path.string() + " " + url + path));
        require(got.worker == path.substr(1, 1) && got.bytes == upload_bytes, "curl uploads 100 MB");
        require(got.sha256 == right, "the sha256 of the upload is that of the file");
    }
    std::string asked = "curl -sS --fail";
    for (int i = 0; i < 10; ++i)
        asked += " " + url + (i % 2 == 0 ? "/a/" : "/b/") + std::to_string(i);
    const std::string answers = output_of(asked);
    std::uint64_t moves       = 0;
    for (std::size_t begin = 0; begin < answers.size(); begin = answers.find('\n', begin) + 1)
        require(understand(answers.substr(begin)).moves == ++moves, "curl's connection moves with every request");
    require(moves == 10, "curl gets ten answers");
    return "100 MB by curl: the sha256 is right";
}

} // namespace

void self_test(options wanted)
{
    wanted.port = 0;
    family tested(wanted);
    const auto address = tested.address();
    one_request_each_way(address);
    to_and_fro(address);
    many_at_once(address);
    const std::string upload = upload_by_curl(address);
    require(tested.stop(), "all processes end well when they are asked to");
    std::cout << 2 * alternations << " requests on one connection, which moved " << alternations << " times; " << upload
              << std::endl;
}

} // namespace handoff
