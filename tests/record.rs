//! Records' differences, against dicts: what `apply` makes is what a dict would become.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use flask_session_rs::json_plain;
use flask_session_rs::msgpack;
use flask_session_rs::record::{
    Format, Permanent, Record, RecordError, difference, is_empty, permanence,
};
use proptest::prelude::*;

/// Entries with keys of few kinds, so that they meet.
type Entries = Vec<(Key, Value)>;

#[derive(Clone, Debug, PartialEq)]
enum Key {
    Str(String),
    Int(i64),
    Pair(i64, String),
    Nil,
}

#[derive(Clone, Debug, PartialEq)]
struct Value(i64);

/// How one encoder writes: the narrowest forms, or others.
#[derive(Clone, Copy, Debug)]
enum Style {
    Plain,
    Odd,
}

fn write_msgpack_key(key: &Key, style: Style, out: &mut Vec<u8>) {
    match (key, style) {
        (Key::Str(text), Style::Plain) => msgpack::write_str(text.as_bytes(), out).unwrap(),
        (Key::Str(text), Style::Odd) => {
            out.push(0xda);
            out.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
            out.extend(text.as_bytes());
        }
        (Key::Int(value), Style::Plain) => msgpack::write_i64(*value, out),
        #[allow(clippy::cast_precision_loss)]
        (Key::Int(value), Style::Odd) if value.abs() < 1 << 50 => {
            msgpack::write_f64(*value as f64, out);
        }
        (Key::Int(value), Style::Odd) => {
            out.push(0xd3);
            out.extend(value.to_be_bytes());
        }
        (Key::Pair(number, text), style) => {
            match style {
                Style::Plain => out.push(0x92),
                Style::Odd => out.extend([0xdd, 0, 0, 0, 2]),
            }
            write_msgpack_key(&Key::Int(*number), style, out);
            write_msgpack_key(&Key::Str(text.clone()), style, out);
        }
        (Key::Nil, _) => msgpack::write_nil(out),
    }
}

fn to_msgpack(entries: &Entries, style: Style) -> Vec<u8> {
    let mut out = Vec::new();
    match style {
        Style::Plain => msgpack::write_map(entries.len(), &mut out).unwrap(),
        Style::Odd => {
            out.push(0xdf);
            out.extend(u32::try_from(entries.len()).unwrap().to_be_bytes());
        }
    }
    for (key, value) in entries {
        write_msgpack_key(key, style, &mut out);
        msgpack::write_array(1, &mut out).unwrap();
        msgpack::write_i64(value.0, &mut out);
    }
    out
}

fn json_text(key: &Key) -> String {
    match key {
        Key::Str(text) => text.clone(),
        Key::Int(value) => value.to_string(),
        Key::Pair(number, text) => format!("{number},{text}"),
        Key::Nil => "null".to_owned(),
    }
}

fn to_json(entries: &Entries, style: Style) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(match style {
        Style::Plain => b"{",
        Style::Odd => b" \n{\t",
    });
    for (at, (key, value)) in entries.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        match style {
            Style::Plain => {
                json_plain::write_str(&json_text(key), &mut out);
                out.extend_from_slice(format!(":[{}]", value.0).as_bytes());
            }
            Style::Odd => {
                let mut text = String::from("\r\n \"");
                for unit in json_text(key).encode_utf16() {
                    write!(text, "\\u{unit:04X}").unwrap();
                }
                out.extend_from_slice(text.as_bytes());
                // The value's own bytes are to stay, so they are the same.
                out.extend_from_slice(format!("\" : [{}] ", value.0).as_bytes());
            }
        }
    }
    out.extend_from_slice(match style {
        Style::Plain => b"}",
        Style::Odd => b"}\t ",
    });
    out
}

fn to_bytes(entries: &Entries, format: Format, style: Style) -> Vec<u8> {
    match format {
        Format::MsgPack => to_msgpack(entries, style),
        Format::Json => to_json(entries, style),
    }
}

/// As a dict keeps entries: the first place of a key, the last value.
fn dict(entries: &Entries) -> Entries {
    let mut dict = Entries::new();
    for (key, value) in entries {
        match dict.iter_mut().find(|(other, _)| other == key) {
            Some(entry) => entry.1 = value.clone(),
            None => dict.push((key.clone(), value.clone())),
        }
    }
    dict
}

/// `current`, with what makes `new` out of `base` done to it.
fn merged(base: &Entries, new: &Entries, current: &Entries) -> Entries {
    let value = |dict: &Entries, key: &Key| {
        dict.iter()
            .find(|(other, _)| other == key)
            .map(|(_, value)| value.clone())
    };
    let mut merged = current.clone();
    merged.retain(|(key, _)| value(new, key).is_some() || value(base, key).is_none());
    let changed = new
        .iter()
        .filter(|(key, now)| value(base, key).as_ref() != Some(now));
    merged.extend(changed.cloned());
    dict(&merged)
}

