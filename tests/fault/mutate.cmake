# Writes a copy of one source of the library with one deliberate mistake in it:
#
#   cmake -D mutation=FILE -D root=SOURCE_DIR -D output=FILE -P mutate.cmake
#
# A mutation is a text file: a sentence that says what is wrong; "file: PATH"; then, once or more, "--- instead of" and lines of that
# source, and "--- put" and the lines that take their place. It is an error if the source does not have the lines exactly once, so a
# mutation cannot outlive the code that it is about.
file(READ "${mutation}" text)
if(NOT text MATCHES "\nfile: ([^\n]+)\n--- instead of\n")
    message(FATAL_ERROR "${mutation}: no 'file: PATH' followed by '--- instead of'")
endif()
set(source "${root}/${CMAKE_MATCH_1}")
file(READ "${source}" code)

string(FIND "${text}" "--- instead of\n" from)
while(from GREATER_EQUAL 0)
    math(EXPR from "${from} + 15")
    string(SUBSTRING "${text}" ${from} -1 text)
    string(FIND "${text}" "--- put\n" put)
    if(put LESS 0)
        message(FATAL_ERROR "${mutation}: no '--- put' after '--- instead of'")
    endif()
    string(SUBSTRING "${text}" 0 ${put} original)
    math(EXPR put "${put} + 8")
    string(SUBSTRING "${text}" ${put} -1 text)
    string(FIND "${text}" "--- instead of\n" from)
    string(SUBSTRING "${text}" 0 ${from} replacement) # all that is left after the last one
    string(REGEX REPLACE "\n$" "" original "${original}") # the lines may stand inside of a line of the source
    string(REGEX REPLACE "\n$" "" replacement "${replacement}")

    string(REPLACE "${original}" "${replacement}" mutated "${code}")
    string(LENGTH "${code}" before)
    string(LENGTH "${mutated}" after)
    string(LENGTH "${original}" removed)
    string(LENGTH "${replacement}" added)
    math(EXPR expected "${before} - ${removed} + ${added}")
    if(mutated STREQUAL code OR NOT after EQUAL expected)
        message(FATAL_ERROR "${mutation}: ${source} does not have these lines exactly once:\n${original}")
    endif()
    set(code "${mutated}")
endwhile()
file(WRITE "${output}" "${code}")
