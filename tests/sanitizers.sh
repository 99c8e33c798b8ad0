#!/usr/bin/env bash
# The Rust tests under AddressSanitizer (with LeakSanitizer) and under ThreadSanitizer: `make sanitize`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=$(rustc -vV | sed -n 's/^host: //p')
libraries=$(rustc --print target-libdir)
# The flags are unstable. The stable compiler takes them when it is told so, and brings the runtimes on Linux.
export RUSTC_BOOTSTRAP=1
# Instrumented code is slow: what has to end soon after its deadline is given more time (tests/common/acceptance.rs).
export SANITIZED=1

# has NAME RUNTIME: whether the toolchain brings it.
has() {
    compgen -G "$libraries/librustc-*_rt.$2.a" >/dev/null && return
    echo "$1: not run. $(rustc -V) has no librustc-*_rt.$2.a for $target; the toolchains for Linux on x86-64 and ARM64 have it." >&2
    return 1
}

# tests RUNTIME FLAGS ARGUMENTS...: cargo test. With a target named, build scripts and macros stay as they are.
tests() {
    local runtime=$1 flags=$2
    shift 2
    CARGO_TARGET_DIR=${SANITIZERS_DIR:-target}/$runtime RUSTFLAGS=$flags \
        cargo test --locked --no-default-features --target "$target" "$@"
}

missing=0
if has AddressSanitizer asan; then
    tests asan -Zsanitizer=address --lib --tests
else
    missing=1
fi
# ThreadSanitizer takes joins, channels and dropped Arcs for races unless the standard library is instrumented as well,
# for which its sources are compiled. To suppress all of those would hide the real ones.
if ! [ -e "$(rustc --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ]; then
    echo "ThreadSanitizer: not run. It takes the standard library's sources: rustup component add rust-src." >&2
elif has ThreadSanitizer tsan; then
    # Only tests with threads are of interest. die_after_fork=0: the children in tests/store_fork.rs go on.
    TSAN_OPTIONS="die_after_fork=0 ${TSAN_OPTIONS:-}" tests tsan -Zsanitizer=thread -Zbuild-std \
        --lib --test commit --test store --test store_fork --test store_faults --test store_proxy
else
    missing=1
fi
exit "$missing"
