// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include <sharedsock/ticket.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace sharedsock {

namespace {

// The binary form, little-endian on every machine:
//    0  magic "sstk"
//    4  version, 16 bits
//    6  flags, 16 bits; zero
//    8  segment uuid
//   24  handle, its generation
//   32  nonce
//   40  target's process index, its generation
//   48  target's pid
//   52  zero
//   56  check sum of all before: FNV-1a, which every change of a single byte changes
constexpr std::uint32_t magic       = 0x6b747373;
constexpr std::uint16_t version     = 1;
constexpr std::size_t checked_bytes = 56;

using ticket_bytes = std::array<std::byte, ticket::size>;

std::uint64_t check_sum(const ticket_bytes& bytes)
{
    std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
    for (std::size_t i = 0; i < checked_bytes; ++i) {
        hash = (hash ^ std::to_integer<std::uint64_t>(bytes[i])) * 0x100'0000'01b3;
    }
    return hash;
}

class writer {
public:
    template <class Integer>
    void put(Integer value)
    {
        const auto bits = static_cast<std::uint64_t>(static_cast<std::make_unsigned_t<Integer>>(value));
        for (std::size_t i = 0; i < sizeof value; ++i) {
            bytes[at_++] = static_cast<std::byte>(bits >> (8 * i) & 0xff);
        }
    }

    ticket_bytes bytes{};

private:
    std::size_t at_ = 0;
};

class reader {
public:
    explicit reader(const ticket_bytes& bytes) : bytes_(bytes) {}

    template <class Integer>
    Integer get()
    {
        std::uint64_t bits = 0;
        for (std::size_t i = 0; i < sizeof(Integer); ++i) {
            bits |= std::to_integer<std::uint64_t>(bytes_[at_++]) << (8 * i);
        }
        return static_cast<Integer>(bits);
    }

private:
    const ticket_bytes& bytes_;
    std::size_t at_ = 0;
};

constexpr char digits[] = "0123456789abcdef"; // small ones only: a ticket has one text

int digit_value(char digit)
{
    const auto* end   = digits + 16;
    const auto* found = std::find(digits + 0, end, digit);
    return found == end ? -1 : static_cast<int>(found - digits);
}

} // namespace

std::array<std::byte, ticket::size> ticket::to_bytes() const noexcept
{
    writer out;
    out.put(magic);
    out.put(version);
    out.put(std::uint16_t{0});
    for (const std::uint8_t byte : segment) {
        out.put(byte);
    }
    out.put(handle);
    out.put(handle_generation);
    out.put(nonce);
    out.put(target.index);
    out.put(target.generation);
    out.put(target_pid);
    out.put(std::uint32_t{0});
    out.put(check_sum(out.bytes));
    return out.bytes;
}

ticket ticket::from_bytes(std::span<const std::byte> bytes, error_code& ec) noexcept
{
    ec = errc::ticket_malformed;
    ticket_bytes copy;
    if (bytes.size() != copy.size()) {
        return {};
    }
    std::copy(bytes.begin(), bytes.end(), copy.begin());

    reader in(copy);
    if (in.get<std::uint32_t>() != magic || in.get<std::uint16_t>() != version || in.get<std::uint16_t>() != 0) {
        return {};
    }
    ticket value;
    for (std::uint8_t& byte : value.segment) {
        byte = in.get<std::uint8_t>();
    }
    value.handle            = in.get<std::uint32_t>();
    value.handle_generation = in.get<std::uint32_t>();
    value.nonce             = in.get<std::uint64_t>();
    value.target.index      = in.get<std::uint32_t>();
    value.target.generation = in.get<std::uint32_t>();
    value.target_pid        = in.get<std::int32_t>();
    if (in.get<std::uint32_t>() != 0 || in.get<std::uint64_t>() != check_sum(copy)) {
        return {};
    }
    ec.clear();
    return value;
}

ticket ticket::from_bytes(std::span<const std::byte> bytes)
{
    return detail::or_throw("sharedsock::ticket::from_bytes", [&](error_code& ec) { return from_bytes(bytes, ec); });
}

std::string ticket::to_text() const
{
    std::string text;
    text.reserve(2 * size);
    for (const std::byte byte : to_bytes()) {
        text += digits[std::to_integer<unsigned>(byte) >> 4];
        text += digits[std::to_integer<unsigned>(byte) & 0xf];
    }
    return text;
}

ticket ticket::from_text(std::string_view text, error_code& ec) noexcept
{
    ec = errc::ticket_malformed;
    ticket_bytes bytes;
    if (text.size() != 2 * bytes.size()) {
        return {};
    }
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const int high = digit_value(text[2 * i]);
        const int low  = digit_value(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return {};
        }
        bytes[i] = static_cast<std::byte>(high << 4 | low);
    }
    return from_bytes(bytes, ec);
}

ticket ticket::from_text(std::string_view text)
{
    return detail::or_throw("sharedsock::ticket::from_text", [&](error_code& ec) { return from_text(text, ec); });
}

} // namespace sharedsock
