// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

#include "audit/wording.hpp"

#include <concepts>
#include <cstddef>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

namespace sharedsock::command {

/// Writes one JSON document, member by member; sets commas and quotes itself, nesting follows the calls:
///
///     json_writer(out).object([&](json_writer& document) {
///         document.field("name", name);
///         document.array("processes", [&] { for (…) document.object([&] { … }); });
///     });
///
/// Its output is ASCII for any text: bytes that are not UTF-8 are taken for Latin-1.
class json_writer {
public:
    explicit json_writer(std::ostream& out) : out_(out) {}

    template <class Body>
    void object(Body body)
    {
        nest('{', '}', body);
    }
    template <class Body>
    void object(std::string_view key, Body body)
    {
        name(key);
        nest('{', '}', body);
    }
    template <class Body>
    void array(Body body)
    {
        nest('[', ']', body);
    }
    template <class Body>
    void array(std::string_view key, Body body)
    {
        name(key);
        nest('[', ']', body);
    }

    template <class Value>
    void field(std::string_view key, const Value& value)
    {
        name(key);
        element(value);
    }

    void element(std::string_view text)
    {
        separate();
        out_ << '"' << json_escaped(text) << '"';
    }
    void element(const char* text) { element(std::string_view(text)); }
    void element(const std::string& text) { element(std::string_view(text)); }
    template <std::integral Number>
    void element(Number number)
    {
        separate();
        if constexpr (std::same_as<Number, bool>) {
            out_ << (number ? "true" : "false");
        } else {
            out_ << +number;
        }
    }
    void element(std::nullptr_t)
    {
        separate();
        out_ << "null";
    }
    template <class Value>
    void element(const std::optional<Value>& value)
    {
        value ? element(*value) : element(nullptr);
    }

private:
    template <class Body>
    void nest(char open, char close, Body& body)
    {
        separate();
        out_ << open;
        first_ = true;
        ++depth_;
        if constexpr (std::invocable<Body&, json_writer&>) {
            body(*this);
        } else {
            body();
        }
        out_ << close;
        first_ = false;
        if (--depth_ == 0) {
            out_ << '\n';
        }
    }

    void name(std::string_view key)
    {
        element(key);
        out_ << ':';
        first_ = true; // no comma before its value
    }

    void separate()
    {
        if (!first_) {
            out_ << ',';
        }
        first_ = false;
    }

    std::ostream& out_;
    bool first_ = true;
    int depth_  = 0;
};

} // namespace sharedsock::command
