// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).

// Any bytes as a message of the restart protocol: the decoder comes to its end, and what it takes for good is encoded to the same
// meaning.
#include "fuzz/target.hpp"
#include "restart/wire.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace wire = sharedsock::restart::detail::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto found = wire::decode(std::as_bytes(std::span(data, size)));
    if (found.is != wire::verdict::good) return 0;
    fuzz::require(wire::descriptors_of(found.text) <= 2, "no message has more than two descriptors");
    const auto again = wire::decode(wire::encode(found.text));
    fuzz::require(again.is == wire::verdict::good && again.skipped_fields == 0, "what was decoded can be encoded");
    wire::message cut = found.text; // encode cuts texts
    for (auto* const text : {&cut.text, &cut.name, &cut.library})
        if (text->size() > wire::longest_text) text->resize(wire::longest_text);
    fuzz::require(again.text == cut, "the meaning is the same");
    return 0;
}
