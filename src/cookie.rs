//! A cookie is found, and a Set-Cookie text is built, exactly as werkzeug does it.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memmem};

/// The value of the first cookie called `name` in a Cookie header.
///
/// The answer is that of `werkzeug.sansio.http.parse_cookie(header).get(name)`: an item that does not follow the
/// grammar is skipped to the next semicolon, a missing value is empty, and a quoted value loses its quotes and
/// backslashes. `header` is the header's text in UTF-8: the text as WSGI gives it, which Flask's request does not decode.
///
/// One difference: werkzeug decodes what it has unquoted with `errors="replace"`, while the bytes come back raw here. A
/// caller that accepts nothing but ASCII sees the same.
///
/// Takes time in proportion to the header's length, whatever it holds.
pub fn find<'h>(header: &'h [u8], name: &[u8]) -> Option<Cow<'h, [u8]>> {
    let mut rest = header;
    loop {
        // Only a quoted value can reach beyond the next semicolon, so all else is a question about this segment.
        let semicolon = memchr(b';', rest);
        let segment = &rest[..semicolon.unwrap_or(rest.len())];
        let mut next = semicolon.map(|at| at + 1);

        if let Some((key, value)) = split_item(segment) {
            if value.first() == Some(&b'"') {
                let opening = offset_in(segment, value);
                if let Some(item) = quoted_end(rest, opening) {
                    if key == name {
                        return Some(unslash(&rest[opening + 1..item.closing]));
                    }
                    next = item.next;
                }
            } else if key == name {
                let value = trim_end(value);
                if !has_blank_or_quote(value) {
                    return Some(Cow::Borrowed(value));
                }
            }
        }
        rest = &rest[next?..];
    }
}

/// Key and value of a segment, the value still with its trailing blanks; `None` if what follows the key is neither the
/// end nor an equals sign.
fn split_item(segment: &[u8]) -> Option<(&[u8], &[u8])> {
    let segment = trim_start(segment);
    let end = segment
        .iter()
        .position(|byte| matches!(byte, b' ' | b'\t' | b'=' | b'"'))
        .unwrap_or(segment.len());
    let (key, rest) = segment.split_at(end);
    if key.is_empty() {
        return None;
    }
    match trim_start(rest) {
        [] => Some((key, &rest[rest.len()..])),
        [b'=', value @ ..] => Some((key, trim_start(value))),
        _ => None,
    }
}

/// Where a quoted item ends.
struct QuotedItem {
    /// The closing quote.
    closing: usize,
    /// The item after it; `None` at the end of the header.
    next: Option<usize>,
}

/// The end of the item whose value's opening quote is at `opening`; `None` if it is not well formed.
///
/// A scan never passes the next item's opening quote (that one comes after `=` or a blank, so no backslash escapes
/// it), which is why all scans of one header together are linear.
fn quoted_end(header: &[u8], opening: usize) -> Option<QuotedItem> {
    let mut at = opening + 1;
    let closing = loop {
        at += memchr2(b'"', b'\\', &header[at..])?;
        if header[at] == b'"' {
            break at;
        }
        // werkzeug's `\\.`: the dot stands for anything but a newline.
        if matches!(header.get(at + 1), None | Some(b'\n')) {
            return None;
        }
        at += 2;
    };
    let after = &header[closing + 1..];
    match trim_start(after) {
        [] => Some(QuotedItem {
            closing,
            next: None,
        }),
        [b';', next @ ..] => Some(QuotedItem {
            closing,
            next: Some(offset_in(header, next)),
        }),
        _ => None,
    }
}

/// The text between two quotes without its backslashes: `\ooo` is the byte with that octal number (up to `\377`), any
/// other backslash stands for what follows it. werkzeug's `_cookie_unslash_re`.
fn unslash(quoted: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr(b'\\', quoted) else {
        return Cow::Borrowed(quoted);
    };
    let mut value = Vec::with_capacity(quoted.len());
    value.extend_from_slice(&quoted[..first]);
    let mut rest = &quoted[first..];
    loop {
        rest = match rest {
            [] => return Cow::Owned(value),
            [
                b'\\',
                a @ b'0'..=b'3',
                b @ b'0'..=b'7',
                c @ b'0'..=b'7',
                rest @ ..,
            ] => {
                value.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest
            }
            [b'\\', byte, rest @ ..] if *byte != b'\n' => {
                value.push(*byte);
                rest
            }
            [byte, rest @ ..] => {
                value.push(*byte);
                rest
            }
        }
    }
}

/// Whether no cookie's value can go on like this. Without an early way out, so that the compiler looks at many bytes at once: as a rule there is none.
fn has_blank_or_quote(value: &[u8]) -> bool {
    value
        .iter()
        .fold(false, |hit, byte| hit | (is_blank(*byte) || *byte == b'"'))
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim_start(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| is_blank(**byte)).count();
    &text[blanks..]
}

fn trim_end(text: &[u8]) -> &[u8] {
    let blanks = text
        .iter()
        .rev()
        .take_while(|byte| is_blank(**byte))
        .count();
    &text[..text.len() - blanks]
}

/// Where `tail`, which reaches to the end of `text`, begins in it.
fn offset_in(text: &[u8], tail: &[u8]) -> usize {
    text.len() - tail.len()
}

