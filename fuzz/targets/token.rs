//! libFuzzer's entry to `fuzz::token`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::token::check(data));
