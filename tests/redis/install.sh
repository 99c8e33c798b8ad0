#!/bin/sh
# Sees to it that there is a redis-server: installs it where that is allowed, else says how, and fails.
set -u
command -v redis-server >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "redis-server is missing: installing it with apt-get" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get install --yes --quiet redis-server >/dev/null 2>&1 ||
        { apt-get update --quiet >/dev/null 2>&1 && apt-get install --yes --quiet redis-server >/dev/null; }
fi
command -v redis-server >/dev/null 2>&1 && exit 0
echo "redis-server (6.2 or newer) is missing: install it, for example with 'apt-get install redis-server'" >&2
exit 1
