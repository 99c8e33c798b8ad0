#!/bin/sh
# Sees to it that there is such a command, from Debian's package of the same name or another one:
# `tests/install.sh redis-server`, `tests/install.sh llvm-profdata-19 llvm-19`.
# Installs it where that is allowed, else says how, and fails.
set -u
package=${2-$1}
command -v "$1" >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "$1 is missing: installing it with apt-get" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get install --yes --quiet "$package" >/dev/null 2>&1 ||
        { apt-get update --quiet >/dev/null 2>&1 && apt-get install --yes --quiet "$package" >/dev/null; }
fi
command -v "$1" >/dev/null 2>&1 && exit 0
echo "$1 is missing: install it, for example with 'apt-get install $package'" >&2
exit 1
