//! Msgpack as msgspec writes it, and anything that is valid msgpack read value by value.
//!
//! The format is that of <https://github.com/msgpack/msgpack/blob/master/spec.md>. The writer always takes the narrowest
//! form, as msgspec does; the reader takes any. A reader gives `None` for what is no msgpack, and never takes memory for
//! a length that the input only claims.

use rmp::Marker;

/// Nesting of arrays and maps that is read and written. msgspec stops a little below Python's recursion limit of 1000.
pub const MAX_DEPTH: usize = 1024;

/// The extension type of a timestamp.
const TIMESTAMP: i8 = -1;

/// A value, or the beginning of one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Token<'t> {
    /// `nil`
    Nil,
    /// `true` or `false`
    Bool(bool),
    /// An integer that fits.
    Int(i64),
    /// An integer above `i64::MAX`.
    Uint(u64),
    /// A float of either width.
    Float(f64),
    /// A string. That it is UTF-8 is not looked at.
    Str(&'t [u8]),
    /// Bytes.
    Bin(&'t [u8]),
    /// So many items follow.
    Array(usize),
    /// So many keys, each with its value, follow.
    Map(usize),
    /// A type of an application's own, or a negative one that the format reserves.
    Ext(i8, &'t [u8]),
}

/// A moment in UTC, as an extension of type -1 holds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timestamp {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds in that second.
    pub nanoseconds: u32,
}

/// Whether these bytes are what the writers here make of the values in them: each number, length and float in the one
/// form that they choose. Extensions are never taken to be.
///
/// `false` too for what is no msgpack.
pub fn is_minimal(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    while !reader.rest.is_empty() {
        let marker = Marker::from_u8(reader.rest[0]);
        let Some(token) = reader.value() else {
            return false;
        };
        let minimal = match (marker, token) {
            (Marker::U8, Token::Int(value)) => value > 0x7f,
            (Marker::U16, Token::Int(value)) => value > 0xff,
            (Marker::U32, Token::Int(value)) => value > 0xffff,
            (Marker::U64, Token::Int(value)) => value > 0xffff_ffff,
            (Marker::I8, Token::Int(value)) => value < -32,
            (Marker::I16, Token::Int(value)) => value < i8::MIN.into(),
            (Marker::I32, Token::Int(value)) => value < i16::MIN.into(),
            (Marker::I64, Token::Int(value)) => value < i32::MIN.into(),
            (Marker::Str8, Token::Str(text)) => text.len() > 31,
            (Marker::Str16 | Marker::Bin16, Token::Str(bytes) | Token::Bin(bytes)) => {
                bytes.len() > 0xff
            }
            (Marker::Str32 | Marker::Bin32, Token::Str(bytes) | Token::Bin(bytes)) => {
                bytes.len() > 0xffff
            }
            (Marker::Array16 | Marker::Map16, Token::Array(items) | Token::Map(items)) => {
                items > 15
            }
            (Marker::Array32 | Marker::Map32, Token::Array(items) | Token::Map(items)) => {
                items > 0xffff
            }
            (Marker::F32, _) | (_, Token::Ext(..)) => false,
            _ => true,
        };
        if !minimal {
            return false;
        }
    }
    true
}

/// Reads one input from its beginning.
#[derive(Clone)]
pub struct Reader<'t> {
    rest: &'t [u8],
}

impl<'t> Reader<'t> {
    /// A reader of these bytes.
    pub fn new(bytes: &'t [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What is not yet read.
    pub fn rest(&self) -> &'t [u8] {
        self.rest
    }

