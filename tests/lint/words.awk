# awk -f words.awk FILE...: the words of comments, tests' names, messages and pages (docs/architecture.md has the glossary).
#
#   - A sentence names its subject: none begins with who, whoever, whose, what or likewise, and none says he, his or him.
#   - The actor is a process, a handle or a thread: not somebody, anybody, everybody or nobody.
#   - A comment stands alone: none says likewise.
#   - A test's name stands alone in a list, and a section's in its test: it does not begin with a word that leans on another one.
#   - One word for one thing: the glossary's. The accept queue and the standby queue are not called a line.
#
# Text in backticks is not checked (it names code), nor is text in quotes within a comment. Prints each finding with its place; ends
# with 1 if there is any.

BEGIN {
    start   = "^[ *]*([Ww]ho|[Ww]hoever|[Ww]hose|[Ww]hom|[Ww]hat|[Ww]hatever|[Ll]ikewise|And|[Nn]or|So do|So does)([ ,:;]|$)"
    inside  = "[.:;!?] +(Who|Whoever|Whose|Whom|What|Whatever|Likewise|Nor)( [^?]*$|$)"
    second  = "[:;] +(who|whoever|whose|whom|what|whatever|likewise)( [^?]*$|$)"
    pronoun = "(^|[^A-Za-z_'`\"])([Ww]hoever|[Ww]homever|[Ll]ikewise|[Hh]e|[Hh]is|[Hh]im|[Hh]imself|[Ss]omebody's|oneself|one's own)([^A-Za-z_0-9'`\"]|$)"
    actor   = "(^|[^A-Za-z_])([Ss]omebody|[Aa]nybody|[Ee]verybody|[Nn]obody)([^A-Za-z_]|$)"
    old     = "(^|[^A-Za-z_])([Ll]ease lock|[Ll]ease|[Tt]enant|[Tt]enants|[Tt]enancy|[Hh]eir|[Hh]eirs|bequeath|[Oo]verseer)([^A-Za-z_]|$)"
    queue   = "(^|[^A-Za-z_])((stands?|waits?|first|next|place|gets?|is|are) (in|into|out of) (the )?line|(leaves?|left|joins?) the line)([^A-Za-z_0-9]|$)"
    name    = "^(nor|also|likewise|and|or|so|so do|so does|the same|who|whoever|whose|what|whatever|it|they|then|but) "
}

FNR == 1 { was_comment = 0 }

function finding(text) {
    sub(/^ +/, "", text)
    print FILENAME ":" FNR ": " text
    found = 1
}

function words(text) { return text ~ pronoun || text ~ actor || text ~ old || text ~ queue }

function prose(text) {
    gsub(/`[^`]*`/, "X", text)
    gsub(/"[^"]*"/, "X", text)
    return text ~ start || text ~ inside || text ~ second || words(text)
}

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
    if (match(line, /(TEST_CASE|SECTION)\("[^"]*"/)) {
        title = substr(line, RSTART, RLENGTH - 1)
        sub(/^[A-Z_]*\("/, "", title)
        if (title ~ name || words(title)) finding($0)
    } else {
        while (match(line, /"[^"]*"/)) {
            message = substr(line, RSTART + 1, RLENGTH - 2)
            line = substr(line, RSTART + RLENGTH)
            if (message ~ / / && (message ~ /^(Who|Whoever|What|Likewise) / || words(message))) { finding($0); break }
        }
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
