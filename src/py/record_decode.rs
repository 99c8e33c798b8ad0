//! Records to Python objects, as msgspec's decoders give them.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use super::key_cache::KeyCache;
use super::msgspec_types::Msgspec;
use super::record_ext::Ext;
use super::record_time;
use super::text::ascii;
use crate::json_reader::{self, Next, Text, unescape};
use crate::msgpack::{self, MAX_DEPTH, Timestamp, Token, is_timestamp};
use crate::record::Format;

/// What a record holds. None for bytes that are no map of msgpack and no object of JSON, that msgspec's decoders refuse,
/// or that are nested too deeply: all of them are absent sessions.
///
/// The configured format need not be tried first: the two share no beginning.
///
/// # Errors
///
/// None of the record's making: `MemoryError`, and an interrupt that arrives meanwhile.
pub(super) fn decode<'py>(py: Python<'py>, record: &[u8]) -> PyResult<Option<Bound<'py, PyDict>>> {
    Ok(read(py, record)?.map(|read| read.data))
}

/// A record, decoded.
pub(super) struct Decoded<'py> {
    pub data: Bound<'py, PyDict>,
    /// Whether no value can change but by way of the dict: all of them are text, bytes, numbers, booleans and None.
    pub is_flat: bool,
}

/// As [`decode`], with what is told on the way.
pub(super) fn read<'py>(py: Python<'py>, record: &[u8]) -> PyResult<Option<Decoded<'py>>> {
    let decoded = match Format::of(record) {
        Some(Format::MsgPack) => MsgPack::new(py, record).record(),
        Some(Format::Json) => Json::new(py, record).record(),
        None => return Ok(None),
    };
    match decoded {
        Ok(decoded) => Ok(Some(decoded)),
        Err(Unread::Foreign) => Ok(None),
        // A string that is not UTF-8, an integer of too many digits.
        Err(Unread::Raised(error)) if error.is_instance_of::<PyValueError>(py) => Ok(None),
        Err(Unread::Raised(error)) => Err(*error),
    }
}

/// Why a record is not read.
enum Unread {
    /// It is none.
    Foreign,
    /// Python refused a value. In a box, so that results are small: there is one on the stack for each level.
    Raised(Box<PyErr>),
}

impl From<PyErr> for Unread {
    fn from(error: PyErr) -> Self {
        Self::Raised(Box::new(error))
    }
}

type Value<'py> = Result<Bound<'py, PyAny>, Unread>;

/// A list is made at its full length for so many items at most, however many are announced: on each level of an input
/// that announces as many as it has bytes, there may be one.
const ROOM: usize = 4096;

/// A string of UTF-8.
fn text<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyString>> {
    if text.is_ascii() {
        ascii(py, text)
    } else {
        PyString::from_bytes(py, text)
    }
}

struct MsgPack<'t, 'py> {
    py: Python<'py>,
    reader: msgpack::Reader<'t>,
    keys: KeyCache,
    is_flat: bool,
}

impl<'t, 'py> MsgPack<'t, 'py> {
    fn new(py: Python<'py>, record: &'t [u8]) -> Self {
        Self {
            py,
            reader: msgpack::Reader::new(record),
            keys: KeyCache::take(),
            is_flat: true,
        }
    }

