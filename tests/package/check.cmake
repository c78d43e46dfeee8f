# Installs a finished build into a scratch prefix and uses it from outside, by find_package and by pkg-config.
# Run with cmake -P and: build, scratch, config, generator, compiler, libdir.

function(run)
    list(JOIN ARGN " " command)
    message(STATUS "${command}")
    execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

set(prefix ${scratch}/prefix)
set(project ${scratch}/project)
file(REMOVE_RECURSE ${scratch}) # files that an earlier run installed must not help this one

run(${CMAKE_COMMAND} --install ${build} --prefix ${prefix} --config ${config})

message(STATUS "find_package")
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${project} -G ${generator}
    -D CMAKE_CXX_COMPILER=${compiler} -D CMAKE_BUILD_TYPE=${config} -D CMAKE_PREFIX_PATH=${prefix})
run(${CMAKE_COMMAND} --build ${project} --config ${config})
run(${project}/package_test)
run(${project}/winsock_test)

message(STATUS "pkg-config")
find_program(pkg_config NAMES pkg-config pkgconf)
if(NOT pkg_config)
    message(STATUS "there is no pkg-config here: its half is left out")
    return()
endif()
set(ENV{PKG_CONFIG_PATH} ${prefix}/${libdir}/pkgconfig)
set(ENV{LD_LIBRARY_PATH} ${prefix}/${libdir}) # for a shared library
function(use_pkg_config package source program)
    execute_process(COMMAND ${pkg_config} --cflags --libs ${package} OUTPUT_VARIABLE flags COMMAND_ERROR_IS_FATAL ANY)
    separate_arguments(flags UNIX_COMMAND "${flags}")
    run(${compiler} -std=c++20 ${CMAKE_CURRENT_LIST_DIR}/${source} -o ${scratch}/${program} ${flags})
    run(${scratch}/${program})
endfunction()
use_pkg_config(sharedsock main.cpp pkg_config_test)
use_pkg_config(sharedsock-winsock winsock.cpp pkg_config_winsock_test)