    /// The value that follows. The items of an array and the entries of a map follow as values of their own.
    ///
    /// Their number is one that the input has bytes enough for.
    #[inline]
    pub fn value(&mut self) -> Option<Token<'t>> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        match Marker::from_u8(*first) {
            Marker::FixStr(len) => self.take(len.into()).map(Token::Str),
            Marker::FixPos(value) => Some(Token::Int(value.into())),
            Marker::FixMap(len) => self.map(len.into()),
            Marker::FixArray(len) => self.array(len.into()),
            Marker::Null => Some(Token::Nil),
            Marker::False => Some(Token::Bool(false)),
            Marker::True => Some(Token::Bool(true)),
            Marker::FixNeg(value) => Some(Token::Int(value.into())),
            marker => self.wide(marker),
        }
    }

    /// What has a width of its own.
    fn wide(&mut self, marker: Marker) -> Option<Token<'t>> {
        Some(match marker {
            Marker::U8 => Token::Int(u8::from_be_bytes(self.number()?).into()),
            Marker::U16 => Token::Int(u16::from_be_bytes(self.number()?).into()),
            Marker::U32 => Token::Int(u32::from_be_bytes(self.number()?).into()),
            Marker::U64 => {
                let value = u64::from_be_bytes(self.number()?);
                i64::try_from(value).map_or(Token::Uint(value), Token::Int)
            }
            Marker::I8 => Token::Int(i8::from_be_bytes(self.number()?).into()),
            Marker::I16 => Token::Int(i16::from_be_bytes(self.number()?).into()),
            Marker::I32 => Token::Int(i32::from_be_bytes(self.number()?).into()),
            Marker::I64 => Token::Int(i64::from_be_bytes(self.number()?)),
            Marker::F32 => Token::Float(f32::from_be_bytes(self.number()?).into()),
            Marker::F64 => Token::Float(f64::from_be_bytes(self.number()?)),
            Marker::Str8 => self.len8().and_then(|len| self.take(len)).map(Token::Str)?,
            Marker::Str16 => self
                .len16()
                .and_then(|len| self.take(len))
                .map(Token::Str)?,
            Marker::Str32 => self
                .len32()
                .and_then(|len| self.take(len))
                .map(Token::Str)?,
            Marker::Bin8 => self.len8().and_then(|len| self.take(len)).map(Token::Bin)?,
            Marker::Bin16 => self
                .len16()
                .and_then(|len| self.take(len))
                .map(Token::Bin)?,
            Marker::Bin32 => self
                .len32()
                .and_then(|len| self.take(len))
                .map(Token::Bin)?,
            Marker::Array16 => self.len16().and_then(|len| self.array(len))?,
            Marker::Array32 => self.len32().and_then(|len| self.array(len))?,
            Marker::Map16 => self.len16().and_then(|len| self.map(len))?,
            Marker::Map32 => self.len32().and_then(|len| self.map(len))?,
            Marker::FixExt1 => self.ext(1)?,
            Marker::FixExt2 => self.ext(2)?,
            Marker::FixExt4 => self.ext(4)?,
            Marker::FixExt8 => self.ext(8)?,
            Marker::FixExt16 => self.ext(16)?,
            Marker::Ext8 => self.len8().and_then(|len| self.ext(len))?,
            Marker::Ext16 => self.len16().and_then(|len| self.ext(len))?,
            Marker::Ext32 => self.len32().and_then(|len| self.ext(len))?,
            // The one byte that is no msgpack. The others were read above.
            _ => return None,
        })
    }

    /// The bytes of the value that follows, with all that is in it.
    ///
    /// `None` too for nesting deeper than [`MAX_DEPTH`].
    pub fn skip(&mut self) -> Option<&'t [u8]> {
        let start = self.rest;
        // How many values each array and map around the present one still has.
        let mut outer = Vec::new();
        let mut pending = 1_usize;
        loop {
            pending -= 1;
            let inner = match self.value()? {
                Token::Array(items) => items,
                Token::Map(entries) => entries.checked_mul(2)?,
                _ => 0,
            };
            if inner > 0 {
                if outer.len() >= MAX_DEPTH {
                    return None;
                }
                outer.push(pending);
                pending = inner;
            }
            while pending == 0 {
                let Some(left) = outer.pop() else {
                    return Some(&start[..start.len() - self.rest.len()]);
                };
                pending = left;
            }
        }
    }

    fn array(&self, items: usize) -> Option<Token<'t>> {
        // An item has one byte at least.
        (items <= self.rest.len()).then_some(Token::Array(items))
    }

    fn map(&self, entries: usize) -> Option<Token<'t>> {
        (entries <= self.rest.len() / 2).then_some(Token::Map(entries))
    }

    fn ext(&mut self, len: usize) -> Option<Token<'t>> {
        let kind = i8::from_be_bytes(self.number()?);
        self.take(len).map(|data| Token::Ext(kind, data))
    }

    fn len8(&mut self) -> Option<usize> {
        self.number().map(|bytes| u8::from_be_bytes(bytes).into())
    }

    fn len16(&mut self) -> Option<usize> {
        self.number().map(|bytes| u16::from_be_bytes(bytes).into())
    }

    fn len32(&mut self) -> Option<usize> {
        usize::try_from(u32::from_be_bytes(self.number()?)).ok()
    }

    fn take(&mut self, len: usize) -> Option<&'t [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn number<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*bytes)
    }
}

