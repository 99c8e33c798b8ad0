//! Any JSON text: read as `serde_json` reads it or not at all, and what is read and written again reads the same.

use flask_session_rs::json::{self, Flag, decoded_size_bound, top_level_flag};
use flask_session_rs::json_plain;
use flask_session_rs::json_reader::{Next, Reader, Text, Token, unescape};
use serde_json::Value as Other;

/// Nesting that is compared: `serde_json` ends at 128.
const DEPTH: usize = 100;

#[derive(Debug)]
enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Long(String),
    Float(f64),
    Str(String),
    Array(Vec<Value>),
    Object(Vec<(String, Value)>),
}

/// By bits: minus zero is not zero.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(two)) => one == two,
            (Self::Int(one), Self::Int(two)) => one == two,
            (Self::Long(one), Self::Long(two)) | (Self::Str(one), Self::Str(two)) => one == two,
            (Self::Float(one), Self::Float(two)) => one.to_bits() == two.to_bits(),
            (Self::Array(one), Self::Array(two)) => one == two,
            (Self::Object(one), Self::Object(two)) => one == two,
            _ => false,
        }
    }
}

/// The input is the text.
pub fn check(text: &[u8]) {
    let _ = decoded_size_bound(text);
    let flag = top_level_flag(text, "_permanent");
    let skipped = {
        let mut reader = Reader::new(text);
        reader.skip().is_some() && reader.is_at_end()
    };
    let Some(value) = read(text) else { return };
    assert!(skipped, "what is read can be skipped");
    if finite(&value) {
        let other = serde_json::from_slice::<Other>(text);
        assert!(
            other.is_ok_and(|other| same(&value, &other)),
            "another reader reads something else"
        );
        for writer in [Writer::Python, Writer::Plain] {
            let mut written = Vec::new();
            write(&value, writer, &mut written);
            assert_eq!(read(&written).as_ref(), Some(&value), "{writer:?}");
            let mut again = Vec::new();
            if let Some(value) = read(&written) {
                write(&value, writer, &mut again);
            }
            assert_eq!(again, written, "{writer:?}");
        }
    }
    if let Value::Object(entries) = &value {
        let last = entries.iter().rev().find(|(key, _)| key == "_permanent");
        let expected = match last {
            None => Flag::Absent,
            Some((_, Value::Bool(true))) => Flag::True,
            Some((_, Value::Bool(false))) => Flag::False,
            Some(_) => Flag::Unclear,
        };
        assert!(flag == expected || flag == Flag::Unclear, "{flag:?}");
    }
}

fn read(text: &[u8]) -> Option<Value> {
    let mut reader = Reader::new(text);
    let value = value(&mut reader, 0)?;
    reader.is_at_end().then_some(value)
}

fn value(reader: &mut Reader<'_>, depth: usize) -> Option<Value> {
    if depth > DEPTH {
        return None;
    }
    Some(match reader.value()? {
        Token::Null => Value::Null,
        Token::Bool(value) => Value::Bool(value),
        Token::Int(value) => Value::Int(value),
        Token::Long(digits) => Value::Long(digits.to_owned()),
        Token::Float(value) => Value::Float(value),
        Token::Str(value) => Value::Str(string(value)?),
        Token::Array => {
            let mut items = Vec::new();
            while let Next::One(()) = reader.item(items.len())? {
                items.push(value(reader, depth + 1)?);
            }
            Value::Array(items)
        }
        Token::Object => {
            let mut entries = Vec::new();
            while let Next::One(key) = reader.key(entries.len())? {
                entries.push((string(key)?, value(reader, depth + 1)?));
            }
            Value::Object(entries)
        }
    })
}

fn string(text: Text<'_>) -> Option<String> {
    match text {
        Text::Ascii(text) => {
            assert!(text.is_ascii());
            String::from_utf8(text.to_vec()).ok()
        }
        Text::Unicode(text) => Some(text.to_owned()),
        Text::Escaped(raw) => {
            let mut text = String::new();
            unescape(raw, &mut text)?;
            Some(text)
        }
    }
}

/// Whether all floats are: beyond them Python and `serde_json` part.
fn finite(value: &Value) -> bool {
    match value {
        Value::Float(value) => value.is_finite(),
        // It has no end in Python, and becomes a float in the other.
        Value::Long(digits) => digits.len() < 300,
        Value::Array(items) => items.iter().all(finite),
        Value::Object(entries) => entries.iter().all(|(_, value)| finite(value)),
        _ => true,
    }
}

fn same(value: &Value, other: &Other) -> bool {
    match (value, other) {
        (Value::Null, Other::Null) => true,
        (Value::Bool(one), Other::Bool(two)) => one == two,
        (Value::Int(0), two) => two.as_f64() == Some(0.0),
        (Value::Int(one), two) => two.as_i64() == Some(*one),
        (Value::Long(digits), two) => digits.parse().ok() == two.as_f64(),
        (Value::Float(one), two) => two.as_f64().map(f64::to_bits) == Some(one.to_bits()),
        (Value::Str(one), Other::String(two)) => one == two,
        (Value::Array(one), Other::Array(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| same(one, two))
        }
        // Of the same key twice, the last value counts.
        (Value::Object(one), Other::Object(two)) => {
            let last = |key| one.iter().rev().find(|(other, _)| other == key);
            one.iter().all(|(key, _)| two.contains_key(key))
                && two
                    .iter()
                    .all(|(key, two)| last(key).is_some_and(|(_, one)| same(one, two)))
        }
        _ => false,
    }
}

/// Whose text is written.
#[derive(Clone, Copy, Debug)]
enum Writer {
    /// ASCII, as Flask's serializer has it.
    Python,
    /// As msgspec has it.
    Plain,
}

fn write(value: &Value, writer: Writer, out: &mut Vec<u8>) {
    let write_str = match writer {
        Writer::Python => json::write_str,
        Writer::Plain => json_plain::write_str,
    };
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(value) => json::write_i64(*value, out),
        Value::Long(digits) => out.extend_from_slice(digits.as_bytes()),
        Value::Float(value) => match writer {
            Writer::Python => json::write_f64(*value, out),
            Writer::Plain => json_plain::write_f64(*value, out),
        },
        Value::Str(text) => write_str(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(item, writer, out);
            }
            out.push(b']');
        }
        Value::Object(entries) => {
            out.push(b'{');
            for (at, (key, value)) in entries.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_str(key, out);
                out.push(b':');
                write(value, writer, out);
            }
            out.push(b'}');
        }
    }
}
