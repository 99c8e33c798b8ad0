//! The vectors that Flask's libraries answered, read for the tests.

use serde_json::Value;

/// The rows of `tests/vectors/<name>.json`, which `tests/vectors/make.py` wrote.
pub(crate) fn vectors(name: &str) -> Value {
    let path = format!("{}/tests/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A value that the vectors hold as a string.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Bytes that the vectors hold in hex.
#[allow(dead_code)] // Each test file is a crate of its own, and not all of them need it.
pub(crate) fn unhex(value: &Value) -> Vec<u8> {
    let digits = text(value);
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}
