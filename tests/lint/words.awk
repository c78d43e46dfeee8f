# awk -f words.awk FILE...: the words of comments, tests' names, messages and pages (docs/architecture.md has the glossary).
#
#   - A sentence names its subject: none begins with who, whoever, whose, what or likewise, and none says he, his or him.
#   - A comment stands alone: none says likewise.
#   - A test's name stands alone in a list: it does not begin with a word that leans on the test before it.
#   - One word for one thing: the glossary's.
#
# Prints each finding with its place; ends with 1 if there is any.

BEGIN {
    start   = "^[ *]*(Who|Whoever|Whose|Whom|What|Whatever|Likewise|And|Nor|So do|So does)[ ,:;]"
    inside  = "[.:;!?] +(Who|Whoever|Whose|Whom|What|Whatever|Likewise|Nor) [^?]*$"
    pronoun = "(^|[^A-Za-z_'`\"])([Ww]hoever|[Ww]homever|[Ll]ikewise|[Hh]e|[Hh]is|[Hh]im|[Hh]imself|[Ss]omebody's|oneself|one's own)([^A-Za-z_0-9'`\"]|$)"
    old     = "(^|[^A-Za-z_])([Ll]ease lock|[Ll]ease|[Tt]enant|[Tt]enants|[Tt]enancy|[Hh]eir|[Hh]eirs|bequeath|[Oo]verseer)([^A-Za-z_]|$)"
    name    = "^(nor|also|likewise|and|or|so|so do|so does|the same|who|whoever|whose|what|whatever|it|they|then|but) "
}

function finding(text) {
    sub(/^ +/, "", text)
    print FILENAME ":" FNR ": " text
    found = 1
}

function prose(text) { return text ~ start || text ~ inside || text ~ pronoun || text ~ old }

FILENAME ~ /\.(hpp|cpp|h)$/ {
    line = $0
    at = match(line, /\/\/+[!<]* ?/)
    if (at && substr(line, at - 1, 1) != ":") {
        comment = substr(line, at + RLENGTH)
        # Only the first line of a comment can begin a sentence at its start.
        text = comment
        if (was_comment) sub(/^/, "~", text)
        if (prose(text)) finding(line)
        was_comment = line ~ /^ *\/\//
        line = substr(line, 1, at - 1)
    } else was_comment = 0
    if (match(line, /TEST_CASE\("[^"]*"/)) {
        title = substr(line, RSTART + 11, RLENGTH - 12)
        if (title ~ name || title ~ pronoun || title ~ old) finding($0)
    } else if (match(line, /"[^"]* [^"]*"/)) {
        message = substr(line, RSTART + 1, RLENGTH - 2)
        if (message ~ /^(Who|Whoever|What|Likewise) / || message ~ pronoun || message ~ old) finding($0)
    }
    next
}

FILENAME ~ /\.md$/ {
    if ($0 ~ /^(    |```)/) next
    text = $0
    gsub(/`[^`]*`/, "", text)
    gsub(/\*[^*]+\*/, "", text) # the names of tests are checked where they stand
    sub(/^[-*#>|0-9. ]+/, "", text)
    if (text ~ pronoun || text ~ old || text ~ /[.:;] +(Who|Whoever|Whose|What|Likewise) / || ($0 ~ /^([-*#|]|[0-9]+\.)/ && text ~ /^(Who|Whoever|Whose|Likewise) /)) finding($0)
    next
}

{ # scripts and CMake: comments only
    if (match($0, /(^|[ \t])# /)) {
        text = substr($0, RSTART + RLENGTH)
        if (was_comment) sub(/^/, "~", text)
        if (prose(text)) finding($0)
        was_comment = $0 ~ /^ *#/
    } else was_comment = 0
}

END { exit found }