/// The Set-Cookie text of one set of settings, with the value and the expiry date left open.
///
/// The text itself is werkzeug's: `dump_cookie` is asked once, with markers in the open places, and its answer is cut
/// at the markers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Everything before the value: the name and an equals sign.
    head: Vec<u8>,
    /// What stands between the value and the date; with no date, all that follows the value.
    middle: Vec<u8>,
    /// What follows the date; `None` where the template has no place for one.
    tail: Option<Vec<u8>>,
}

impl Template {
    /// Cuts a header that `werkzeug.http.dump_cookie` wrote with markers in place of the value and, if it has one, the
    /// text of Expires.
    ///
    /// `None` if a marker is empty, missing, there more than once or in the wrong order, or if the text holds anything
    /// that is not ASCII, or a carriage return or newline, which would end the header.
    pub fn split(
        sample: &str,
        value_marker: &str,
        expires_marker: Option<&str>,
    ) -> Option<Template> {
        if !sample.is_ascii() || sample.contains(['\r', '\n']) {
            return None;
        }
        let (head, rest) = split_once(sample, value_marker)?;
        let (middle, tail) = match expires_marker {
            None => (rest, None),
            Some(marker) => {
                // It must not stand before the value either.
                if head.contains(marker) {
                    return None;
                }
                let (middle, tail) = split_once(rest, marker)?;
                (middle, Some(tail.into()))
            }
        };
        Some(Template {
            head: head.into(),
            middle: middle.into(),
            tail,
        })
    }

    /// Appends what stands before the value to `out`.
    ///
    /// The caller appends the value, which goes in as it is: it must be text that `dump_cookie` would not have quoted, as
    /// every token is. Then comes [`close`](Template::close).
    pub fn open(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
    }

    /// Appends what stands after the value to `out`.
    ///
    /// `expires` is the date as [`http_date`] writes it; a template made without a date ignores it.
    pub fn close(&self, expires: Option<&[u8]>, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.middle);
        if let Some(tail) = &self.tail {
            out.extend_from_slice(expires.unwrap_or_default());
            out.extend_from_slice(tail);
        }
    }
}

/// Both sides of a marker that occurs exactly once.
fn split_once<'s>(text: &'s str, marker: &str) -> Option<(&'s str, &'s str)> {
    if marker.is_empty() {
        return None;
    }
    let (before, after) = text.split_once(marker)?;
    // From the second byte of the marker on, so that an overlapping occurrence counts as one.
    let from = before.len() + 1;
    memmem::find(&text.as_bytes()[from..], marker.as_bytes())
        .is_none()
        .then_some((before, after))
}

const DAYS: [[u8; 3]; 7] = [
    *b"Thu", *b"Fri", *b"Sat", *b"Sun", *b"Mon", *b"Tue", *b"Wed",
];
const MONTHS: [[u8; 3]; 12] = [
    *b"Jan", *b"Feb", *b"Mar", *b"Apr", *b"May", *b"Jun", *b"Jul", *b"Aug", *b"Sep", *b"Oct",
    *b"Nov", *b"Dec",
];
const SECONDS_PER_DAY: i64 = 86_400;
const DAYS_PER_400_YEARS: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01 in the proleptic Gregorian calendar.
const DAYS_BEFORE_1970: i64 = 719_468;

/// The text of a time as HTTP has it, in ASCII.
pub type HttpDate = [u8; 29];

/// A time, in seconds since 1970, as `Wed, 21 Oct 2015 07:28:00 GMT`.
///
/// The same text as `werkzeug.http.http_date` of that time as a `datetime` in UTC. `None` where there is no such
/// `datetime`: outside of the years 1 to 9999.
pub fn http_date(unix_seconds: i64) -> Option<HttpDate> {
    let days = unix_seconds.div_euclid(SECONDS_PER_DAY);
    let second = unix_seconds.rem_euclid(SECONDS_PER_DAY);

    // Years are counted from March, which puts the leap day last: month lengths then follow (153 * m + 2) / 5.
    let shifted = days + DAYS_BEFORE_1970;
    let day_of_era = shifted.rem_euclid(DAYS_PER_400_YEARS);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = shifted.div_euclid(DAYS_PER_400_YEARS) * 400 + year_of_era + i64::from(month < 2);

    if !(1..=9999).contains(&year) {
        return None;
    }
    let mut text = *b"Day, 00 Mon 0000 00:00:00 GMT";
    text[..3].copy_from_slice(name_of(&DAYS, days.rem_euclid(7)));
    text[5..7].copy_from_slice(&two_digits(day));
    text[8..11].copy_from_slice(name_of(&MONTHS, month));
    text[12..14].copy_from_slice(&two_digits(year / 100));
    text[14..16].copy_from_slice(&two_digits(year % 100));
    text[17..19].copy_from_slice(&two_digits(second / 3600));
    text[20..22].copy_from_slice(&two_digits(second / 60 % 60));
    text[23..25].copy_from_slice(&two_digits(second % 60));
    Some(text)
}

/// The name of this number, which is one of theirs.
fn name_of(names: &[[u8; 3]], index: i64) -> &[u8; 3] {
    usize::try_from(index)
        .ok()
        .and_then(|index| names.get(index))
        .unwrap_or(b"???")
}

/// A number below 100 in two decimal digits.
fn two_digits(number: i64) -> [u8; 2] {
    [number / 10, number % 10].map(|digit| b'0' + u8::try_from(digit).unwrap_or(0))
}
