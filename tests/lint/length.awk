# awk -f length.awk FILE...: no file has more than 400 lines; a longer one has a second job. No line has more than 132 columns, but
# one that is a single string, which #error takes whole. Prints each that has.
FNR == 401 {
    print FILENAME ": more than 400 lines"
    found = 1
}
length($0) > 132 && !/^ *"[^"]*"$/ {
    columns = $0
    gsub(/[\200-\277]/, "", columns) # the other bytes of a letter
    if (length(columns) > 132) {
        print FILENAME ":" FNR ": more than 132 columns"
        found = 1
    }
}
END { exit found }
