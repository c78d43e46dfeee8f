#include <sharedsock/sharedsock.hpp>

#include <iostream>

int main()
{
    const auto segment = sharedsock::segment::create_unnamed();
    std::cout << (segment.name().empty() ? "ok" : "an unnamed segment has a name") << '\n';
    return segment.name().empty() ? 0 : 1;
}
