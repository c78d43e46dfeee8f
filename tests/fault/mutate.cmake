# Writes a copy of one source of the library with one deliberate mistake in it:
#
#   cmake -D mutation=FILE -D root=SOURCE_DIR -D output=FILE -P mutate.cmake
#
# A mutation is a text file: a sentence that says what is wrong; "file: PATH"; "--- instead of" and lines of that source;
# "--- put" and the lines that take their place. It is an error if the source does not have those lines exactly once, so a
# mutation cannot outlive the code that it is about.
file(READ "${mutation}" text)
if(NOT text MATCHES "\nfile: ([^\n]+)\n--- instead of\n")
    message(FATAL_ERROR "${mutation}: no 'file: PATH' followed by '--- instead of'")
endif()
set(source "${root}/${CMAKE_MATCH_1}")
string(FIND "${text}" "--- instead of\n" from)
string(FIND "${text}" "--- put\n" to)
math(EXPR from "${from} + 15")
math(EXPR length "${to} - ${from}")
math(EXPR to "${to} + 8")
string(SUBSTRING "${text}" ${from} ${length} original)
string(SUBSTRING "${text}" ${to} -1 replacement)
string(REGEX REPLACE "\n$" "" original "${original}") # the lines may stand inside of a line of the source
string(REGEX REPLACE "\n$" "" replacement "${replacement}")

file(READ "${source}" code)
string(REPLACE "${original}" "${replacement}" mutated "${code}")
string(LENGTH "${code}" before)
string(LENGTH "${mutated}" after)
string(LENGTH "${original}" removed)
string(LENGTH "${replacement}" added)
math(EXPR expected "${before} - ${removed} + ${added}")
if(mutated STREQUAL code OR NOT after EQUAL expected)
    message(FATAL_ERROR "${mutation}: ${source} does not have these lines exactly once:\n${original}")
endif()
file(WRITE "${output}" "${mutated}")
