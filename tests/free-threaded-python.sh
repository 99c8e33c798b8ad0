#!/bin/sh
# Builds a free-threaded CPython from Debian's source package: `tests/free-threaded-python.sh DIRECTORY`, about 8 minutes
# on two cores. The archive is the one that apt already uses; the compiler and the libraries have to be there.
set -eu
directory=$1
version=3.14.7
sum=3b48dac8fb59f62eaa67ac83c1eb12bda1b7a08406dd286e252c11a66be27f81
archive=python3.14_$version.orig.tar.xz
work=$directory.build

fetch() {
    # apt checks the sum.
    for site in $(apt-get indextargets --format '$(SITE)' | sort -u); do
        /usr/lib/apt/apt-helper download-file "$site/pool/main/p/python3.14/$archive" "$work/$archive" "SHA256:$sum" \
            >/dev/null 2>&1 && return
    done
    echo "no archive that apt uses has $archive: name a free-threaded CPython with FREE_THREADED=..." >&2
    exit 1
}

rm -rf "$work" "$directory"
mkdir -p "$work"
fetch
tar -C "$work" -xf "$work/$archive" --strip-components=1
cd "$work"
echo "building CPython $version without the GIL: the log is $work/log" >&2
{ ./configure --disable-gil --prefix="$directory" && make --jobs="$(nproc)" && make install; } >log 2>&1
# What pip and the tests import beyond the core; each is left out of a build without its library.
"$directory/bin/python3.14t" -c 'import ctypes, ssl, zlib' ||
    {
        rm -rf "$directory"
        echo "install the libraries' headers first: apt-get install libffi-dev libssl-dev zlib1g-dev" >&2
        exit 1
    }
rm -rf "$work"
