//! libFuzzer's entry to `fuzz::reply`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::reply::check(data));
