//! The JSON reader agrees with `serde_json` on what it reads, and reads all that Python's encoder writes.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use flask_session_rs::json_reader::{Next, Reader, Text, Token, unescape};
use proptest::prelude::*;
use serde_json::Value;

fn text(text: Text<'_>) -> Option<String> {
    match text {
        Text::Ascii(text) => {
            assert!(text.is_ascii());
            Some(String::from_utf8(text.to_vec()).unwrap())
        }
        Text::Unicode(text) => Some(text.to_owned()),
        Text::Escaped(raw) => {
            let mut text = String::new();
            unescape(raw, &mut text)?;
            Some(text)
        }
    }
}

fn value(reader: &mut Reader<'_>) -> Option<Value> {
    Some(match reader.value()? {
        Token::Null => Value::Null,
        Token::Bool(value) => value.into(),
        Token::Int(value) => value.into(),
        // Python's integers have no end.
        Token::Long(_) => return None,
        // serde_json refuses what Python reads as infinite.
        Token::Float(value) if value.is_infinite() => return None,
        Token::Float(value) => value.into(),
        Token::Str(value) => text(value)?.into(),
        Token::Array => {
            let mut items = Vec::new();
            while let Next::One(()) = reader.item(items.len())? {
                items.push(value(reader)?);
            }
            items.into()
        }
        Token::Object => {
            let mut entries = serde_json::Map::new();
            let mut index = 0;
            while let Next::One(key) = reader.key(index)? {
                entries.insert(text(key)?, value(reader)?);
                index += 1;
            }
            entries.into()
        }
    })
}

fn read(json: &[u8]) -> Option<Value> {
    let mut reader = Reader::new(json);
    let value = value(&mut reader)?;
    reader.is_at_end().then_some(value)
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-999_999_999_999_999_999_i64..=999_999_999_999_999_999).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~]{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// With every character beyond ASCII escaped, as Python's encoder does.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").unwrap();
            }
        }
    }
    out
}

proptest! {
    #[test]
    fn reads_what_is_written(value in json()) {
        let text = serde_json::to_string(&value).unwrap();
        prop_assert_eq!(read(text.as_bytes()), Some(value.clone()));
        prop_assert_eq!(read(escaped(&text).as_bytes()), Some(value.clone()));
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(read(format!(" \t{pretty}\r\n").as_bytes()), Some(value));
    }

    #[test]
    fn never_reads_more_than_json(bytes: Vec<u8>) {
        if let Some(value) = read(&bytes) {
            prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).ok(), Some(value));
        }
    }

    #[test]
    fn never_reads_more_than_json_from_its_own_characters(text in r#"[\[\]{},:" \\u0-9a-f.eE+\-]{0,24}"#) {
        if let Some(value) = read(text.as_bytes()) {
            prop_assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(value));
        }
    }

    #[test]
    fn a_changed_byte_is_read_as_json_or_not_at_all(value in json(), at: prop::sample::Index, byte: u8) {
        let mut text = serde_json::to_vec(&value).unwrap();
        let at = at.index(text.len());
        text[at] = byte;
        if let Some(value) = read(&text) {
            prop_assert_eq!(serde_json::from_slice::<Value>(&text).ok(), Some(value));
        }
    }

    #[test]
    fn strings_end_at_their_quote(before in "[ !#-\\[\\]-~]{0,20}", after in "[ -~]{0,20}") {
        let text = format!("\"{before}\"{after}");
        let mut reader = Reader::new(text.as_bytes());
        prop_assert_eq!(reader.value(), Some(Token::Str(Text::Ascii(before.as_bytes()))));
        prop_assert_eq!(reader.is_at_end(), after.trim().is_empty());
    }
}

#[test]
fn what_another_decoder_has_to_read() {
    for text in [
        "",
        " ",
        "1234567890123456789",
        "01",
        "-",
        "-a",
        "1.",
        "1.e5",
        "1e",
        "1e+",
        ".5",
        "+1",
        "NaN",
        "Infinity",
        "-Infinity",
        "nul",
        "truee",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1",
        "[",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{\"a\":}",
        "{a:1}",
        "{1:2}",
        "{\"a\":1",
        "\"",
        "\"a",
        "\"\\",
        "\"\\\"",
        "\"\u{1f}\"",
        "\"a\n\"",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\u+123\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\\ud800\"",
        "1 2",
        "{} {}",
        "[1]]",
    ] {
        assert_eq!(read(text.as_bytes()), None, "{text}");
    }
    assert_eq!(read(b"\"\xff\""), None);
    assert_eq!(read(b"\"\\\xff\""), None);
}

#[test]
fn numbers_are_the_nearest() {
    assert_eq!(read(b"-0"), Some(0.into()));
    assert_eq!(
        read(b"999999999999999999"),
        Some(999_999_999_999_999_999_i64.into())
    );
    assert_eq!(read(b"0.1e1"), Some(1.0.into()));
    assert_eq!(read(b"5e-324"), Some(5e-324.into()));
    let mut reader = Reader::new(b"-0.0");
    assert!(
        matches!(reader.value(), Some(Token::Float(zero)) if zero == 0.0 && zero.is_sign_negative())
    );
    let mut reader = Reader::new(b"1e999");
    assert_eq!(reader.value(), Some(Token::Float(f64::INFINITY)));
}
