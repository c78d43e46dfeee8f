# cmake -D src=DIRECTORY -D sources=FILE,FILE,... -D output=FILE -D lock_ranks=BOOL -P asio_source.cmake
#
# Writes <sharedsock/asio/src.hpp>: the sources of the Asio part, with every header of src/ in place of its first inclusion.
cmake_minimum_required(VERSION 3.24)

function(append text)
    file(APPEND ${output}.new "${text}")
endfunction()

function(expand file)
    get_property(seen GLOBAL PROPERTY seen)
    if(file IN_LIST seen)
        return()
    endif()
    set_property(GLOBAL APPEND PROPERTY seen ${file})

    file(READ ${src}/${file} rest)
    string(REGEX REPLACE "^// Copyright[^\n]*\n" "" rest "${rest}")
    string(REPLACE "#pragma once\n" "" rest "${rest}")
    append("// --- src/${file}\n")
    while(rest MATCHES "(\n|^)(#include \"([^\"\n]+)\"[^\n]*\n)")
        set(line "${CMAKE_MATCH_2}")
        set(included "${CMAKE_MATCH_3}")
        string(FIND "${rest}" "${line}" begin)
        string(SUBSTRING "${rest}" 0 ${begin} before)
        string(LENGTH "${line}" length)
        math(EXPR end "${begin} + ${length}")
        string(SUBSTRING "${rest}" ${end} -1 rest)
        append("${before}")
        expand(${included})
    endwhile()
    append("${rest}")
endfunction()

if(lock_ranks)
    set(ranks "#define SHAREDSOCK_CHECK_LOCK_RANKS // as in the library: inline functions below take locks\n")
else()
    set(ranks "#undef SHAREDSOCK_CHECK_LOCK_RANKS // as in the library: inline functions below take locks\n")
endif()
file(WRITE ${output}.new "// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#pragma once

/// The compiled half of <sharedsock/asio.hpp>, for one source file of a program whose Boost, or whose switches of Asio, are not those that
/// the library was built with. In CMake the target sharedsock::asio_source compiles it. It is made of the files in src/asio, and belongs
/// to this version of the library. Include it before other headers: it is meant to be alone in its source file.
${ranks}
")
string(REPLACE "," ";" sources "${sources}")
foreach(source IN LISTS sources)
    expand(${source})
endforeach()
file(RENAME ${output}.new ${output})
