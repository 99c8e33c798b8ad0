//! A stored record as its top-level entries: the difference of two, applied to a third.
//!
//! Records are Flask-Session's: a map of msgpack or an object of JSON. Values stay the bytes that they are; only keys are
//! looked into, since two encoders may write one key in two ways. Changes are never merged deeper than the top level: of
//! two requests that change the same key, the later one's value stands whole.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use crate::json_reader::{self, Next, Text};
use crate::msgpack::{self, Timestamp, Token};

/// How a record is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// A map of msgpack, the default of Flask-Session.
    MsgPack,
    /// An object of JSON.
    Json,
}

/// Why bytes are no record. Holds nothing of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordError {
    /// They are not one map or object and no more, or it has keys that no decoder takes.
    NoRecord,
    /// The two are not in the same format.
    OtherFormat,
    /// There would be more entries than the format can hold.
    TooLong,
}

/// One record's entries, in order and each key once: of the same key twice the last value counts, as for every decoder.
pub struct Record<'r> {
    format: Format,
    entries: Vec<Entry<'r>>,
    /// Where a key is, for records of more than [`FEW`] entries.
    index: HashMap<Vec<u8>, usize>,
}

/// A key and its value.
struct Entry<'r> {
    /// The key in the one form that equal keys share.
    meaning: Cow<'r, [u8]>,
    /// The key as it is written.
    key: &'r [u8],
    value: &'r [u8],
}

/// What one request changed at the top level.
pub struct Changes<'r> {
    format: Format,
    set: Vec<Entry<'r>>,
    removed: Vec<Cow<'r, [u8]>>,
}

/// So many entries are searched one by one.
const FEW: usize = 16;

/// The key under which a session says whether it is permanent.
const PERMANENT: &[u8] = b"_permanent";

impl Format {
    /// The format in which these bytes may be a record, told by how they begin: the two share no beginning.
    pub fn of(record: &[u8]) -> Option<Self> {
        match record.first()? {
            0x80..=0x8f | 0xde | 0xdf => Some(Self::MsgPack),
            b'{' => Some(Self::Json),
            b' ' | b'\t' | b'\n' | b'\r' => {
                (record.trim_ascii_start().first() == Some(&b'{')).then_some(Self::Json)
            }
            _ => None,
        }
    }
}

impl<'r> Record<'r> {
    /// The entries of a record in whichever format it is. Values are told apart, not decoded: a string in them that is
    /// not UTF-8 goes unseen.
    pub fn parse(record: &'r [u8]) -> Result<Self, RecordError> {
        let format = Format::of(record).ok_or(RecordError::NoRecord)?;
        let mut parsed = Self {
            format,
            entries: Vec::new(),
            index: HashMap::new(),
        };
        match format {
            Format::MsgPack => parsed.read_map(record),
            Format::Json => parsed.read_object(record),
        }
        .ok_or(RecordError::NoRecord)?;
        Ok(parsed)
    }

    /// How it is written.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The number of its keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds no key at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keys and values as they are written, in order.
    pub fn entries(&self) -> impl Iterator<Item = (&'r [u8], &'r [u8])> {
        self.entries.iter().map(|entry| (entry.key, entry.value))
    }

    fn read_map(&mut self, record: &'r [u8]) -> Option<()> {
        let mut reader = msgpack::Reader::new(record);
        let Token::Map(entries) = reader.value()? else {
            return None;
        };
        self.entries.reserve_exact(entries);
        for _ in 0..entries {
            let key = reader.skip()?;
            let meaning = msgpack_meaning(key)?;
            let value = reader.skip()?;
            self.insert(Entry {
                meaning,
                key,
                value,
            });
        }
        reader.rest().is_empty().then_some(())
    }

    fn read_object(&mut self, record: &'r [u8]) -> Option<()> {
        let mut reader = json_reader::Reader::new(record);
        if reader.value()? != json_reader::Token::Object {
            return None;
        }
        let mut index = 0;
        while let Next::One((text, key)) = reader.raw_key(index)? {
            let value = reader.skip()?;
            self.insert(Entry {
                meaning: json_meaning(text)?,
                key,
                value,
            });
            index += 1;
        }
        reader.is_at_end().then_some(())
    }

    /// Of a key that is there already, the new value counts, as in a dict: in the old place, under the old key.
    fn insert(&mut self, entry: Entry<'r>) {
        if let Some(at) = self.position(&entry.meaning) {
            self.entries[at].value = entry.value;
            return;
        }
        self.entries.push(entry);
        let count = self.entries.len();
        if count > FEW {
            let unindexed = self.index.len()..count;
            for at in unindexed {
                self.index.insert(self.entries[at].meaning.to_vec(), at);
            }
        }
    }

    fn position(&self, meaning: &[u8]) -> Option<usize> {
        if self.entries.len() > FEW {
            return self.index.get(meaning).copied();
        }
        self.entries
            .iter()
            .position(|entry| *entry.meaning == *meaning)
    }

