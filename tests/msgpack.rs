//! Msgpack: the widths that the format has, the narrowest written, any read, and never a byte beyond the end.

#![allow(clippy::unwrap_used)]

use flask_session_rs::msgpack::{self, MAX_DEPTH, Reader, Timestamp, Token};
use proptest::prelude::*;

/// One value and all the ways to write it.
#[derive(Clone, Debug)]
enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Str(Vec<u8>),
    Bin(Vec<u8>),
    Ext(i8, Vec<u8>),
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Nil => msgpack::write_nil(out),
        Value::Bool(value) => msgpack::write_bool(*value, out),
        Value::Int(value) => msgpack::write_i64(*value, out),
        Value::Uint(value) => msgpack::write_u64(*value, out),
        Value::Float(value) => msgpack::write_f64(*value, out),
        Value::Str(text) => msgpack::write_str(text, out).unwrap(),
        Value::Bin(bytes) => msgpack::write_bin(bytes, out).unwrap(),
        Value::Ext(kind, data) => msgpack::write_ext(*kind, data, out).unwrap(),
        Value::Array(items) => {
            msgpack::write_array(items.len(), out).unwrap();
            for item in items {
                write(item, out);
            }
        }
        Value::Map(entries) => {
            msgpack::write_map(entries.len(), out).unwrap();
            for (key, value) in entries {
                write(key, out);
                write(value, out);
            }
        }
    }
}

/// The widest form of everything.
fn write_wide(value: &Value, out: &mut Vec<u8>) {
    let len = |len: usize| u32::try_from(len).unwrap().to_be_bytes();
    match value {
        Value::Nil | Value::Bool(_) | Value::Float(_) => write(value, out),
        Value::Int(value) => {
            out.push(0xd3);
            out.extend(value.to_be_bytes());
        }
        Value::Uint(value) => {
            out.push(0xcf);
            out.extend(value.to_be_bytes());
        }
        Value::Str(text) => {
            out.push(0xdb);
            out.extend(len(text.len()));
            out.extend(text);
        }
        Value::Bin(bytes) => {
            out.push(0xc6);
            out.extend(len(bytes.len()));
            out.extend(bytes);
        }
        Value::Ext(kind, data) => {
            out.push(0xc9);
            out.extend(len(data.len()));
            out.extend(kind.to_be_bytes());
            out.extend(data);
        }
        Value::Array(items) => {
            out.push(0xdd);
            out.extend(len(items.len()));
            for item in items {
                write_wide(item, out);
            }
        }
        Value::Map(entries) => {
            out.push(0xdf);
            out.extend(len(entries.len()));
            for (key, value) in entries {
                write_wide(key, out);
                write_wide(value, out);
            }
        }
    }
}

fn agrees(value: &Value, reader: &mut Reader<'_>) {
    match (value, reader.value().unwrap()) {
        (Value::Nil, Token::Nil) => {}
        (Value::Bool(value), Token::Bool(read)) => assert_eq!(*value, read),
        (Value::Int(value), Token::Int(read)) => assert_eq!(*value, read),
        (Value::Uint(value), Token::Int(read)) => {
            assert_eq!(i64::try_from(*value).ok(), Some(read));
        }
        (Value::Uint(value), Token::Uint(read)) => {
            assert_eq!(*value, read);
            assert!(i64::try_from(read).is_err());
        }
        (Value::Float(value), Token::Float(read)) => assert_eq!(value.to_bits(), read.to_bits()),
        (Value::Str(text), Token::Str(read)) => assert_eq!(text, read),
        (Value::Bin(bytes), Token::Bin(read)) => assert_eq!(bytes, read),
        (Value::Ext(kind, data), Token::Ext(read_kind, read)) => {
            assert_eq!((*kind, &data[..]), (read_kind, read));
        }
        (Value::Array(items), Token::Array(read)) => {
            assert_eq!(items.len(), read);
            for item in items {
                agrees(item, reader);
            }
        }
        (Value::Map(entries), Token::Map(read)) => {
            assert_eq!(entries.len(), read);
            for (key, value) in entries {
                agrees(key, reader);
                agrees(value, reader);
            }
        }
        (value, token) => panic!("{value:?} was read as {token:?}"),
    }
}