/// Keys and values of a record, read back by the other half of the crate.
fn read(record: &[u8], format: Format) -> Vec<(Vec<u8>, Vec<u8>)> {
    let record = Record::parse(record).unwrap();
    assert_eq!(record.format(), format);
    record
        .entries()
        .map(|(key, value)| (key.to_vec(), value.to_vec()))
        .collect()
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        4 => "[a-f]".prop_map(Key::Str),
        1 => "\\PC{0,40}".prop_map(Key::Str),
        2 => (-3_i64..3).prop_map(Key::Int),
        1 => any::<i64>().prop_map(Key::Int),
        1 => (-1_i64..1, "[ab]").prop_map(|(number, text)| Key::Pair(number, text)),
        1 => Just(Key::Nil),
    ]
}

fn entries(room: std::ops::Range<usize>) -> impl Strategy<Value = Entries> {
    prop::collection::vec((key(), (0_i64..3).prop_map(Value)), room)
}

fn some_entries() -> impl Strategy<Value = Entries> {
    prop_oneof![entries(0..6), entries(10..60)]
}

/// In JSON some keys are the same text; one of them is enough.
fn distinct(entries: Entries, format: Format) -> Entries {
    match format {
        Format::MsgPack => entries,
        Format::Json => entries
            .into_iter()
            .filter(|(key, _)| matches!(key, Key::Str(text) if text.parse::<i64>().is_err() && text != "null"))
            .collect(),
    }
}

fn format() -> impl Strategy<Value = Format> {
    prop_oneof![Just(Format::MsgPack), Just(Format::Json)]
}

fn style() -> impl Strategy<Value = Style> {
    prop_oneof![Just(Style::Plain), Just(Style::Odd)]
}

proptest! {
    #[test]
    fn changes_are_those_of_dicts(
        base in some_entries(), new in some_entries(), current in some_entries(), format in format(),
        styles in [style(), style(), style()],
    ) {
        let [base, new, current] = [base, new, current].map(|entries| distinct(entries, format));
        let bytes = |entries, at: usize| to_bytes(entries, format, styles[at]);
        let (base_bytes, new_bytes, current_bytes) = (bytes(&base, 0), bytes(&new, 1), bytes(&current, 2));
        let (base_record, new_record) =
            (Record::parse(&base_bytes).unwrap(), Record::parse(&new_bytes).unwrap());
        let (base, new, current) = (dict(&base), dict(&new), dict(&current));
        prop_assert_eq!(base_record.len(), base.len());

        let changes = difference(&base_record, &new_record).unwrap();
        let expected = merged(&base, &new, &current);
        let applied = changes.apply(&current_bytes).unwrap();
        // Compared with the same entries written in one style, which every key is brought to by its meaning alone.
        let plain = to_bytes(&expected, format, Style::Plain);
        let expected_record = Record::parse(&plain).unwrap();
        let applied_record = Record::parse(&applied).unwrap();
        prop_assert!(difference(&applied_record, &expected_record).unwrap().is_empty());
        let values = |record: &Record<'_>| record.entries().map(|(_, value)| value.to_vec()).collect::<Vec<_>>();
        prop_assert_eq!(values(&applied_record), values(&expected_record));

        // On what it was made from, it gives what it was made for.
        let again = changes.apply(&base_bytes).unwrap();
        let again = Record::parse(&again).unwrap();
        prop_assert!(difference(&again, &new_record).unwrap().is_empty());
        let unchanged = difference(&base_record, &base_record).unwrap();
        prop_assert!(unchanged.is_empty());
    }

    #[test]
    fn nothing_changed_is_the_same_bytes(entries in some_entries(), format in format()) {
        let bytes = to_bytes(&dict(&distinct(entries, format)), format, Style::Plain);
        let record = Record::parse(&bytes).unwrap();
        let nothing = difference(&record, &record).unwrap();
        prop_assert_eq!(nothing.apply(&bytes), Ok(bytes.clone()));
    }

    #[test]
    fn any_bytes(bytes: Vec<u8>) {
        let parsed = Record::parse(&bytes);
        // It lets keys pass that no decoder takes.
        prop_assert!(parsed.is_err() || permanence(&bytes).is_some());
    }

    #[test]
    fn a_changed_byte(entries in some_entries(), format in format(), style in style(), at: prop::sample::Index, byte: u8) {
        let mut bytes = to_bytes(&distinct(entries, format), format, style);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let parsed = Record::parse(&bytes);
        prop_assert!(parsed.is_err() || permanence(&bytes).is_some());
        if let Ok(record) = parsed {
            let changes = difference(&record, &record).unwrap();
            let written = changes.apply(&bytes).unwrap();
            let written = Record::parse(&written).unwrap();
            prop_assert!(difference(&written, &record).unwrap().is_empty());
        }
    }

    #[test]
    fn looks_without_decoding(entries in some_entries(), flags in prop::collection::vec(0_usize..4, 0..3), format in format(), style in style()) {
        let entries = distinct(entries, format);
        let mut bytes = to_bytes(&entries, format, style);
        // Puts flags in front, of which the last one counts.
        let words: [(&[u8], &[u8]); 4] =
            [(&[0xc3], b"true"), (&[0xc2], b"false"), (&[1], b"1"), (&[0xc0], b"null")];
        for flag in flags.iter().rev() {
            bytes = with_flag(&bytes, format, words[*flag]);
        }
        let permanent = match flags.last() {
            None => Permanent::Absent,
            Some(0) => Permanent::True,
            Some(1) => Permanent::False,
            Some(_) => Permanent::Unclear,
        };
        prop_assert_eq!(permanence(&bytes), Some(permanent));
        prop_assert_eq!(is_empty(&bytes), entries.is_empty());
    }
}

