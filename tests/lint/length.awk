# awk -f length.awk FILE...: no file has more than 400 lines; a longer one has a second job. Prints each that has.
FNR == 401 {
    print FILENAME ": more than 400 lines"
    found = 1
}
END { exit found }
