# shellcheck shell=bash
# Installs Debian packages for the scripts: . tests/support/packages.sh; install_packages g++ cmake ...

say() { printf '\n== %s\n' "$*"; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Succeeds for any Boost that is new enough, also one that is not a package.
has_boost() {
    printf '#include <boost/version.hpp>\n#if BOOST_VERSION < 108100\n#error too old\n#endif\n' |
        c++ -E -x c++ - >/dev/null 2>&1
}

# Whether apt-get can install it: `apt-cache show` and `search` know also packages that are only named by others or only installed.
has_candidate() {
    LC_ALL=C apt-cache policy "$1" 2>/dev/null | grep -q '^  Candidate: [^(]'
}

# Installs the packages that are missing, and Boost. Without apt-get it trusts that all are there.
install_packages() { # package...
    local missing=() package
    if ! command -v apt-get >/dev/null; then
        say "packages: no apt-get here, trusting that these are there: $* libboost1.81-dev"
        return
    fi
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    has_boost || missing+=(libboost1.81-dev)
    if [ ${#missing[@]} -eq 0 ]; then
        say "packages: all there"
        return
    fi
    say "packages: installing ${missing[*]}"
    as_root apt-get update
    if ! has_candidate libboost1.81-dev; then
        missing=("${missing[@]/#libboost1.81-dev/libboost-dev}") # newer distributions have only newer ones
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"
}