    fn record(mut self) -> Result<Decoded<'py>, Unread> {
        let Some(Token::Map(entries)) = self.reader.value() else {
            return Err(Unread::Foreign);
        };
        let data = self.map(entries, 1)?;
        if self.reader.rest().is_empty() {
            let is_flat = self.is_flat;
            Ok(Decoded { data, is_flat })
        } else {
            Err(Unread::Foreign)
        }
    }

    fn value(&mut self, depth: usize) -> Value<'py> {
        match self.reader.value().ok_or(Unread::Foreign)? {
            token @ (Token::Array(_) | Token::Map(_) | Token::Ext(..)) => {
                self.is_flat = false;
                match token {
                    Token::Array(_) | Token::Map(_) if depth >= MAX_DEPTH => Err(Unread::Foreign),
                    Token::Array(items) => self.array(items, depth + 1),
                    Token::Map(entries) => self.map(entries, depth + 1).map(Bound::into_any),
                    other => self.leaf(other),
                }
            }
            leaf => self.leaf(leaf),
        }
    }

    fn array(&mut self, items: usize, depth: usize) -> Value<'py> {
        if items > ROOM {
            let list = PyList::empty(self.py);
            for _ in 0..items {
                list.append(self.value(depth)?)?;
            }
            return Ok(list.into_any());
        }
        let (py, mut failed) = (self.py, None);
        let each = (0..items).map(|_| match failed {
            None => self.value(depth).unwrap_or_else(|error| {
                failed = Some(error);
                py.None().into_bound(py)
            }),
            // The list is to be thrown away.
            Some(_) => py.None().into_bound(py),
        });
        let list = PyList::new(py, each)?;
        failed.map_or(Ok(list.into_any()), Err)
    }

    fn map(&mut self, entries: usize, depth: usize) -> Result<Bound<'py, PyDict>, Unread> {
        let dict = PyDict::new(self.py);
        for _ in 0..entries {
            let key = self.key(depth)?;
            dict.set_item(key, self.value(depth)?)?;
        }
        Ok(dict)
    }

    /// What can be a dict's key: arrays are tuples there, and maps and extensions are none.
    fn key(&mut self, depth: usize) -> Value<'py> {
        match self.reader.value().ok_or(Unread::Foreign)? {
            Token::Str(bytes) if bytes.is_ascii() => Ok(self.keys.key(self.py, bytes)?.into_any()),
            Token::Array(_) if depth >= MAX_DEPTH => Err(Unread::Foreign),
            Token::Array(items) => self.tuple(items, depth + 1),
            Token::Map(_) => Err(Unread::Foreign),
            Token::Ext(kind, _) if !is_timestamp(kind) => Err(Unread::Foreign),
            leaf => self.leaf(leaf),
        }
    }

    fn tuple(&mut self, items: usize, depth: usize) -> Value<'py> {
        let mut tuple = Vec::with_capacity(items.min(ROOM));
        for _ in 0..items {
            tuple.push(self.key(depth)?);
        }
        Ok(PyTuple::new(self.py, tuple)?.into_any())
    }

    /// Apart from what nests, so that it takes no room on the stack there.
    #[inline(never)]
    fn leaf(&self, token: Token<'_>) -> Value<'py> {
        let py = self.py;
        Ok(match token {
            Token::Str(bytes) => text(py, bytes)?.into_any(),
            Token::Int(value) => into_any(value.into_pyobject(py)),
            Token::Uint(value) => into_any(value.into_pyobject(py)),
            Token::Bool(value) => PyBool::new(py, value).to_owned().into_any(),
            Token::Nil => py.None().into_bound(py),
            Token::Float(value) => PyFloat::new(py, value).into_any(),
            Token::Bin(bytes) => PyBytes::new(py, bytes).into_any(),
            Token::Ext(kind, data) => ext(py, kind, data)?,
            Token::Array(_) | Token::Map(_) => return Err(Unread::Foreign),
        })
    }
}

/// A moment, or what only the application knows.
#[cold]
fn ext<'py>(py: Python<'py>, kind: i8, data: &[u8]) -> Value<'py> {
    if is_timestamp(kind) {
        let moment = Timestamp::read(kind, data).ok_or(Unread::Foreign)?;
        let moment = record_time::datetime(py, moment)?;
        return Ok(moment.ok_or(Unread::Foreign)?.into_any());
    }
    let data = PyBytes::new(py, data);
    Ok(match Msgspec::installed(py)? {
        Some(msgspec) => msgspec.ext.bind(py).call1((kind, data))?,
        None => Bound::new(py, Ext::new(kind, data))?.into_any(),
    })
}