    /// The entry of this key, looked for first where the same key is in the other record.
    fn find(&self, meaning: &[u8], guess: usize) -> Option<&Entry<'r>> {
        match self.entries.get(guess) {
            Some(entry) if *entry.meaning == *meaning => Some(entry),
            _ => self.position(meaning).map(|at| &self.entries[at]),
        }
    }
}

/// What has to be done to `base` to make `new` of it: the keys of `new` that `base` has not, or has with another value,
/// and those of `base` that `new` has not. Values are compared as bytes.
///
/// # Errors
///
/// [`RecordError::OtherFormat`] where the two are written differently.
pub fn difference<'r>(base: &Record<'r>, new: &Record<'r>) -> Result<Changes<'r>, RecordError> {
    if base.format != new.format {
        return Err(RecordError::OtherFormat);
    }
    let set = new.entries.iter().enumerate().filter_map(|(at, entry)| {
        let same = base
            .find(&entry.meaning, at)
            .is_some_and(|old| old.value == entry.value);
        (!same).then(|| Entry {
            meaning: entry.meaning.clone(),
            ..*entry
        })
    });
    let removed = base.entries.iter().enumerate().filter_map(|(at, entry)| {
        let gone = new.find(&entry.meaning, at).is_none();
        gone.then(|| entry.meaning.clone())
    });
    Ok(Changes {
        format: new.format,
        set: set.collect(),
        removed: removed.collect(),
    })
}

impl Changes<'_> {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.removed.is_empty()
    }

    /// The number of keys that are set.
    pub fn set(&self) -> usize {
        self.set.len()
    }

    /// The number of keys that are removed.
    pub fn removed(&self) -> usize {
        self.removed.len()
    }

    /// The record `current` with these changes made: its entries in their order, replaced in their places, without the
    /// removed ones, and behind them those that are new.
    ///
    /// # Errors
    ///
    /// [`RecordError::NoRecord`] where `current` is none, [`RecordError::OtherFormat`] where it is written differently.
    pub fn apply(&self, current: &[u8]) -> Result<Vec<u8>, RecordError> {
        let current = Record::parse(current)?;
        if current.format != self.format {
            return Err(RecordError::OtherFormat);
        }
        // By what each entry of the present record is replaced, and what is removed of it.
        let mut kept: Vec<Option<&Entry<'_>>> = current.entries.iter().map(Some).collect();
        for meaning in &self.removed {
            if let Some(at) = current.position(meaning) {
                kept[at] = None;
            }
        }
        let mut values: Vec<&[u8]> = current.entries.iter().map(|entry| entry.value).collect();
        let mut added = Vec::new();
        for entry in &self.set {
            match current.position(&entry.meaning) {
                Some(at) => values[at] = entry.value,
                None => added.push((entry.key, entry.value)),
            }
        }
        let kept = kept.into_iter().zip(values);
        let kept = kept.filter_map(|(entry, value)| entry.map(|entry| (entry.key, value)));
        write(self.format, &kept.chain(added).collect::<Vec<_>>())
    }
}

/// A record of these keys and values, which are written in its format.
fn write(format: Format, entries: &[(&[u8], &[u8])]) -> Result<Vec<u8>, RecordError> {
    // A map's head has five bytes at most, and an entry of JSON two marks.
    let room = entries
        .iter()
        .map(|(key, value)| key.len() + value.len() + 2)
        .sum::<usize>();
    let mut out = Vec::with_capacity(room + 5);
    match format {
        Format::MsgPack => {
            msgpack::write_map(entries.len(), &mut out).map_err(|_| RecordError::TooLong)?;
            for (key, value) in entries {
                out.extend_from_slice(key);
                out.extend_from_slice(value);
            }
        }
        Format::Json => {
            out.push(b'{');
            for (at, (key, value)) in entries.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(key);
                out.push(b':');
                out.extend_from_slice(value);
            }
            out.push(b'}');
        }
    }
    Ok(out)
}

/// What a record says under `_permanent`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permanent {
    /// `true`
    True,
    /// `false`
    False,
    /// No such key.
    Absent,
    /// Something else, whose truth only a decoder can tell.
    Unclear,
}

/// What a record says under `_permanent`, without memory for its entries. `None` for what is no record.
///
/// Keys that no decoder takes go unseen, where [`Record::parse`] refuses them.
pub fn permanence(record: &[u8]) -> Option<Permanent> {
    glance(record, false).map(|glance| glance.permanent)
}

/// Whether a record holds no key but `_permanent`: then the session counts as empty. Looks no further than the first other
/// key; `false` for what is no record.
pub fn is_empty(record: &[u8]) -> bool {
    glance(record, true).is_some_and(|glance| glance.is_empty)
}

struct Glance {
    permanent: Permanent,
    is_empty: bool,
}

