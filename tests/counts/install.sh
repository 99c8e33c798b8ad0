#!/bin/sh
# Sees to it that there is a valgrind: installs it where that is allowed, else says how, and fails.
set -u
command -v valgrind >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "valgrind is missing: installing it with apt-get" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get install --yes --quiet valgrind >/dev/null 2>&1 ||
        { apt-get update --quiet >/dev/null 2>&1 && apt-get install --yes --quiet valgrind >/dev/null; }
fi
command -v valgrind >/dev/null 2>&1 && exit 0
echo "valgrind is missing: install it, for example with 'apt-get install valgrind'" >&2
exit 1
