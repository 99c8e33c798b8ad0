#!/bin/sh
# Sees to it that there is a wrk: installs it where that is allowed, else says how, and fails.
set -u
command -v wrk >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "wrk is missing: installing it with apt-get" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get install --yes --quiet wrk >/dev/null 2>&1 ||
        { apt-get update --quiet >/dev/null 2>&1 && apt-get install --yes --quiet wrk >/dev/null; }
fi
command -v wrk >/dev/null 2>&1 && exit 0
echo "wrk (4.1 or newer) is missing: install it, for example with 'apt-get install wrk'" >&2
exit 1