/// One look over a record, to its end or, where that is enough, to the first key that is not `_permanent`. `None` for
/// what is found to be no record on the way.
fn glance(record: &[u8], to_another_key: bool) -> Option<Glance> {
    let mut glance = Glance {
        permanent: Permanent::Absent,
        is_empty: true,
    };
    match Format::of(record)? {
        Format::MsgPack => {
            let mut reader = msgpack::Reader::new(record);
            let Token::Map(entries) = reader.value()? else {
                return None;
            };
            for _ in 0..entries {
                let key = reader.skip()?;
                let is_flag = msgpack::Reader::new(key).value()? == Token::Str(PERMANENT);
                if glance.note_key(is_flag) && to_another_key {
                    return Some(glance);
                }
                let value = reader.skip()?;
                glance.note(is_flag, value, &[0xc3], &[0xc2]);
            }
            reader.rest().is_empty().then_some(glance)
        }
        Format::Json => {
            let mut reader = json_reader::Reader::new(record);
            if reader.value()? != json_reader::Token::Object {
                return None;
            }
            let mut index = 0;
            while let Next::One(key) = reader.key(index)? {
                let is_flag = *json_meaning(key)? == *PERMANENT;
                if glance.note_key(is_flag) && to_another_key {
                    return Some(glance);
                }
                let value = reader.skip()?;
                glance.note(is_flag, value, b"true", b"false");
                index += 1;
            }
            reader.is_at_end().then_some(glance)
        }
    }
}

impl Glance {
    /// Notes a key; whether it is another one than `_permanent`.
    fn note_key(&mut self, is_flag: bool) -> bool {
        self.is_empty &= is_flag;
        !is_flag
    }

    fn note(&mut self, is_flag: bool, value: &[u8], yes: &[u8], no: &[u8]) {
        if !is_flag {
            return;
        }
        self.permanent = if value == yes {
            Permanent::True
        } else if value == no {
            Permanent::False
        } else {
            Permanent::Unclear
        };
    }
}

/// A key of JSON without its escapes. `None` where they stand for no characters.
fn json_meaning(key: Text<'_>) -> Option<Cow<'_, [u8]>> {
    Some(match key {
        Text::Ascii(key) => Cow::Borrowed(key),
        Text::Unicode(key) => Cow::Borrowed(key.as_bytes()),
        Text::Escaped(raw) => {
            let mut key = String::with_capacity(raw.len());
            json_reader::unescape(raw, &mut key)?;
            Cow::Owned(key.into_bytes())
        }
    })
}

/// A key of msgpack in the one form that keys share which are equal in Python: numbers by value, whatever their type and
/// width, moments to the microsecond. `None` where the key is or holds a map, or an extension other than a moment: no
/// decoder makes a dict's key of them.
fn msgpack_meaning(key: &[u8]) -> Option<Cow<'_, [u8]>> {
    // Most keys are short strings, and those have one form only.
    if matches!(key.first(), Some(0xa0..=0xbf)) {
        return Some(Cow::Borrowed(key));
    }
    let mut meaning = Vec::with_capacity(key.len());
    let mut reader = msgpack::Reader::new(key);
    while !reader.rest().is_empty() {
        write_meaning(reader.value()?, &mut meaning)?;
    }
    Some(Cow::Owned(meaning))
}

fn write_meaning(token: Token<'_>, out: &mut Vec<u8>) -> Option<()> {
    match token {
        Token::Nil => msgpack::write_nil(out),
        Token::Bool(value) => msgpack::write_i64(value.into(), out),
        Token::Int(value) => msgpack::write_i64(value, out),
        Token::Uint(value) => msgpack::write_u64(value, out),
        Token::Float(value) => write_number(value, out),
        Token::Str(text) => msgpack::write_str(text, out).ok()?,
        Token::Bin(bytes) => msgpack::write_bin(bytes, out).ok()?,
        Token::Array(items) => msgpack::write_array(items, out).ok()?,
        Token::Map(_) => return None,
        Token::Ext(kind, data) => {
            msgpack::write_timestamp(Timestamp::read(kind, data)?.to_micros(), out);
        }
    }
    Some(())
}

/// A float as the integer that it equals, if there is one.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Integers within these bounds lose nothing.
fn write_number(value: f64, out: &mut Vec<u8>) {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if value.fract() != 0.0 || !value.is_finite() {
        msgpack::write_f64(value, out);
    } else if (-TWO_TO_63..TWO_TO_63).contains(&value) {
        msgpack::write_i64(value as i64, out);
    } else if (TWO_TO_63..2.0 * TWO_TO_63).contains(&value) {
        // The upper half of the range, whose bit of 2^63 is set.
        msgpack::write_u64((value - TWO_TO_63) as u64 | 1 << 63, out);
    } else {
        msgpack::write_f64(value, out);
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRecord => "the bytes are no session record",
            Self::OtherFormat => "the records are not in the same format",
            Self::TooLong => "the record would have more entries than its format can hold",
        })
    }
}

impl std::error::Error for RecordError {}
