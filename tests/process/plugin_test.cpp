// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "support/catch.hpp"
#include "support/unique_name.hpp"

#include <dlfcn.h>

TEST_CASE("the static library works inside of a plugin that a program loads", "[fault-99]")
{
    void* const loaded = ::dlopen(SHAREDSOCK_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    INFO((loaded != nullptr ? "" : ::dlerror()));
    REQUIRE(loaded != nullptr);
    const auto works = reinterpret_cast<int (*)(const char*)>(::dlsym(loaded, "sharedsock_plugin_works"));
    REQUIRE(works != nullptr);
    CHECK(works(test::unique_name().c_str()) == 0);
}
