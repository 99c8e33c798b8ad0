#!/usr/bin/env bash
# Makes the compiler's profile of the binding: what it inlines, and what it lays side by side, follows from what real
# requests run. `make profile` after a change of src/ that matters for speed; a build without a fitting profile is right, too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

PROFILE=src/py/requests.profdata
WORK=$PWD/target/profile
export CARGO_TARGET_DIR=$WORK/build

merge() {
    local tool
    # Any that reads what this compiler's runtime writes; LLVM changes that form every few years.
    for tool in "$(rustc --print sysroot)"/lib/rustlib/*/bin/llvm-profdata llvm-profdata-{30..19} llvm-profdata; do
        if command -v "$tool" >/dev/null && "$tool" merge --sparse --output "$PROFILE" "$@" 2>/dev/null; then
            return
        fi
    done
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && [ -z "${INSTALLED-}" ]; then
        apt-get update -qq && apt-get install -y -qq --no-install-recommends llvm-19 >/dev/null
        INSTALLED=1 merge "$@"
        return
    fi
    echo "llvm-profdata of LLVM 19 or newer is needed: rustup component add llvm-tools, or the package llvm-19" >&2
    return 1
}

rm -rf "$WORK/counts"
for python in "$@"; do
    about=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
    counted=$WORK/package
    rm -rf "$counted"
    mkdir -p "$counted"
    PYO3_PYTHON=$python cargo rustc --quiet --release --locked --features python --lib --crate-type cdylib -- \
        -Cprofile-generate="$WORK/counts"
    cp -r python/flask_session_rs "$counted/"
    cp "$CARGO_TARGET_DIR/release/libflask_session_rs.so" "$counted/flask_session_rs/_native$about"
    PYTHONPATH=$counted "$python" -m tests.benchmarks.train
done
merge "$WORK"/counts/*.profraw
ls -l "$PROFILE"
