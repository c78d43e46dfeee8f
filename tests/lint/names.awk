# awk -f names.awk FILE...: each name that a source file takes over, by `using one::name;` or `namespace name = one;`, occurs in it
# again. clang-tidy's misc-unused-using-decls and misc-unused-alias-decls find these too, but only in a source that is compiled alone.
# Prints each name that does not; ends with 1 if there is any.

# uses[word]: the lines of the file that have the word
function tell(    name) {
    for (name in taken) {
        if (uses[name] > 1) continue
        print file ":" taken[name] ": " name " is not used"
        found = 1
    }
    delete taken
    delete uses
}

FNR == 1 {
    if (file != "") tell()
    file = FILENAME
}

{
    line = $0
    sub(/\/\/.*/, "", line)
    if (line ~ /^ *using (::)?[A-Za-z_0-9:]+::[A-Za-z_0-9]+;/) {
        name = line
        sub(/;.*/, "", name)
        sub(/.*::/, "", name)
        taken[name] = FNR
    } else if (line ~ /^ *namespace [A-Za-z_0-9]+ = /) {
        split(line, words, " ")
        taken[words[2]] = FNR
    }
    count = split(line, words, /[^A-Za-z_0-9]+/)
    for (i = 1; i <= count; ++i) in_line[words[i]] = 1
    for (word in in_line) ++uses[word]
    delete in_line
}

END {
    tell()
    exit found
}
