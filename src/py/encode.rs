//! Python objects to Flask's tagged JSON, for the types that Flask's serializer knows exactly.

use base64_simd::STANDARD;
use pyo3::Borrowed;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{
    PyBool, PyBytes, PyDateTime, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple, PyType,
};

use super::decode::Tag;
use super::errors::is_ordinary;
use super::text::utf8;
use crate::json;

/// Nesting that is written natively. What is deeper, an object that contains itself among it, goes
/// to Flask's serializer, which writes it or raises its own `RecursionError`.
const MAX_DEPTH: usize = 64;

/// Who writes an object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Coverage {
    /// Written.
    Native,
    /// Something in it is not of an exactly known type: Flask's serializer writes the whole, or
    /// raises its own error.
    Flask,
}

/// Classes that are recognised by identity.
struct Classes {
    markup: Py<PyType>,
    uuid: Py<PyType>,
    http_date: Py<PyAny>,
}

static CLASSES: PyOnceLock<Classes> = PyOnceLock::new();

impl Classes {
    fn get(py: Python<'_>) -> PyResult<&Self> {
        CLASSES.get_or_try_init(py, || {
            Ok(Self {
                markup: py
                    .import("markupsafe")?
                    .getattr("Markup")?
                    .cast_into::<PyType>()?
                    .unbind(),
                uuid: py
                    .import("uuid")?
                    .getattr("UUID")?
                    .cast_into::<PyType>()?
                    .unbind(),
                http_date: py.import("werkzeug.http")?.getattr("http_date")?.unbind(),
            })
        })
    }
}

/// Appends what `TaggedJSONSerializer.dumps(data)` gives under Flask's own JSON provider. After
/// `Coverage::Flask`, `out` holds a part of it that is to be thrown away.
pub(super) fn encode(data: &Bound<'_, PyDict>, out: &mut Vec<u8>) -> PyResult<Coverage> {
    let mut encoder = Encoder { out };
    // Without a GIL: as it is at one moment, at the top.
    match with_critical_section(data, || encoder.dict(data, 0)) {
        Ok(()) => Ok(Coverage::Native),
        Err(Stop::AskFlask) => Ok(Coverage::Flask),
        // Flask's own serializer will raise it, when Flask's order of things comes to it.
        Err(Stop::Raised(error)) if is_ordinary(data.py(), &error) => Ok(Coverage::Flask),
        Err(Stop::Raised(error)) => Err(error),
    }
}

enum Stop {
    AskFlask,
    Raised(PyErr),
}

impl From<PyErr> for Stop {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

struct Encoder<'o> {
    out: &'o mut Vec<u8>,
}

