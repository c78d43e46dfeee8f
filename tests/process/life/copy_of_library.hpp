// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

// The names that dlsym(3) finds in a shared object with a copy of the library.

namespace test {

struct copy_of_library {
    bool (*open)(const char* segment); ///< attaches
    unsigned (*self)();                ///< its process index
    bool (*look)();                    ///< after its attachment, as every call does once a second
    bool (*redeem)(const char* ticket);
    bool (*select)(); ///< takes the events over
    bool (*owns)();
    bool (*use)();   ///< a ticket for itself, there and back
    void (*close)(); ///< detaches
};

} // namespace test
