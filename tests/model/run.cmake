# Checks one model with spin: cmake -D spin=PROGRAM -D cc=PROGRAM -D model=FILE -D scratch=DIRECTORY -D bounds="-DN=2 ..."
#     [-D mistake=NAME] [-D memory_mb=1500] [-D search=exhaustive|sampled] -P run.cmake
#
# Without a mistake every property has to hold in every state within the bounds, and all of them have to be visited. With one,
# a property has to be found broken. `sampled` is for bounds that do not fit into memory: bit-state hashing, which leaves out
# some states, so that it can find and cannot prove.
cmake_minimum_required(VERSION 3.24)

if(NOT memory_mb)
    set(memory_mb 1500)
endif()
separate_arguments(definitions UNIX_COMMAND "${bounds}")
if(mistake)
    list(APPEND definitions "-D${mistake}")
endif()
file(REMOVE_RECURSE ${scratch})
file(MAKE_DIRECTORY ${scratch})

function(run what)
    execute_process(COMMAND ${ARGN} WORKING_DIRECTORY ${scratch} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "${what} failed (${result}):\n${output}")
    endif()
    set(output "${output}" PARENT_SCOPE)
endfunction()

run("spin" ${spin} ${definitions} -a ${model})

# No partial order reduction: spin does not allow it with `provided` clauses, and almost every step changes shared state.
set(optimisation -Og) # with more, the compiler takes longer than pan gets faster
if(mistake)
    set(optimisation -O0) # spin finds it so soon that an optimising compiler would take longer
endif()
set(flags ${optimisation} -w -DSAFETY -DNOREDUCE -DVECTORSZ=2048)
if(search STREQUAL "sampled")
    list(APPEND flags -DBITSTATE)
    set(options -w32 -k3 -m1000000)
else()
    list(APPEND flags -DMEMLIM=${memory_mb}) # not -DCOLLAPSE: 700 MB for the largest, which pan searches in two thirds of the time
    set(options -m100000)
endif()
run("cc" ${cc} ${flags} -o pan pan.c)
run("pan" ./pan -E ${options}) # -E: a process that waits for ever is no error here; init says when it may

string(REGEX MATCH "errors: ([0-9]+)" found "${output}")
set(errors "${CMAKE_MATCH_1}")
string(REGEX MATCH "([0-9.e+]+) states, stored" stored "${output}")
string(REGEX MATCH "assertion violated[^\n]*" broken "${output}")
if(NOT found OR output MATCHES "memory limit|out of memory|max search depth too small|Search not completed" AND NOT broken)
    message(FATAL_ERROR "the search did not come to its end:\n${output}")
endif()

if(mistake)
    if(NOT broken)
        message(FATAL_ERROR "the mistake ${mistake} was not found in ${stored}:\n${output}")
    endif()
    message(STATUS "found ${mistake}: ${broken} (${stored})")
elseif(errors GREATER 0)
    # For a reader: the steps that lead to the error, without the tests of conditions that were false.
    get_filename_component(name ${model} NAME)
    file(COPY ${model} DESTINATION ${scratch})
    execute_process(COMMAND ${spin} -t -p -g ${definitions} ${name} WORKING_DIRECTORY ${scratch} OUTPUT_FILE trail.txt ERROR_VARIABLE ignored)
    message(FATAL_ERROR "${broken} (bounds ${bounds}); the steps that lead there are in ${scratch}/trail.txt")
else()
    message(STATUS "holds: ${stored}, bounds ${bounds}")
    file(REMOVE_RECURSE ${scratch})
endif()
