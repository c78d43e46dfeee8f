// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// A ticket's binary form and its text form: every accepted form gives the same bytes when it is written again.
#include "fuzz/target.hpp"

#include <sharedsock/ticket.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

using sharedsock::error_code;
using sharedsock::ticket;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    error_code ec;
    const ticket binary = ticket::from_bytes(std::as_bytes(std::span(data, size)), ec);
    fuzz::require(ec ? binary == ticket() : ticket::from_bytes(binary.to_bytes()) == binary, "a ticket survives its binary form");

    const std::string_view characters(reinterpret_cast<const char*>(data), size);
    const ticket text = ticket::from_text(characters, ec);
    fuzz::require(ec ? text == ticket() : ticket::from_text(text.to_text()) == text, "a ticket survives its text form");

    // The check sum keeps most inputs out: so a whole ticket of the same fields as well.
    fuzz::reader in(data, size);
    ticket made;
    for (std::uint8_t& byte : made.segment)
        byte = in.byte();
    made.handle            = in.number();
    made.handle_generation = in.number();
    made.nonce             = in.number() | std::uint64_t{in.number()} << 32;
    made.target            = {in.number(), in.number()};
    made.target_pid        = static_cast<std::int32_t>(in.number());
    const ticket again     = ticket::from_bytes(made.to_bytes(), ec);
    fuzz::require(ec ? again == ticket() : again == made, "a ticket's fields are those that were written into it");
    return 0;
}
