//! Any record: depth and memory are bounded by the input, and what is read and written again stays as it is.

use flask_session_rs::msgpack::{self, Reader, Timestamp, Token, is_minimal};
use flask_session_rs::record::{
    Changes, Format, Permanent, Record, difference, is_empty, permanence,
};

/// The input is a record, in either format.
pub fn check(bytes: &[u8]) {
    as_msgpack(bytes);
    as_record(bytes);
}

fn as_msgpack(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let Some(whole) = reader.skip() else { return };
    assert_eq!([whole, reader.rest()].concat(), bytes);
    let cut = &whole[..whole.len() - 1];
    assert_eq!(Reader::new(cut).skip(), None, "nothing less is a value");

    let written = rewritten(whole);
    assert_eq!(tokens(&written), tokens(whole), "another value");
    assert_eq!(rewritten(&written), written, "not stable");
    if is_minimal(whole) {
        assert_eq!(written, whole, "said to be minimal");
    }
    let has_ext = tokens(whole).iter().any(|token| token.contains("Ext"));
    assert_eq!(is_minimal(&written), !has_ext);
}

/// All tokens of one value, as text: a float by its bits.
fn tokens(bytes: &[u8]) -> Vec<String> {
    let mut tokens = Vec::new();
    each(bytes, |token| {
        tokens.push(match token {
            Token::Float(value) => format!("Float({:x})", value.to_bits()),
            token => format!("{token:?}"),
        });
    });
    tokens
}

fn each<'t>(bytes: &'t [u8], mut with: impl FnMut(Token<'t>)) {
    let mut reader = Reader::new(bytes);
    while !reader.rest().is_empty() {
        let before = reader.rest();
        let Some(token) = reader.value() else {
            unreachable!("what was skipped can be read");
        };
        let raw = &before[..before.len() - reader.rest().len()];
        assert!(!raw.is_empty());
        match token {
            Token::Array(items) => assert!(items <= reader.rest().len()),
            Token::Map(entries) => assert!(2 * entries <= reader.rest().len()),
            Token::Ext(kind, data) => as_moment(kind, data),
            // Each by itself: of many together, one that is not minimal hides the others.
            scalar => assert_eq!(is_minimal(raw), written(scalar) == raw, "{scalar:?}"),
        }
        with(token);
    }
}

fn rewritten(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    each(bytes, |token| out.extend(written(token)));
    out
}

fn written(token: Token<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut written = Ok(());
    match token {
        Token::Nil => msgpack::write_nil(&mut out),
        Token::Bool(value) => msgpack::write_bool(value, &mut out),
        Token::Int(value) => msgpack::write_i64(value, &mut out),
        Token::Uint(value) => msgpack::write_u64(value, &mut out),
        Token::Float(value) => msgpack::write_f64(value, &mut out),
        Token::Str(text) => written = msgpack::write_str(text, &mut out),
        Token::Bin(bytes) => written = msgpack::write_bin(bytes, &mut out),
        Token::Array(items) => written = msgpack::write_array(items, &mut out),
        Token::Map(entries) => written = msgpack::write_map(entries, &mut out),
        Token::Ext(kind, data) => written = msgpack::write_ext(kind, data, &mut out),
    }
    assert_eq!(written, Ok(()));
    out
}

fn as_moment(kind: i8, data: &[u8]) {
    if let Some(moment) = Timestamp::read(kind, data) {
        assert!(moment.to_micros().nanoseconds < 1_000_000_000);
        let mut written = Vec::new();
        msgpack::write_timestamp(moment, &mut written);
        let Some(Token::Ext(kind, data)) = Reader::new(&written).value() else {
            unreachable!("a timestamp is an extension");
        };
        assert_eq!(Timestamp::read(kind, data), Some(moment));
    }
}

