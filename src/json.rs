//! JSON text as Python's `json` writes it, and what can be told of such a text without decoding it.

use memchr::memmem;

use crate::plain::plain_len;

/// Appends a string in quotes, as `json.dumps` writes it with `ensure_ascii`: all that is not printable ASCII becomes
/// `\uxxxx` in lower-case hex (DEL too), and two of them, a surrogate pair, beyond U+FFFF.
#[inline(never)] // See `plain_len`.
pub fn write_str(s: &str, out: &mut Vec<u8>) {
    out.reserve(s.len() + 2);
    out.push(b'"');
    let mut rest = s;
    loop {
        let plain = plain_len::<true, true>(rest.as_bytes());
        // Plain bytes are ASCII, so this is a boundary of characters.
        let (run, after) = rest.split_at(plain);
        out.extend_from_slice(run.as_bytes());
        let mut chars = after.chars();
        let Some(special) = chars.next() else {
            break;
        };
        write_special(special, out);
        rest = chars.as_str();
    }
    out.push(b'"');
}

fn write_special(special: char, out: &mut Vec<u8>) {
    let short = match special {
        '"' => b'"',
        '\\' => b'\\',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        _ => {
            for unit in special.encode_utf16(&mut [0; 2]) {
                let hex = |shift: u32| b"0123456789abcdef"[usize::from(*unit >> shift & 0xf)];
                out.extend_from_slice(&[b'\\', b'u', hex(12), hex(8), hex(4), hex(0)]);
            }
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Appends an integer in decimal.
pub fn write_i64(number: i64, out: &mut Vec<u8>) {
    if number < 0 {
        out.push(b'-');
    }
    write_u64(number.unsigned_abs(), out);
}

/// Appends an integer in decimal.
pub fn write_u64(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends a float as `json.dumps` does: `float.__repr__`, and `NaN`, `Infinity`, `-Infinity`.
///
/// The shortest digits that read back as the same float; with an exponent, of at least two digits and always with its
/// sign, below 1e-4 and from 1e16 on; else with a point and at least one digit after it.
pub fn write_f64(number: f64, out: &mut Vec<u8>) {
    if number.is_nan() {
        out.extend_from_slice(b"NaN");
        return;
    }
    if number.is_sign_negative() {
        out.push(b'-');
    }
    if number.is_infinite() {
        out.extend_from_slice(b"Infinity");
        return;
    }
    let mut buffer = zmij::Buffer::new();
    let shortest = Decimal::read(buffer.format_finite(number.abs()));
    let digits = shortest.digits();
    match shortest.exponent {
        -4..0 => {
            out.extend_from_slice(b"0.");
            push_zeros(usize::from((shortest.exponent + 1).unsigned_abs()), out);
            out.extend_from_slice(digits);
        }
        0..16 => {
            let whole = usize::from(shortest.exponent.unsigned_abs()) + 1;
            if digits.len() > whole {
                out.extend_from_slice(&digits[..whole]);
                out.push(b'.');
                out.extend_from_slice(&digits[whole..]);
            } else {
                out.extend_from_slice(digits);
                push_zeros(whole - digits.len(), out);
                out.extend_from_slice(b".0");
            }
        }
        exponent => {
            out.push(digits[0]);
            if digits.len() > 1 {
                out.push(b'.');
                out.extend_from_slice(&digits[1..]);
            }
            out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
            if exponent.unsigned_abs() < 10 {
                out.push(b'0');
            }
            write_u64(exponent.unsigned_abs().into(), out);
        }
    }
}

/// A positive number as d.ddd * 10^exponent.
struct Decimal {
    /// Without zeros in front or at the end, but for the one that is the number 0.
    digits: [u8; Decimal::ROOM],
    count: usize,
    exponent: i16,
}

impl Decimal {
    /// The shortest form of a float has 17 digits at most.
    const ROOM: usize = 17;

    /// Reads digits with or without a point and with or without an exponent.
    fn read(text: &str) -> Decimal {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let mut number = Decimal {
            digits: [b'0'; Decimal::ROOM],
            count: 0,
            exponent: exponent.parse().unwrap_or(0),
        };
        let point = mantissa.find('.').unwrap_or(mantissa.len());
        let mut significant = mantissa.bytes().filter(|byte| *byte != b'.').enumerate();
        let Some((first, digit)) = significant.find(|(_, digit)| *digit != b'0') else {
            return Decimal {
                count: 1,
                exponent: 0,
                ..number
            };
        };
        number.digits[0] = digit;
        number.count = 1;
        for (place, (_, digit)) in (1..Decimal::ROOM).zip(significant) {
            number.digits[place] = digit;
            if digit != b'0' {
                number.count = place + 1;
            }
        }
        // At most 20 characters on either side.
        number.exponent +=
            i16::try_from(point).unwrap_or(0) - i16::try_from(first).unwrap_or(0) - 1;
        number
    }

    /// At least one.
    fn digits(&self) -> &[u8] {
        &self.digits[..self.count]
    }
}

fn push_zeros(count: usize, out: &mut Vec<u8>) {
    out.resize(out.len() + count, b'0');
}

/// What a JSON text says about a flag at its top level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flag {
    /// There is no such key.
    Absent,
    /// It is `true`.
    True,
    /// It is `false`.
    False,
    /// Only a full decode can tell.
    Unclear,
}

/// What the object at the top level of this JSON text has under `key`, told without decoding it.
///
/// The last occurrence wins, as in Python's decoder. For a well-formed object the answer is right or [`Flag::Unclear`]:
/// the value is neither `true` nor `false`, a key may be this one written with `\u` escapes, `key` is anything but
/// ASCII letters and underscores. Text in which neither the key nor such an escape occurs anywhere is
/// [`Flag::Absent`] without a further look, whatever it is; any other text that is no object is mostly, not always,
/// found out and [`Flag::Unclear`]. Flask's tags are not looked through.
pub fn top_level_flag(json: &[u8], key: &str) -> Flag {
    if key.is_empty()
        || !key
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
    {
        return Flag::Unclear;
    }
    // As a rule this tells, and no searcher has to be made: two fifths of the instructions where it came first.
    if let Some(flag) = scan_for_flag(json, key.as_bytes()) {
        return flag;
    }
    if memmem::find(json, key.as_bytes()).is_none() && !has_letter_escape(json) {
        return Flag::Absent;
    }
    Flag::Unclear
}

/// Whether there may be an ASCII letter or underscore, U+0041 to U+007A, written as an escape.
fn has_letter_escape(text: &[u8]) -> bool {
    memchr::memchr(b'\\', text).is_some()
        && memmem::find_iter(text, br"\u00").any(|at| matches!(text.get(at + 4), Some(b'4'..=b'7')))
}

/// `None` where the text is not followed any further.
fn scan_for_flag(json: &[u8], key: &[u8]) -> Option<Flag> {
    let mut found = Flag::Absent;
    let mut rest = skip_blanks(json).strip_prefix(b"{")?;
    if let [b'}', after @ ..] = skip_blanks(rest) {
        return skip_blanks(after).is_empty().then_some(found);
    }
    loop {
        rest = skip_blanks(rest).strip_prefix(b"\"")?;
        let (this_key, after) = split_string(rest)?;
        if has_letter_escape(this_key) {
            return None;
        }
        let after = skip_blanks(after).strip_prefix(b":")?;
        let (value, after) = split_value(skip_blanks(after))?;
        if this_key == key {
            found = match value {
                b"true" => Flag::True,
                b"false" => Flag::False,
                _ => return None,
            };
        }
        rest = match skip_blanks(after) {
            [b',', rest @ ..] => rest,
            [b'}', rest @ ..] => return skip_blanks(rest).is_empty().then_some(found),
            _ => return None,
        };
    }
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    let blanks = text
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
        .count();
    &text[blanks..]
}

/// The raw text of a string whose opening quote is already gone, and what follows its closing one.
fn split_string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some((&text[..at], &text[at + 1..]));
        }
        at += 2;
    }
}