struct Json<'t, 'py> {
    py: Python<'py>,
    reader: json_reader::Reader<'t>,
    keys: KeyCache,
    is_flat: bool,
}

impl<'t, 'py> Json<'t, 'py> {
    fn new(py: Python<'py>, record: &'t [u8]) -> Self {
        Self {
            py,
            reader: json_reader::Reader::new(record),
            keys: KeyCache::take(),
            is_flat: true,
        }
    }

    fn record(mut self) -> Result<Decoded<'py>, Unread> {
        let Some(json_reader::Token::Object) = self.reader.value() else {
            return Err(Unread::Foreign);
        };
        let data = self.object(1)?;
        if self.reader.is_at_end() {
            let is_flat = self.is_flat;
            Ok(Decoded { data, is_flat })
        } else {
            Err(Unread::Foreign)
        }
    }

    fn value(&mut self, depth: usize) -> Value<'py> {
        use json_reader::Token;

        match self.reader.value().ok_or(Unread::Foreign)? {
            Token::Array | Token::Object if depth >= MAX_DEPTH => Err(Unread::Foreign),
            Token::Array => {
                self.is_flat = false;
                self.array(depth + 1)
            }
            Token::Object => {
                self.is_flat = false;
                self.object(depth + 1).map(Bound::into_any)
            }
            leaf => self.leaf(leaf),
        }
    }

    /// Apart from what nests, as above.
    #[inline(never)]
    fn leaf(&self, token: json_reader::Token<'_>) -> Value<'py> {
        use json_reader::Token;

        let py = self.py;
        Ok(match token {
            Token::Str(text) => self.text(text)?.into_any(),
            Token::Int(value) => into_any(value.into_pyobject(py)),
            Token::Bool(value) => PyBool::new(py, value).to_owned().into_any(),
            Token::Null => py.None().into_bound(py),
            Token::Float(value) if value.is_infinite() => return Err(Unread::Foreign),
            Token::Float(value) => PyFloat::new(py, value).into_any(),
            Token::Long(digits) => self.long(digits)?,
            Token::Array | Token::Object => return Err(Unread::Foreign),
        })
    }

    fn text(&self, read: Text<'_>) -> Result<Bound<'py, PyString>, Unread> {
        Ok(match read {
            Text::Ascii(text) => ascii(self.py, text)?,
            Text::Unicode(text) => PyString::new(self.py, text),
            Text::Escaped(raw) => {
                let mut unescaped = String::with_capacity(raw.len());
                unescape(raw, &mut unescaped).ok_or(Unread::Foreign)?;
                text(self.py, unescaped.as_bytes())?
            }
        })
    }

    /// An integer of many digits. Python's own limit and msgspec's are the same 4300, unless Python's is set lower.
    fn long(&self, digits: &str) -> Value<'py> {
        if digits.len() > 4300 {
            return Err(Unread::Foreign);
        }
        Ok(self.py.get_type::<PyInt>().call1((digits,))?)
    }

    fn array(&mut self, depth: usize) -> Value<'py> {
        let mut list = Vec::new();
        while let Next::One(()) = self.reader.item(list.len()).ok_or(Unread::Foreign)? {
            list.push(self.value(depth)?);
        }
        Ok(PyList::new(self.py, list)?.into_any())
    }

    fn object(&mut self, depth: usize) -> Result<Bound<'py, PyDict>, Unread> {
        let dict = PyDict::new(self.py);
        let mut index = 0;
        while let Next::One(text) = self.reader.key(index).ok_or(Unread::Foreign)? {
            let key = match text {
                Text::Ascii(text) => self.keys.key(self.py, text)?,
                text => self.text(text)?,
            };
            dict.set_item(key, self.value(depth)?)?;
            index += 1;
        }
        Ok(dict)
    }
}

fn into_any<T>(result: Result<Bound<'_, T>, std::convert::Infallible>) -> Bound<'_, PyAny> {
    match result {
        Ok(value) => value.into_any(),
        Err(never) => match never {},
    }
}