impl Timestamp {
    /// The moment that an extension's data is, in any of its three forms. `None` for another extension, another length,
    /// or a billion nanoseconds and more.
    pub fn read(kind: i8, data: &[u8]) -> Option<Self> {
        if kind != TIMESTAMP {
            return None;
        }
        let (seconds, nanoseconds) = match data.len() {
            4 => (u32::from_be_bytes(data.try_into().ok()?).into(), 0),
            8 => {
                let both = u64::from_be_bytes(data.try_into().ok()?);
                (
                    i64::try_from(both & ((1 << 34) - 1)).ok()?,
                    u32::try_from(both >> 34).ok()?,
                )
            }
            _ => {
                let (nanoseconds, seconds) = data.split_first_chunk()?;
                (
                    i64::from_be_bytes(seconds.try_into().ok()?),
                    u32::from_be_bytes(*nanoseconds),
                )
            }
        };
        (nanoseconds < 1_000_000_000).then_some(Self {
            seconds,
            nanoseconds,
        })
    }
}

impl Timestamp {
    /// The same moment to the nearest microsecond, which is what Python's `datetime` holds; half a one counts up.
    #[must_use]
    pub fn to_micros(self) -> Self {
        let micros = (self.nanoseconds + 500) / 1000;
        let (carried, micros) = (micros / 1_000_000, micros % 1_000_000);
        Self {
            seconds: self.seconds.saturating_add(carried.into()),
            nanoseconds: micros * 1000,
        }
    }
}

/// Whether this is an extension of the type of timestamps, whatever its data.
pub fn is_timestamp(kind: i8) -> bool {
    kind == TIMESTAMP
}

/// Appends `nil`.
pub fn write_nil(out: &mut Vec<u8>) {
    out.push(Marker::Null.to_u8());
}

/// Appends a boolean.
pub fn write_bool(value: bool, out: &mut Vec<u8>) {
    out.push(if value { Marker::True } else { Marker::False }.to_u8());
}

/// Appends an integer.
pub fn write_i64(value: i64, out: &mut Vec<u8>) {
    if let Ok(value) = u64::try_from(value) {
        write_u64(value, out);
    } else if let Ok(value) = i8::try_from(value) {
        if value >= -32 {
            out.push(Marker::FixNeg(value).to_u8());
        } else {
            head(Marker::I8, value.to_be_bytes(), out);
        }
    } else if let Ok(value) = i16::try_from(value) {
        head(Marker::I16, value.to_be_bytes(), out);
    } else if let Ok(value) = i32::try_from(value) {
        head(Marker::I32, value.to_be_bytes(), out);
    } else {
        head(Marker::I64, value.to_be_bytes(), out);
    }
}

/// Appends an integer.
pub fn write_u64(value: u64, out: &mut Vec<u8>) {
    if let Ok(value) = u8::try_from(value) {
        if value < 128 {
            out.push(value);
        } else {
            head(Marker::U8, value.to_be_bytes(), out);
        }
    } else if let Ok(value) = u16::try_from(value) {
        head(Marker::U16, value.to_be_bytes(), out);
    } else if let Ok(value) = u32::try_from(value) {
        head(Marker::U32, value.to_be_bytes(), out);
    } else {
        head(Marker::U64, value.to_be_bytes(), out);
    }
}

/// Appends a float, always of 64 bits.
pub fn write_f64(value: f64, out: &mut Vec<u8>) {
    head(Marker::F64, value.to_be_bytes(), out);
}

/// Something longer than the format can say: 2^32 bytes, items or entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLong;

/// Appends a string.
pub fn write_str(text: &[u8], out: &mut Vec<u8>) -> Result<(), TooLong> {
    out.reserve(text.len() + 5);
    match u8::try_from(text.len()) {
        Ok(len) if len < 32 => out.push(Marker::FixStr(len).to_u8()),
        Ok(len) => head(Marker::Str8, len.to_be_bytes(), out),
        Err(_) => long_head(text.len(), Marker::Str16, Marker::Str32, out)?,
    }
    out.extend_from_slice(text);
    Ok(())
}