/// The raw text of a value, and what follows it. Brackets are counted, not paired.
fn split_value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut depth = 0_usize;
    let mut rest = text;
    loop {
        rest = match rest {
            [b'"', string @ ..] => split_string(string)?.1,
            [b'{' | b'[', rest @ ..] => {
                depth += 1;
                rest
            }
            [b'}' | b']', rest @ ..] => {
                depth = depth.checked_sub(1)?;
                rest
            }
            _ if depth > 0 => rest.get(1..)?,
            _ => {
                let end = rest
                    .iter()
                    .position(|byte| b",}] \t\n\r".contains(byte))
                    .unwrap_or(rest.len());
                if end == 0 {
                    return None;
                }
                &rest[end..]
            }
        };
        if depth == 0 {
            return Some(text.split_at(text.len() - rest.len()));
        }
    }
}

/// Sizes in bytes of Python's objects on a 64-bit machine: what `sys.getsizeof` says, rounded up to the
/// allocator's 16 block by block. Of the versions since 3.10 the largest counts.
mod object_size {
    /// A list, or a dict without entries.
    pub(super) const CONTAINER: usize = 64;
    /// What a list adds for its first items: room for four or more is made at once.
    pub(super) const FIRST_SLOTS: usize = 48;
    /// A place in a list: eight bytes, and the eighth part that lists grow ahead by.
    pub(super) const SLOT: usize = 9;
    /// What a dict adds for its first entries.
    pub(super) const FIRST_ENTRIES: usize = 184;
    /// How many those are. There is room for five; with four, [`ENTRY`] covers the first time a dict grows too.
    pub(super) const FIRST_ENTRIES_COUNT: usize = 4;
    /// A further entry, just after the dict has doubled.
    pub(super) const ENTRY: usize = 61;
    /// A string of ASCII, without its characters.
    pub(super) const ASCII_STR: usize = 64;
    /// Any other string, without its characters.
    pub(super) const WIDE_STR: usize = 96;
    /// A float, or an integer without its digits.
    pub(super) const NUMBER: usize = 32;
}

