// How long a test waits for an effect that ought to come at once. A deadline is there to fail, never to order events.
#pragma once

#include <chrono>

namespace test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SHAREDSOCK_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SHAREDSOCK_TEST_SANITIZED 1
#endif
#endif

#ifdef SHAREDSOCK_TEST_SANITIZED
inline constexpr int slowness = 5; ///< how many times slower than a plain build this one may be
#else
inline constexpr int slowness = 1;
#endif

inline constexpr std::chrono::milliseconds patience = std::chrono::seconds(20) * slowness;

/// A moment in the future, and the time left until then.
class deadline {
public:
    explicit deadline(std::chrono::milliseconds limit = patience) : end_(std::chrono::steady_clock::now() + limit) {}

    /// For poll(2): 0 when the moment has passed, never negative.
    int left_ms() const
    {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - std::chrono::steady_clock::now());
        return left.count() > 0 ? static_cast<int>(left.count()) : 0;
    }

    bool passed() const { return left_ms() == 0; }

private:
    std::chrono::steady_clock::time_point end_;
};

} // namespace test