/// Appends bytes.
pub fn write_bin(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), TooLong> {
    out.reserve(bytes.len() + 5);
    match u8::try_from(bytes.len()) {
        Ok(len) => head(Marker::Bin8, len.to_be_bytes(), out),
        Err(_) => long_head(bytes.len(), Marker::Bin16, Marker::Bin32, out)?,
    }
    out.extend_from_slice(bytes);
    Ok(())
}

/// Appends the head of an array; its items are to follow.
pub fn write_array(items: usize, out: &mut Vec<u8>) -> Result<(), TooLong> {
    match u8::try_from(items) {
        Ok(items) if items < 16 => out.push(Marker::FixArray(items).to_u8()),
        _ => long_head(items, Marker::Array16, Marker::Array32, out)?,
    }
    Ok(())
}

/// Appends the head of a map; its keys and values are to follow.
pub fn write_map(entries: usize, out: &mut Vec<u8>) -> Result<(), TooLong> {
    write_map_as(entries, entries, out)
}

/// The same, in the width that `room` entries would have. msgspec writes an object's map so when some of its fields are
/// missing.
pub fn write_map_as(entries: usize, room: usize, out: &mut Vec<u8>) -> Result<(), TooLong> {
    match (u8::try_from(entries), room) {
        (Ok(entries), ..16) => out.push(Marker::FixMap(entries & 15).to_u8()),
        (_, ..=0xffff) => {
            let entries = u16::try_from(entries).map_err(|_| TooLong)?;
            head(Marker::Map16, entries.to_be_bytes(), out);
        }
        _ => {
            let entries = u32::try_from(entries).map_err(|_| TooLong)?;
            head(Marker::Map32, entries.to_be_bytes(), out);
        }
    }
    Ok(())
}

/// Appends an extension.
pub fn write_ext(kind: i8, data: &[u8], out: &mut Vec<u8>) -> Result<(), TooLong> {
    out.reserve(data.len() + 6);
    match (data.len(), u8::try_from(data.len())) {
        (1, _) => out.push(Marker::FixExt1.to_u8()),
        (2, _) => out.push(Marker::FixExt2.to_u8()),
        (4, _) => out.push(Marker::FixExt4.to_u8()),
        (8, _) => out.push(Marker::FixExt8.to_u8()),
        (16, _) => out.push(Marker::FixExt16.to_u8()),
        (_, Ok(len)) => head(Marker::Ext8, len.to_be_bytes(), out),
        (len, _) => long_head(len, Marker::Ext16, Marker::Ext32, out)?,
    }
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(data);
    Ok(())
}

/// Appends a moment in the shortest of its three forms.
pub fn write_timestamp(moment: Timestamp, out: &mut Vec<u8>) {
    let Timestamp {
        seconds,
        nanoseconds,
    } = moment;
    let kind = TIMESTAMP.to_be_bytes();
    match u64::try_from(seconds) {
        Ok(seconds) if seconds >> 34 == 0 => {
            let both = u64::from(nanoseconds) << 34 | seconds;
            if let Ok(seconds) = u32::try_from(both) {
                head(Marker::FixExt4, kind, out);
                out.extend_from_slice(&seconds.to_be_bytes());
            } else {
                head(Marker::FixExt8, kind, out);
                out.extend_from_slice(&both.to_be_bytes());
            }
        }
        _ => {
            head(Marker::Ext8, [12], out);
            out.extend_from_slice(&kind);
            out.extend_from_slice(&nanoseconds.to_be_bytes());
            out.extend_from_slice(&seconds.to_be_bytes());
        }
    }
}

/// A marker and the bytes behind it.
fn head<const N: usize>(marker: Marker, bytes: [u8; N], out: &mut Vec<u8>) {
    out.push(marker.to_u8());
    out.extend_from_slice(&bytes);
}

/// A marker for 16 or 32 bits of length.
fn long_head(len: usize, short: Marker, long: Marker, out: &mut Vec<u8>) -> Result<(), TooLong> {
    if let Ok(len) = u16::try_from(len) {
        head(short, len.to_be_bytes(), out);
    } else {
        let len = u32::try_from(len).map_err(|_| TooLong)?;
        head(long, len.to_be_bytes(), out);
    }
    Ok(())
}
