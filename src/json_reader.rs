//! JSON text is read value by value, in the plain subset that Python's own encoder writes.
//!
//! A reader that gives up early: whatever is not plainly JSON of whole characters is answered with `None`, and where
//! another decoder has the last word, it is never more lenient than that one. So it is small.

use crate::plain::plain_len;

/// Reads one text from its beginning.
pub struct Reader<'t> {
    text: &'t [u8],
    at: usize,
}

/// A value, or the beginning of one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Token<'t> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number without fraction and exponent, of up to 18 digits.
    Int(i64),
    /// A longer one, as it stands there.
    Long(&'t str),
    /// Any other number; infinite where it is too large.
    Float(f64),
    /// A string.
    Str(Text<'t>),
    /// `[`: the items follow, see [`Reader::item`].
    Array,
    /// `{`: the entries follow, see [`Reader::key`].
    Object,
}

/// What stands between two quotes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Text<'t> {
    /// Nothing but ASCII, and no escapes.
    Ascii(&'t [u8]),
    /// Characters beyond ASCII, and no escapes.
    Unicode(&'t str),
    /// With escapes: [`unescape`] reads them.
    Escaped(&'t str),
}

/// What follows in an array or an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next<T> {
    /// Another one.
    One(T),
    /// Its end.
    End,
}

/// Nesting of arrays and objects that is skipped.
pub const MAX_DEPTH: usize = 1024;

/// Digits that surely fit 64 bits.
const DIGITS: usize = 18;

impl<'t> Reader<'t> {
    /// A reader of this text, which need not be valid UTF-8.
    pub fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// The value that follows.
    pub fn value(&mut self) -> Option<Token<'t>> {
        let first = self.skip_blanks()?;
        match first {
            b'"' => {
                self.at += 1;
                return self.string().map(Token::Str);
            }
            b'-' | b'0'..=b'9' => return self.number(),
            _ => {}
        }
        let (word, token): (&[u8], _) = match first {
            b'{' => (b"{", Token::Object),
            b'[' => (b"[", Token::Array),
            b't' => (b"true", Token::Bool(true)),
            b'f' => (b"false", Token::Bool(false)),
            b'n' => (b"null", Token::Null),
            _ => return None,
        };
        self.word(word)?;
        Some(token)
    }

    /// Whether another item follows in an array of which `index` items were read.
    pub fn item(&mut self, index: usize) -> Option<Next<()>> {
        self.separator(index, b']').map(|next| match next {
            Next::One(_) => Next::One(()),
            Next::End => Next::End,
        })
    }

    /// The next key of an object of which `index` entries were read; its value follows.
    pub fn key(&mut self, index: usize) -> Option<Next<Text<'t>>> {
        self.raw_key(index).map(|next| match next {
            Next::One((key, _)) => Next::One(key),
            Next::End => Next::End,
        })
    }

    /// The same, with the key's raw text in its quotes.
    #[inline]
    pub fn raw_key(&mut self, index: usize) -> Option<Next<(Text<'t>, &'t [u8])>> {
        match self.separator(index, b'}')? {
            Next::End => Some(Next::End),
            Next::One(b'"') => {
                let start = self.at;
                self.at += 1;
                let key = self.string()?;
                let raw = self.text.get(start..self.at)?;
                self.skip_blanks()?;
                self.word(b":")?;
                Some(Next::One((key, raw)))
            }
            Next::One(_) => None,
        }
    }

    /// Whether nothing but blanks is left.
    pub fn is_at_end(&mut self) -> bool {
        self.skip_blanks().is_none()
    }

    /// The first byte of what follows; it is not yet read.
    fn separator(&mut self, index: usize, end: u8) -> Option<Next<u8>> {
        let mut next = self.skip_blanks()?;
        if next == end {
            self.at += 1;
            return Some(Next::End);
        }
        if index > 0 {
            self.word(b",")?;
            next = self.skip_blanks()?;
        }
        Some(Next::One(next))
    }

    /// The next byte that is no blank; `None` at the end.
    fn skip_blanks(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.get(self.at)?;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.text.get(self.at..)?.strip_prefix(word)?;
        self.at += word.len();
        Some(())
    }

    /// A string whose opening quote is already read.
    #[inline(never)] // See `plain_len`.
    fn string(&mut self) -> Option<Text<'t>> {
        let start = self.at;
        let (mut ascii, mut escaped) = (true, false);
        loop {
            self.at += plain_len::<true, false>(self.text.get(self.at..)?);
            match *self.text.get(self.at)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.at += 2;
                }
                0x80.. => {
                    ascii = false;
                    self.at += 1;
                }
                // A control character.
                _ => return None,
            }
        }
        let raw = self.text.get(start..self.at)?;
        self.at += 1;
        Some(match (ascii, escaped) {
            (true, false) => Text::Ascii(raw),
            (false, false) => Text::Unicode(std::str::from_utf8(raw).ok()?),
            (_, true) => Text::Escaped(std::str::from_utf8(raw).ok()?),
        })
    }

    /// The raw text of the value that follows, with all that is in it. Escapes in it are not looked at.
    ///
    /// `None` too for nesting deeper than [`MAX_DEPTH`].
    pub fn skip(&mut self) -> Option<&'t [u8]> {
        self.skip_blanks()?;
        let start = self.at;
        // Of each array and object around the present value: whether it is an object, and what was read of it.
        let mut outer: Vec<(bool, usize)> = Vec::new();
        loop {
            if let token @ (Token::Array | Token::Object) = self.value()? {
                if outer.len() >= MAX_DEPTH {
                    return None;
                }
                outer.push((token == Token::Object, 0));
            }
            loop {
                let Some((is_object, index)) = outer.last_mut() else {
                    return self.text.get(start..self.at);
                };
                let ended = if *is_object {
                    self.key(*index)? == Next::End
                } else {
                    self.item(*index)? == Next::End
                };
                *index += 1;
                if !ended {
                    break;
                }
                outer.pop();
            }
        }
    }

    fn number(&mut self) -> Option<Token<'t>> {
        let rest = &self.text[self.at..];
        let negative = rest.first() == Some(&b'-');
        let sign = usize::from(negative);
        let unsigned = &rest[sign..];
        let (mut digits, mut value) = (0, 0_i64);
        while let Some(digit @ b'0'..=b'9') = unsigned.get(digits)
            && digits < DIGITS
        {
            value = value * 10 + i64::from(digit - b'0');
            digits += 1;
        }
        if digits == 0 || (unsigned[0] == b'0' && digits > 1) {
            return None;
        }
        match unsigned.get(digits) {
            Some(b'.' | b'e' | b'E') => self.float(sign + digits),
            Some(b'0'..=b'9') => self.long(sign + digits),
            _ => {
                self.at += sign + digits;
                Some(Token::Int(if negative { -value } else { value }))
            }
        }
    }

    /// A number of more digits than the so many bytes that were read.
    #[cold]
    fn long(&mut self, read: usize) -> Option<Token<'t>> {
        let rest = &self.text[self.at..];
        let end = digits_from(rest, read)?;
        if matches!(rest.get(end), Some(b'.' | b'e' | b'E')) {
            return self.float(end);
        }
        self.at += end;
        std::str::from_utf8(&rest[..end]).ok().map(Token::Long)
    }

    /// A number whose integer part, of so many bytes, is well formed.
    #[cold]
    fn float(&mut self, integer: usize) -> Option<Token<'t>> {
        let rest = &self.text[self.at..];
        let mut end = integer;
        if rest.get(end) == Some(&b'.') {
            end = digits_from(rest, end + 1)?;
        }
        if matches!(rest.get(end), Some(b'e' | b'E')) {
            end += 1 + usize::from(matches!(rest.get(end + 1), Some(b'+' | b'-')));
            end = digits_from(rest, end)?;
        }
        // The nearest double, as Python's `float()` takes it.
        let value = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
        self.at += end;
        Some(Token::Float(value))
    }
}

/// The end of the digits that begin here; `None` if there are none.
fn digits_from(text: &[u8], start: usize) -> Option<usize> {
    let count = text[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    (count > 0).then_some(start + count)
}

/// Appends what the raw text of a string stands for. `None` for an unknown escape, and for half a surrogate pair, which
/// Python reads and Rust's strings cannot hold.
pub fn unescape(raw: &str, out: &mut String) -> Option<()> {
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut characters = escape.chars();
        let character = match characters.next()? {
            c @ ('"' | '\\' | '/') => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (character, after) = unicode_escape(&escape[1..])?;
                out.push(character);
                rest = after;
                continue;
            }
            _ => return None,
        };
        out.push(character);
        rest = characters.as_str();
    }
    out.push_str(rest);
    Some(())
}

/// The character of four hexadecimal digits, or of two such escapes.
fn unicode_escape(text: &str) -> Option<(char, &str)> {
    let (first, rest) = code_unit(text)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, rest));
    }
    let (second, rest) = code_unit(rest.strip_prefix("\\u")?)?;
    if !(0xd800..0xdc00).contains(&first) || !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    let character = char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))?;
    Some((character, rest))
}

fn code_unit(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    // `from_str_radix` would take a sign.
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}
