#!/usr/bin/env bash
# Makes the compiler's profile of the binding: what it inlines, and what it lays side by side, follows from what real
# requests run. `make profile` after a change of src/ that matters for speed; a build without a fitting profile is right, too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

PROFILE=src/py/requests.profdata
WORK=$PWD/target/profile
export CARGO_TARGET_DIR=$WORK/build

# What reads the counts has to be as new as LLVM 19; its later versions have read this compiler's so far.
tool=$(echo "$(rustc --print sysroot)"/lib/rustlib/*/bin/llvm-profdata)
if [ ! -x "$tool" ]; then
    tests/install.sh llvm-profdata-19 llvm-19
    tool=llvm-profdata-19
fi

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
"$tool" merge --sparse --output "$PROFILE" "$WORK"/counts/*.profraw
ls -l "$PROFILE"