/// An upper estimate, in bytes, of the memory that the Python objects decoded from this JSON text take.
///
/// For telling, before anything is built, that a payload is out of proportion: a kilobyte of cookie can inflate to a
/// megabyte of `{},{},{}`, which is 30 megabytes of dicts. It is for Python on a 64-bit machine with its usual
/// allocator; no object is taken to be shared, which makes it about twice too high for lists of small dicts. One pass
/// over the bytes, which need not be well formed.
pub fn decoded_size_bound(json: &[u8]) -> usize {
    use object_size::{
        ASCII_STR, CONTAINER, ENTRY, FIRST_ENTRIES, FIRST_ENTRIES_COUNT, FIRST_SLOTS, NUMBER, SLOT,
    };

    let mut bound = 0_usize;
    // Entries that the innermost dict already has room for. Once an inner one has ended, what is left of the outer
    // one's is no longer known, and none is the safe assumption.
    let mut free_entries = 0;
    let mut rest = json;
    while let [byte, after @ ..] = rest {
        rest = after;
        let size = match byte {
            b'"' => {
                let (string, after) = split_string(after).unwrap_or((after, &[]));
                rest = after;
                string_size(string).unwrap_or(ASCII_STR + string.len())
            }
            b'{' => {
                free_entries = FIRST_ENTRIES_COUNT;
                let empty = skip_blanks(after).first() == Some(&b'}');
                CONTAINER + if empty { 0 } else { FIRST_ENTRIES }
            }
            b'}' => {
                free_entries = 0;
                0
            }
            b':' if free_entries > 0 => {
                free_entries -= 1;
                0
            }
            b':' => ENTRY,
            b'[' => {
                let empty = skip_blanks(after).first() == Some(&b']');
                CONTAINER + if empty { 0 } else { FIRST_SLOTS + SLOT }
            }
            b',' => SLOT,
            b'-' | b'0'..=b'9' | b'N' | b'I' => {
                let end = after
                    .iter()
                    .position(|byte| b",:]}[{ \t\n\r\"".contains(byte))
                    .unwrap_or(after.len());
                rest = &after[end..];
                // A digit takes less than half a byte: log2(10) bits, in words of 30 bits and 4 bytes.
                NUMBER + end / 2
            }
            _ => 0,
        };
        bound = bound.saturating_add(size);
    }
    bound
}

/// The size of a string that is not all ASCII; `None` if it is.
fn string_size(raw: &[u8]) -> Option<usize> {
    if raw.is_ascii() && memchr::memchr(b'\\', raw).is_none() {
        return None;
    }
    let mut characters = 0_usize;
    // Python stores every character of a string with the width of the widest.
    let mut width = 1;
    let mut rest = raw;
    while let [byte, after @ ..] = rest {
        characters += 1;
        rest = after;
        match byte {
            b'\\' => {
                let (escape_width, length) = match after {
                    [b'u', b'0', b'0', ..] => (1, 5),
                    // One half of a pair each, and so counted twice: still a bound.
                    [
                        b'u',
                        b'd' | b'D',
                        b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F',
                        ..,
                    ] => (4, 5),
                    [b'u', ..] => (2, 5),
                    _ => (1, 1),
                };
                width = width.max(escape_width);
                rest = after.get(length..).unwrap_or_default();
            }
            0xf0.. => width = 4,
            // From U+0100 on.
            0xc4.. => width = width.max(2),
            // The further bytes of a character.
            0x80..0xc0 => characters -= 1,
            _ => {}
        }
    }
    Some(object_size::WIDE_STR.saturating_add(characters.saturating_mul(width)))
}