fn as_record(bytes: &[u8]) {
    let permanent = permanence(bytes);
    let Ok(record) = Record::parse(bytes) else {
        return;
    };
    assert!(record.len() <= bytes.len() / 2);
    assert_eq!(permanent, Some(said_permanent(&record)));
    // A key twice is one entry.
    let flag_alone = record.entries().all(|(key, _)| is_permanent(key));
    assert_eq!(is_empty(bytes), flag_alone);

    let nothing = changes(&record, &record);
    assert!(nothing.is_empty());
    let Ok(written) = nothing.apply(bytes) else {
        unreachable!("a record is one");
    };
    let Ok(again) = Record::parse(&written) else {
        unreachable!("what is written can be read");
    };
    assert!(changes(&again, &record).is_empty());
    assert_eq!(permanence(&written), permanent);
    assert_eq!(nothing.apply(&written).as_deref(), Ok(&written[..]));
    assert_eq!(is_empty(&written), is_empty(bytes));

    // From each of three other records to this one, and back.
    let entries: Vec<_> = record.entries().collect();
    let values = |by: usize| entries[by..].iter().chain(&entries[..by]);
    let every_second = entries.iter().copied().step_by(2).collect();
    let rotated = entries.iter().zip(values(entries.len().min(1)));
    let rotated = rotated.map(|((key, _), (_, value))| (*key, *value));
    for other in [Vec::new(), every_second, rotated.collect()] {
        let other = of_entries(record.format(), &other);
        let Ok(parsed) = Record::parse(&other) else {
            unreachable!("of a record's entries there is a record");
        };
        becomes(&parsed, &other, &record, bytes);
        becomes(&record, bytes, &parsed, &other);
    }
}

/// What makes `new` of `base` does so, and once more changes nothing.
fn becomes(base: &Record<'_>, base_bytes: &[u8], new: &Record<'_>, new_bytes: &[u8]) {
    let change = changes(base, new);
    assert!(change.removed() <= base.len() && change.set() <= new.len());
    let Ok(applied) = change.apply(base_bytes) else {
        unreachable!("a record is one");
    };
    let Ok(parsed) = Record::parse(&applied) else {
        unreachable!("what is written can be read");
    };
    assert!(changes(&parsed, new).is_empty() && changes(new, &parsed).is_empty());
    assert_eq!(parsed.len(), new.len());
    assert_eq!(change.apply(&applied).as_deref(), Ok(&applied[..]));
    assert_eq!(permanence(&applied), permanence(new_bytes));
}

fn changes<'r>(base: &Record<'r>, new: &Record<'r>) -> Changes<'r> {
    match difference(base, new) {
        Ok(changes) => changes,
        Err(error) => unreachable!("they have one format: {error:?}"),
    }
}

/// What the entries say under `_permanent`.
fn said_permanent(record: &Record<'_>) -> Permanent {
    let flag = record.entries().find(|(key, _)| is_permanent(key));
    match flag {
        None => Permanent::Absent,
        Some((_, b"true" | [0xc3])) => Permanent::True,
        Some((_, b"false" | [0xc2])) => Permanent::False,
        Some(_) => Permanent::Unclear,
    }
}

/// Whether a key, as it is written in either format, is `_permanent`.
fn is_permanent(key: &[u8]) -> bool {
    if key.first() == Some(&b'"') {
        return serde_json::from_slice::<String>(key).is_ok_and(|key| key == "_permanent");
    }
    Reader::new(key).value() == Some(Token::Str(b"_permanent"))
}

fn of_entries(format: Format, entries: &[(&[u8], &[u8])]) -> Vec<u8> {
    match format {
        Format::Json => {
            let entries = entries.iter();
            let entries: Vec<_> = entries
                .map(|(key, value)| [key, &b":"[..], value].concat())
                .collect();
            [b"{", &entries.join(&b","[..])[..], b"}"].concat()
        }
        Format::MsgPack => {
            let mut out = Vec::new();
            assert_eq!(msgpack::write_map(entries.len(), &mut out), Ok(()));
            for (key, value) in entries {
                out.extend_from_slice(key);
                out.extend_from_slice(value);
            }
            out
        }
    }
}
