# An installed sharedsock and programs that do not agree with it on Boost or on Asio's switches: each works, or is refused in words, at
# find_package, by the compiler or by the linker. Run with cmake -P and: build, scratch, config, generator, compiler, libdir.

function(run)
    list(JOIN ARGN " " command)
    message(STATUS "${command}")
    execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# refused("<regular expression>" <command>...): the command fails, and its output has these words, however its lines are broken.
function(refused words)
    list(JOIN ARGN " " command)
    message(STATUS "refused? ${command}")
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
    string(REGEX REPLACE "[ \n]+" " " output "${output}")
    if(result EQUAL 0)
        message(FATAL_ERROR "accepted: ${command}")
    elseif(NOT output MATCHES "${words}")
        message(FATAL_ERROR "refused, but not with the words '${words}': ${output}")
    endif()
    message(STATUS "refused: ${CMAKE_MATCH_0}")
endfunction()

set(prefix ${scratch}/prefix)
set(project ${scratch}/project)
file(REMOVE_RECURSE ${scratch})

run(${CMAKE_COMMAND} --install ${build} --prefix ${prefix} --config ${config})
set(configure ${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/asio -G ${generator}
    -D CMAKE_CXX_COMPILER=${compiler} -D CMAKE_BUILD_TYPE=None -D CMAKE_PREFIX_PATH=${prefix}) # not optimised: quickly made

message(STATUS "a program as the library was built, and one with another switch that compiles the Asio part itself")
run(${configure} -B ${project})
run(${CMAKE_COMMAND} --build ${project} --config ${config})
run(${project}/as_built)
execute_process(COMMAND ${project}/own_asio_part ERROR_QUIET COMMAND_ERROR_IS_FATAL ANY) # it writes what Asio tracks

message(STATUS "a program with another switch and the library's Asio part")
refused("sharedsock_has_no_Asio_part_for__boost_[0-9]+_handler_tracking__include_sharedsock_asio_src_hpp"
    ${CMAKE_COMMAND} --build ${project} --config ${config} --target other_switch)

# Even if the linker drops all that the program does not use.
file(WRITE ${scratch}/unused.cpp "#include <sharedsock/asio/detail/build.hpp>\nint main() {}\n")
refused("sharedsock_has_no_Asio_part_for__boost_[0-9]+_without_threads__include_sharedsock_asio_src_hpp"
    ${compiler} -std=c++20 -O2 -ffunction-sections -fdata-sections -Wl,--gc-sections -D BOOST_ASIO_DISABLE_THREADS -I ${prefix}/include
    ${scratch}/unused.cpp -o ${scratch}/unused -L ${prefix}/${libdir} -lsharedsock)

# An Asio without epoll takes the reactor on Asio's public interface; so does any Asio that asks for it.
foreach(switch IN ITEMS BOOST_ASIO_DISABLE_EPOLL SHAREDSOCK_ASIO_PUBLIC_REACTOR)
    refused("sharedsock_has_no_Asio_part_for__boost_[0-9a-z_]+_public_reactor__include_sharedsock_asio_src_hpp"
        ${compiler} -std=c++20 -D ${switch} -I ${prefix}/include ${scratch}/unused.cpp -o ${scratch}/unused -L ${prefix}/${libdir}
        -lsharedsock)
endforeach()

message(STATUS "configurations that cannot work")
function(preprocess words)
    file(WRITE ${scratch}/refused.cpp "#include <sharedsock/asio.hpp>\n")
    refused("${words}" ${compiler} -std=c++20 -E -I ${prefix}/include ${ARGN} ${scratch}/refused.cpp -o ${scratch}/refused.ii)
endfunction()
preprocess("sharedsock needs Asio's standard executors" -D BOOST_ASIO_USE_TS_EXECUTOR_AS_DEFAULT)
preprocess("sharedsock works with Boost.Asio, and this file includes the standalone Asio" -D ASIO_DETAIL_CONFIG_HPP)

# A Boost of which find_package sees only the version.
function(fake_boost directory number version)
    file(WRITE ${directory}/include/boost/version.hpp "#define BOOST_VERSION ${number}\n")
    file(WRITE ${directory}/BoostConfigVersion.cmake "set(PACKAGE_VERSION ${version})\nset(PACKAGE_VERSION_COMPATIBLE TRUE)\n")
    file(WRITE ${directory}/BoostConfig.cmake "set(Boost_VERSION ${version})
set(Boost_INCLUDE_DIRS ${directory}/include)
add_library(Boost::headers INTERFACE IMPORTED)
set_target_properties(Boost::headers PROPERTIES INTERFACE_INCLUDE_DIRECTORS ${directory}/include)
")
endfunction()

message(STATUS "the name of a configuration does not depend on what was included before")
function(name_of_build result)
    list(TRANSFORM ARGN REPLACE "(.+)" "#include <\\1>\n" OUTPUT_VARIABLE includes)
    list(JOIN includes "" includes)
    file(WRITE ${scratch}/name.cpp "${includes}\nSHAREDSOCK_ASIO_BUILD\n")
    execute_process(COMMAND ${compiler} -std=c++20 -E -I ${prefix}/include ${scratch}/name.cpp -o ${scratch}/name.ii
        COMMAND_ERROR_IS_FATAL ANY)
    file(STRINGS ${scratch}/name.ii name REGEX "^boost_[0-9]")
    set(${result} "${name}" PARENT_SCOPE)
endfunction()
name_of_build(alone sharedsock/asio/detail/build.hpp)
name_of_build(after boost/asio.hpp sharedsock/asio.hpp)
if(alone STREQUAL "" OR NOT alone STREQUAL after)
    message(FATAL_ERROR "'${alone}' is '${after}' after <boost/asio.hpp>")
endif()

message(STATUS "find_package with a Boost that the library was not built with")
fake_boost(${scratch}/newer 109000 1.90.0)
refused("was built with Boost [0-9.]+, and its Asio part works with no other; this project has found Boost 1.90.0.*asio_source"
    ${configure} -B ${scratch}/newer_project -D Boost_DIR=${scratch}/newer)
run(${configure} -B ${scratch}/own_project -D Boost_DIR=${scratch}/newer -D OWN_ASIO_PART=ON)
file(WRITE ${scratch}/component/CMakeLists.txt "cmake_minimum_required(VERSION 3.24)
project(component LANGUAGES CXX)
find_package(sharedsock REQUIRED COMPONENTS windows)
")
refused("sharedsock has no component 'windows'; it has asio_source"
    ${CMAKE_COMMAND} -S ${scratch}/component -B ${scratch}/component/build -G ${generator} -D CMAKE_PREFIX_PATH=${prefix}
    -D CMAKE_CXX_COMPILER=${compiler})
message(STATUS "a Boost that is too old")
preprocess("sharedsock needs Boost 1.81 or newer" -D BOOST_VERSION_HPP -D BOOST_VERSION=108000)

message(STATUS "a Boost whose interior is not known takes the reactor on Asio's public interface")
execute_process(COMMAND ${compiler} -std=c++20 -E -D BOOST_VERSION_HPP -D BOOST_VERSION=109300 -I ${prefix}/include ${scratch}/name.cpp
    OUTPUT_VARIABLE newer COMMAND_ERROR_IS_FATAL ANY)
if(NOT newer MATCHES "boost_109300[a-z_]*_public_reactor")
    message(FATAL_ERROR "Boost 1.93 takes Asio's own reactor, whose interior is not known")
endif()