fn with_flag(record: &[u8], format: Format, value: (&[u8], &[u8])) -> Vec<u8> {
    let rest = read_all(record, format);
    let mut out = Vec::new();
    match format {
        Format::MsgPack => {
            msgpack::write_map(rest.len() + 1, &mut out).unwrap();
            msgpack::write_str(b"_permanent", &mut out).unwrap();
            out.extend_from_slice(value.0);
            for (key, value) in rest {
                out.extend_from_slice(&key);
                out.extend_from_slice(&value);
            }
        }
        Format::Json => {
            out.extend_from_slice(b"{\"\\u005fpermanent\":");
            out.extend_from_slice(value.1);
            for (key, value) in rest {
                out.push(b',');
                out.extend_from_slice(&key);
                out.push(b':');
                out.extend_from_slice(&value);
            }
            out.push(b'}');
        }
    }
    out
}

/// Every entry, those of the same key too.
fn read_all(record: &[u8], format: Format) -> Vec<(Vec<u8>, Vec<u8>)> {
    use flask_session_rs::json_reader::{self, Next};
    let mut entries = Vec::new();
    match format {
        Format::MsgPack => {
            let mut reader = msgpack::Reader::new(record);
            let Some(msgpack::Token::Map(count)) = reader.value() else {
                panic!()
            };
            for _ in 0..count {
                entries.push((
                    reader.skip().unwrap().to_vec(),
                    reader.skip().unwrap().to_vec(),
                ));
            }
        }
        Format::Json => {
            let mut reader = json_reader::Reader::new(record);
            reader.value().unwrap();
            while let Next::One((_, key)) = reader.raw_key(entries.len()).unwrap() {
                entries.push((key.to_vec(), reader.skip().unwrap().to_vec()));
            }
        }
    }
    entries
}

#[test]
fn keys_that_are_equal_in_python() {
    // Each row is one key, as often as it is written differently. What Python says is in the order of a dict.
    let rows: [&[&[u8]]; 8] = [
        &[
            b"\xa1a",
            b"\xd9\x01a",
            b"\xda\x00\x01a",
            b"\xdb\x00\x00\x00\x01a",
        ],
        &[
            b"\x01",
            b"\xcc\x01",
            b"\xd3\0\0\0\0\0\0\0\x01",
            b"\xc3",
            b"\xca\x3f\x80\0\0",
            b"\xcb\x3f\xf0\0\0\0\0\0\0",
        ],
        &[b"\x00", b"\xc2", b"\xcb\x80\0\0\0\0\0\0\0"],
        &[b"\xc4\x01a", b"\xc5\x00\x01a"],
        &[b"\x92\x01\xa1a", b"\xdc\x00\x02\xc3\xd9\x01a"],
        &[
            b"\xd6\xff\0\0\0\x01",
            b"\xd7\xff\0\0\0\0\0\0\0\x01",
            b"\xd7\xff\0\0\x06\x40\0\0\0\x01",
            b"\xc7\x0c\xff\0\0\0\0\0\0\0\0\0\0\0\x01",
        ],
        &[b"\xcf\x80\0\0\0\0\0\0\0", b"\xcb\x43\xe0\0\0\0\0\0\0"],
        &[b"\xc0"],
    ];
    for (row, keys) in rows.iter().enumerate() {
        for (other_row, others) in rows.iter().enumerate() {
            for key in *keys {
                for other in *others {
                    let record = [&b"\x82"[..], key, b"\x01", other, b"\x02"].concat();
                    let parsed = Record::parse(&record).unwrap();
                    let values: Vec<_> = parsed.entries().map(|(_, value)| value).collect();
                    // Of the same key twice the last value counts.
                    let expected: &[&[u8]] = if row == other_row {
                        &[b"\x02"]
                    } else {
                        &[b"\x01", b"\x02"]
                    };
                    assert_eq!(values, expected, "{record:x?}");
                }
            }
        }
    }
}