impl Encoder<'_> {
    /// Types are compared exactly: a subclass may override anything, and Flask asks its methods.
    fn value(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> Result<(), Stop> {
        if self.scalar(value)? {
            return Ok(());
        }
        if depth >= MAX_DEPTH {
            return Err(Stop::AskFlask);
        }
        if let Ok(dict) = value.cast_exact::<PyDict>() {
            return self.dict(dict, depth + 1);
        }
        if let Ok(list) = value.cast_exact::<PyList>() {
            return self.sequence(list.iter(), depth);
        }
        if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            return self.tagged(Tag::Tuple, |this| {
                this.sequence(tuple.iter_borrowed().map(Borrowed::to_owned), depth)
            });
        }
        self.leaf_with_tag(value)
    }

    /// Writes text, a boolean, None or a number: whether it was one. No Python code runs.
    fn scalar(&mut self, value: &Bound<'_, PyAny>) -> Result<bool, Stop> {
        if let Ok(text) = value.cast_exact::<PyString>() {
            self.text(text)?;
        } else if let Ok(boolean) = value.cast_exact::<PyBool>() {
            self.out
                .extend_from_slice(if boolean.is_true() { b"true" } else { b"false" });
        } else if value.is_none() {
            self.out.extend_from_slice(b"null");
        } else if let Ok(integer) = value.cast_exact::<PyInt>() {
            self.integer(integer)?;
        } else if let Ok(float) = value.cast_exact::<PyFloat>() {
            json::write_f64(float.value(), self.out);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    #[inline(never)]
    fn leaf_with_tag(&mut self, value: &Bound<'_, PyAny>) -> Result<(), Stop> {
        let py = value.py();
        if let Ok(bytes) = value.cast_exact::<PyBytes>() {
            let text = STANDARD.encode_to_string(bytes.as_bytes());
            return self.tagged(Tag::Bytes, |this| {
                this.plain(&text);
                Ok(())
            });
        }
        let classes = Classes::get(py)?;
        let class = value.get_type();
        if class.is(&classes.markup) {
            // Markup.__html__ is the string itself.
            let text = value.cast::<PyString>().map_err(PyErr::from)?;
            return self.tagged(Tag::Markup, |this| this.text(text));
        }
        if class.is(&classes.uuid) {
            let hex = value.getattr(intern!(py, "hex"))?;
            let hex = hex.cast::<PyString>().map_err(PyErr::from)?;
            return self.tagged(Tag::Uuid, |this| this.text(hex));
        }
        if value.is_exact_instance_of::<PyDateTime>() {
            let date = classes.http_date.bind(py).call1((value,))?;
            let date = date.cast::<PyString>().map_err(PyErr::from)?;
            return self.tagged(Tag::DateTime, |this| this.text(date));
        }
        Err(Stop::AskFlask)
    }

    fn integer(&mut self, integer: &Bound<'_, PyInt>) -> Result<(), Stop> {
        if let Ok(small) = integer.extract::<i64>() {
            json::write_i64(small, self.out);
            return Ok(());
        }
        // Python's own digits, or its own refusal of too many of them, which Flask then raises.
        let Ok(digits) = integer.str() else {
            return Err(Stop::AskFlask);
        };
        self.out
            .extend_from_slice(digits.to_str().map_err(|_| Stop::AskFlask)?.as_bytes());
        Ok(())
    }

    fn text(&mut self, text: &Bound<'_, PyString>) -> Result<(), Stop> {
        // Lone surrogates have no UTF-8.
        json::write_str(utf8(text).map_err(|_| Stop::AskFlask)?, self.out);
        Ok(())
    }

    /// Text of characters that need no escape.
    fn plain(&mut self, text: &str) {
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
    }

    fn tagged(
        &mut self,
        tag: Tag,
        write: impl FnOnce(&mut Self) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.out.extend_from_slice(b"{\"");
        self.out.extend_from_slice(tag.key().as_bytes());
        self.out.extend_from_slice(b"\":");
        write(self)?;
        self.out.push(b'}');
        Ok(())
    }

    fn sequence<'py>(
        &mut self,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
        depth: usize,
    ) -> Result<(), Stop> {
        self.out.push(b'[');
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.value(&item, depth + 1)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn dict(&mut self, dict: &Bound<'_, PyDict>, depth: usize) -> Result<(), Stop> {
        let start = self.out.len();
        // One key may be a tag.
        if dict.len() > 1 && self.dict_in_order(dict)? {
            return Ok(());
        }
        self.out.truncate(start);
        let mut entries: Vec<(Bound<'_, PyString>, Bound<'_, PyAny>)> =
            Vec::with_capacity(dict.len());
        for (key, value) in dict.iter() {
            // Other keys are sorted and converted by Python's encoder, or refused.
            let key = key
                .cast_into_exact::<PyString>()
                .map_err(|_| Stop::AskFlask)?;
            entries.push((key, value));
        }
        let mut sorted: Vec<(&str, &Bound<'_, PyAny>)> = Vec::with_capacity(entries.len());
        for (key, value) in &entries {
            sorted.push((utf8(key).map_err(|_| Stop::AskFlask)?, value));
        }
        if let [(key, value)] = sorted.as_slice()
            && let Some(tag) = Tag::of(key)
        {
            // A dict that would read as a tag: flask.json.tag.TagDict.
            return self.tagged(Tag::Dict, |this| {
                this.out.extend_from_slice(b"{\"");
                this.out.extend_from_slice(tag.key().as_bytes());
                this.out.extend_from_slice(b"__\":");
                this.value(value, depth)?;
                this.out.push(b'}');
                Ok(())
            });
        }
        // The order of UTF-8 bytes is that of code points, by which Python sorts.
        sorted.sort_unstable_by_key(|(key, _)| *key);
        self.out.push(b'{');
        for (index, (key, value)) in sorted.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            json::write_str(key, self.out);
            self.out.push(b':');
            self.value(value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// Writes a dict whose keys are in order and whose values are scalars, item by item: so is what was read from a cookie
    /// and got no new key. Whether it was such a dict; a part of any other one is written.
    fn dict_in_order(&mut self, dict: &Bound<'_, PyDict>) -> Result<bool, Stop> {
        self.out.push(b'{');
        let mut last: Option<Bound<'_, PyString>> = None;
        for (key, value) in dict.iter() {
            let Ok(key) = key.cast_into_exact::<PyString>() else {
                return Ok(false);
            };
            let text = utf8(&key).map_err(|_| Stop::AskFlask)?;
            if let Some(last) = &last {
                if utf8(last).map_err(|_| Stop::AskFlask)? >= text {
                    return Ok(false);
                }
                self.out.push(b',');
            }
            json::write_str(text, self.out);
            self.out.push(b':');
            if !self.scalar(&value)? {
                return Ok(false);
            }
            last = Some(key);
        }
        self.out.push(b'}');
        Ok(true)
    }
}