fn value() -> impl Strategy<Value = Value> {
    let bytes = || {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            prop::collection::vec(any::<u8>(), 250..260),
            (65_530_usize..65_540).prop_map(|len| vec![7; len]),
        ]
    };
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (any::<i64>(), 0_u32..64).prop_map(|(value, shift)| Value::Int(value >> shift)),
        any::<u64>().prop_map(Value::Uint),
        any::<f64>().prop_map(Value::Float),
        bytes().prop_map(Value::Str),
        bytes().prop_map(Value::Bin),
        (any::<i8>(), bytes()).prop_map(|(kind, data)| Value::Ext(kind, data)),
    ];
    leaf.prop_recursive(4, 60, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::Array),
            prop::collection::vec((inner.clone(), inner), 0..20).prop_map(Value::Map),
        ]
    })
}

/// All tokens, as far as they can be read. Ends, since each takes a byte at least.
fn drain(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let mut left = bytes.len();
    while reader.value().is_some() {
        assert!(reader.rest().len() < left);
        left = reader.rest().len();
    }
}

proptest! {
    #[test]
    fn reads_what_is_written(value in value()) {
        for write in [write, write_wide] {
            let mut bytes = Vec::new();
            write(&value, &mut bytes);
            let mut reader = Reader::new(&bytes);
            agrees(&value, &mut reader);
            prop_assert!(reader.rest().is_empty());

            let end = bytes.len();
            bytes.extend_from_slice(b"\xc1more");
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.skip(), Some(&bytes[..end]));
            prop_assert_eq!(reader.rest(), b"\xc1more");
        }
    }

    #[test]
    fn nothing_less_is_a_value(value in value(), cut: prop::sample::Index) {
        let mut bytes = Vec::new();
        write(&value, &mut bytes);
        let cut = cut.index(bytes.len());
        prop_assert_eq!(Reader::new(&bytes[..cut]).skip(), None);
    }

    #[test]
    fn any_bytes(bytes: Vec<u8>) {
        drain(&bytes);
        let mut reader = Reader::new(&bytes);
        if let Some(skipped) = reader.skip() {
            prop_assert_eq!([skipped, reader.rest()].concat(), bytes);
        }
    }

    #[test]
    fn a_changed_byte(value in value(), at: prop::sample::Index, byte: u8) {
        let mut bytes = Vec::new();
        write(&value, &mut bytes);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        drain(&bytes);
        Reader::new(&bytes).skip();
    }

    #[test]
    fn moments(seconds: i64, shift in 0_u32..64, nanoseconds in 0_u32..1_000_000_000) {
        let moment = Timestamp { seconds: seconds >> shift, nanoseconds };
        let mut bytes = Vec::new();
        msgpack::write_timestamp(moment, &mut bytes);
        let Some(Token::Ext(kind, data)) = Reader::new(&bytes).value() else { panic!() };
        prop_assert_eq!(Timestamp::read(kind, data), Some(moment));
    }
}

