// The main of every test binary: a child role when it is asked for one, Catch2 otherwise.
#define CATCH_CONFIG_RUNNER // for Catch2 2; version 3 has it in its library

#include "support/catch.hpp"
#include "support/leftovers.hpp"
#include "support/role.hpp"
#include "support/skip.hpp"

#include <string_view>

int main(int argc, char** argv)
{
    if (argc >= 3 && std::string_view(argv[1]) == "--child") {
        return test::run_role(argv[2], {argv + 3, argv + argc});
    }
    const int result = Catch::Session().run(argc, argv);
    test::remove_leftovers_of_the_dead();
    return test::finish_run(result);
}
