//! JSON as msgspec writes it, against `serde_json`, which escapes the same characters.

#![allow(clippy::unwrap_used)]

use flask_session_rs::json_plain;
use proptest::prelude::*;

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

proptest! {
    #[test]
    fn strings(value in prop_oneof![any::<String>(), "[ -~]{0,40}", "[\\x00-\\x7f\"\\\\é漢]{0,40}"]) {
        let written = text(|out| json_plain::write_str(&value, out));
        prop_assert_eq!(written, serde_json::to_string(&value).unwrap());
    }

    #[test]
    fn floats_come_back(bits: u64) {
        let value = f64::from_bits(bits);
        let written = text(|out| json_plain::write_f64(value, out));
        if value.is_finite() {
            prop_assert_eq!(written.parse::<f64>().unwrap().to_bits(), bits);
            prop_assert!(!written.contains('+'));
        } else {
            prop_assert_eq!(written, "null");
        }
    }
}

#[test]
fn every_character() {
    for character in '\0'..'\u{300}' {
        for value in [
            character.to_string(),
            format!("1234567{character}"),
            format!("12345678{character}9"),
        ] {
            let written = text(|out| json_plain::write_str(&value, out));
            assert_eq!(written, serde_json::to_string(&value).unwrap());
        }
    }
}

#[test]
fn floats() {
    // What `msgspec.json.encode` gives.
    for (value, expected) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (0.1, "0.1"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e16"),
        (123_456_789_012_345_680.0, "1.2345678901234568e17"),
        (1e-5, "0.00001"),
        (1.5e-6, "1.5e-6"),
        (-1e22, "-1e22"),
        (5e-324, "5e-324"),
        (f64::MAX, "1.7976931348623157e308"),
        (f64::NAN, "null"),
        (f64::NEG_INFINITY, "null"),
    ] {
        assert_eq!(text(|out| json_plain::write_f64(value, out)), expected);
    }
    for (value, expected) in [
        (1.5, "\"1.5\""),
        (1e16, "\"1e16\""),
        (f64::NAN, "\"nan\""),
        (f64::INFINITY, "\"inf\""),
        (f64::NEG_INFINITY, "\"-inf\""),
    ] {
        assert_eq!(text(|out| json_plain::write_f64_key(value, out)), expected);
    }
}
