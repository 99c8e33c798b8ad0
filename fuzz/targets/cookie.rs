//! libFuzzer's entry to `fuzz::cookie`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::cookie::check(data));