#[test]
fn what_is_no_record() {
    for bytes in [
        &b""[..],
        b"\x80\x80",
        b"\x81",
        b"\x81\xa1a",
        b"\x81\xa1a\x01\x01",
        b"\x90",
        b"\xc0",
        b"\xdf\xff\xff\xff\xff",
        // Keys that cannot be a dict's: a map, an extension, and either of them in a list.
        b"\x81\x80\x01",
        b"\x81\xd4\x05a\x01",
        b"\x81\x91\x80\x01",
        b"\x81\xd4\xff\x00\x01",
        b"{",
        b"{}x",
        b"{}{}",
        b"[]",
        b"null",
        b"\"a\"",
        b"{\"a\":1,}",
        b"{\"a\" 1}",
        b"{1:1}",
        b"{\"\\ud800\":1}",
        b"{\"\\x\":1}",
        b"\xef\xbb\xbf{}",
        b"\x80\x04\x95",
    ] {
        let parsed = Record::parse(bytes);
        assert!(matches!(parsed, Err(RecordError::NoRecord)), "{bytes:x?}");
    }
    let deep = [&b"\x81\xa1a"[..], &vec![0x91; 100_000], b"\x01"].concat();
    assert!(Record::parse(&deep).is_err());
    assert_eq!(permanence(&deep), None);
    assert!(!is_empty(&deep));
    let deep = [
        &b"{\"a\":"[..],
        &vec![b'['; 100_000],
        &vec![b']'; 100_000],
        b"}",
    ]
    .concat();
    assert!(Record::parse(&deep).is_err());
    assert_eq!(permanence(&deep), None);
    assert!(!is_empty(&deep));
}

#[test]
fn formats_do_not_mix() {
    let (json, msgpack) = (
        Record::parse(b"{}").unwrap(),
        Record::parse(b"\x80").unwrap(),
    );
    assert_eq!(
        difference(&json, &msgpack).err(),
        Some(RecordError::OtherFormat)
    );
    let nothing = difference(&json, &json).unwrap();
    assert_eq!(nothing.apply(b"\x80"), Err(RecordError::OtherFormat));
    assert_eq!(nothing.apply(b"junk"), Err(RecordError::NoRecord));
}

#[test]
fn order_is_kept() {
    let base = Record::parse(br#"{"a":1,"b":2,"c":3}"#).unwrap();
    let new = Record::parse(br#"{"c":4,"d":5,"a":1}"#).unwrap();
    let changes = difference(&base, &new).unwrap();
    assert_eq!((changes.set(), changes.removed()), (2, 1));
    let current = br#" { "x" : [1, 2] , "c":9, "b" : 7,"y":0 } "#;
    assert_eq!(
        changes.apply(current).unwrap(),
        br#"{"x":[1, 2],"c":4,"y":0,"d":5}"#
    );
    assert_eq!(
        read(br#"{"b":1, "a":2, "\u0062":3}"#, Format::Json),
        [
            (b"\"b\"".to_vec(), b"3".to_vec()),
            (b"\"a\"".to_vec(), b"2".to_vec())
        ]
    );
}

#[test]
fn many_keys() {
    let entries = |from: i64, to: i64, value: i64| -> Entries {
        (from..to)
            .map(|key| (Key::Str(format!("key {key}")), Value(value)))
            .collect()
    };
    let base = to_msgpack(&entries(0, 50_000, 1), Style::Plain);
    let new = to_msgpack(&entries(25_000, 75_000, 1), Style::Plain);
    let (base, new) = (Record::parse(&base).unwrap(), Record::parse(&new).unwrap());
    let changes = difference(&base, &new).unwrap();
    assert_eq!((changes.set(), changes.removed()), (25_000, 25_000));
    let current = to_msgpack(&entries(0, 100_000, 2), Style::Odd);
    let applied = changes.apply(&current).unwrap();
    assert_eq!(Record::parse(&applied).unwrap().len(), 75_000);
}