#[test]
fn narrowest_integers() {
    // What `msgspec.msgpack.encode` gives.
    for (value, bytes) in [
        (0, &[0x00][..]),
        (127, &[0x7f]),
        (128, &[0xcc, 0x80]),
        (255, &[0xcc, 0xff]),
        (256, &[0xcd, 1, 0]),
        (0xffff, &[0xcd, 0xff, 0xff]),
        (0x1_0000, &[0xce, 0, 1, 0, 0]),
        (0xffff_ffff, &[0xce, 0xff, 0xff, 0xff, 0xff]),
        (0x1_0000_0000, &[0xcf, 0, 0, 0, 1, 0, 0, 0, 0]),
        (
            i64::MAX,
            &[0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ),
        (-1, &[0xff]),
        (-32, &[0xe0]),
        (-33, &[0xd0, 0xdf]),
        (-128, &[0xd0, 0x80]),
        (-129, &[0xd1, 0xff, 0x7f]),
        (-32768, &[0xd1, 0x80, 0]),
        (-32769, &[0xd2, 0xff, 0xff, 0x7f, 0xff]),
        (-(1 << 31), &[0xd2, 0x80, 0, 0, 0]),
        (
            -(1 << 31) - 1,
            &[0xd3, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff],
        ),
        (i64::MIN, &[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0]),
    ] {
        let mut out = Vec::new();
        msgpack::write_i64(value, &mut out);
        assert_eq!(out, bytes, "{value}");
    }
}

#[test]
fn narrowest_moments() {
    for (seconds, nanoseconds, bytes) in [
        (0, 0, &[0xd6, 0xff, 0, 0, 0, 0][..]),
        (0xffff_ffff, 0, &[0xd6, 0xff, 0xff, 0xff, 0xff, 0xff]),
        (0x1_0000_0000, 0, &[0xd7, 0xff, 0, 0, 0, 1, 0, 0, 0, 0]),
        (1, 1000, &[0xd7, 0xff, 0, 0, 0x0f, 0xa0, 0, 0, 0, 1]),
        (
            1 << 34,
            0,
            &[0xc7, 12, 0xff, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0],
        ),
        (
            -1,
            1000,
            &[
                0xc7, 12, 0xff, 0, 0, 3, 0xe8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            ],
        ),
    ] {
        let mut out = Vec::new();
        let moment = Timestamp {
            seconds,
            nanoseconds,
        };
        msgpack::write_timestamp(moment, &mut out);
        assert_eq!(out, bytes, "{moment:?}");
    }
    // Other kinds and lengths, and too many nanoseconds.
    assert_eq!(Timestamp::read(-2, &[0; 4]), None);
    for length in 0..20 {
        let read = Timestamp::read(-1, &vec![0; length]);
        assert_eq!(read.is_some(), [4, 8, 12].contains(&length), "{length}");
    }
    assert_eq!(Timestamp::read(-1, &[0xff; 8]), None);
    assert_eq!(Timestamp::read(-1, &[0xff; 12]), None);
}

#[test]
fn lengths_that_the_input_only_claims() {
    for bytes in [
        &b"\xdd\xff\xff\xff\xff\x01"[..],
        b"\xdf\xff\xff\xff\xff\x01\x01",
        b"\xdb\xff\xff\xff\xffa",
        b"\xc6\xff\xff\xff\xffa",
        b"\xc9\xff\xff\xff\xff\x01a",
        b"\xdc\x00\x03\x01\x01",
        b"\x82\x01\x01\x01",
        b"\xc1",
        b"",
    ] {
        assert_eq!(Reader::new(bytes).value(), None, "{bytes:?}");
        assert_eq!(Reader::new(bytes).skip(), None, "{bytes:?}");
    }
}

#[test]
fn nesting_has_an_end() {
    for depth in [1, 100, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 1_000_000] {
        let mut bytes = vec![0x91; depth];
        bytes.push(0x01);
        assert_eq!(
            Reader::new(&bytes).skip().is_some(),
            depth <= MAX_DEPTH,
            "{depth}"
        );
    }
}

#[test]
fn the_width_of_a_map_with_room() {
    for (entries, room, bytes) in [
        (3, 15, &[0x83][..]),
        (3, 16, &[0xde, 0, 3]),
        (300, 0xffff, &[0xde, 1, 44]),
        (3, 0x1_0000, &[0xdf, 0, 0, 0, 3]),
    ] {
        let mut out = Vec::new();
        msgpack::write_map_as(entries, room, &mut out).unwrap();
        assert_eq!(out, bytes, "{entries} {room}");
    }
}

#[test]
fn what_the_writers_made_is_minimal_and_nothing_wider_is() {
    let minimal: [&[u8]; 14] = [
        b"\x00",
        b"\x7f",
        b"\xff",
        b"\xe0",
        b"\xcc\x80",
        b"\xcd\x01\x00",
        b"\xce\x00\x01\x00\x00",
        b"\xcf\x00\x00\x00\x01\x00\x00\x00\x00",
        b"\xd0\xdf",
        b"\xd1\xff\x7f",
        b"\xd2\xff\xff\x7f\xff",
        b"\xd3\xff\xff\xff\xff\x7f\xff\xff\xff",
        b"\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00",
        b"\x81\xa1a\x91\xc0",
    ];
    for bytes in minimal {
        assert!(msgpack::is_minimal(bytes), "{}", bytes.escape_ascii());
    }
    let wider: [&[u8]; 16] = [
        b"\xcc\x7f",
        b"\xcd\x00\xff",
        b"\xce\x00\x00\xff\xff",
        b"\xcf\x00\x00\x00\x00\xff\xff\xff\xff",
        b"\xd0\xe0",
        b"\xd0\x01",
        b"\xd1\xff\x80",
        b"\xd2\xff\xff\x80\x00",
        b"\xd3\xff\xff\xff\xff\x80\x00\x00\x00",
        b"\xca\x3f\x80\x00\x00",
        b"\xd9\x01a",
        b"\xda\x00\x01a",
        b"\xc5\x00\x01a",
        b"\xdc\x00\x01\xc0",
        b"\xde\x00\x01\xa1a\xc0",
        b"\xd6\xff\x00\x00\x00\x01",
    ];
    for bytes in wider {
        assert!(!msgpack::is_minimal(bytes), "{}", bytes.escape_ascii());
        assert!(
            !msgpack::is_minimal(&[b"\x92\x01", bytes].concat()),
            "{}",
            bytes.escape_ascii()
        );
    }
    assert!(!msgpack::is_minimal(b"\xc1"));
    assert!(!msgpack::is_minimal(b"\xa5abc"));
}
