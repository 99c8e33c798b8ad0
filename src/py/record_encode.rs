//! Python objects to records, in msgpack or JSON, as msgspec writes them.
//!
//! Whatever msgspec's encoders write is written in the same bytes. What they refuse and is something like a type that
//! they know is written as that: subclasses of str, int, float, bytes, bytearray, datetime, date, time, timedelta and
//! Decimal (Markup, numpy's floats, freezegun's dates), and lazy strings of translations, which become their present text.
//! Everything else is a `TypeError` that names the type.

use pyo3::exceptions::{
    PyRecursionError, PyRuntimeError, PyTypeError, PyUnicodeEncodeError, PyValueError,
};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDate, PyDateTime, PyDelta, PyDict, PyFloat, PyFrozenSet, PyInt,
    PyList, PyMemoryView, PySet, PyString, PyTime, PyTuple, PyType,
};

use super::msgspec_types::{self, Msgspec};
use super::record_ext::Ext;
use super::record_sink::{JsonSink, MsgPackSink, Sink};
use super::record_time;
use super::text::utf8;
use crate::msgpack::MAX_DEPTH;
use crate::record::Format;

/// Appends the record of a session to `out`. After an error, `out` holds a part of it that is to be thrown away.
///
/// # Errors
///
/// `TypeError` for a type that cannot be stored, `OverflowError` for an integer beyond 64 bits in msgpack and for a
/// moment outside of the years 1 to 9999, `UnicodeEncodeError` for half a surrogate pair, `RecursionError` for deep
/// nesting, and whatever an object's own methods raise.
pub(super) fn encode(data: &Bound<'_, PyDict>, format: Format, out: &mut Vec<u8>) -> PyResult<()> {
    // Without a GIL: as it is at one moment, at the top.
    let encoded = with_critical_section(data, || match format {
        Format::MsgPack => Encoder {
            sink: MsgPackSink { out },
        }
        .dict(data, 0),
        Format::Json => Encoder {
            sink: JsonSink { out },
        }
        .dict(data, 0),
    });
    encoded.map_err(|error| without_data(data.py(), error))
}

/// The error without the text that it is about: Python's own holds all of it, and shows it in its `repr`.
fn without_data(py: Python<'_>, error: PyErr) -> PyErr {
    if !error.is_instance_of::<PyUnicodeEncodeError>(py) {
        return error;
    }
    PyUnicodeEncodeError::new_err(("utf-8", "?", 0, 1, "half a surrogate pair cannot be stored"))
}

/// Classes that are recognised by identity.
struct Classes {
    enum_meta: Py<PyType>,
    decimal: Py<PyType>,
    uuid: Py<PyType>,
}

static CLASSES: PyOnceLock<Classes> = PyOnceLock::new();

impl Classes {
    fn get(py: Python<'_>) -> PyResult<&Self> {
        CLASSES.get_or_try_init(py, || {
            let class = |module: &str, name: &str| -> PyResult<Py<PyType>> {
                let class = py.import(module)?.getattr(name)?;
                Ok(class.cast_into::<PyType>()?.unbind())
            };
            Ok(Self {
                enum_meta: class("enum", "EnumMeta")?,
                decimal: class("decimal", "Decimal")?,
                uuid: class("uuid", "UUID")?,
            })
        })
    }
}

struct Encoder<S> {
    sink: S,
}

impl<S: Sink> Encoder<S> {
    #[inline]
    fn value(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<()> {
        if let Ok(text) = value.cast_exact::<PyString>() {
            return self.sink.text(utf8(text)?);
        }
        if let Ok(integer) = value.cast_exact::<PyInt>() {
            return self.integer(integer);
        }
        if let Ok(float) = value.cast_exact::<PyFloat>() {
            self.sink.float(float.value());
            return Ok(());
        }
        if value.is_none() {
            self.sink.nil();
            return Ok(());
        }
        if let Ok(boolean) = value.cast_exact::<PyBool>() {
            self.sink.boolean(boolean.is_true());
            return Ok(());
        }
        if let Ok(list) = value.cast::<PyList>() {
            return self.list(list, depth);
        }
        if let Ok(dict) = value.cast::<PyDict>() {
            return self.dict(dict, depth);
        }
        self.uncommon(value, depth)
    }

    fn integer(&mut self, value: &Bound<'_, PyInt>) -> PyResult<()> {
        if let Ok(small) = value.extract::<i64>() {
            self.sink.signed(small);
        } else if let Ok(large) = value.extract::<u64>() {
            self.sink.unsigned(large);
        } else {
            return self.sink.big(value);
        }
        Ok(())
    }

    /// In the order of msgspec, since an object may be several of these at once.
    #[inline(never)] // So that the common values need little of the stack.
    fn uncommon(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<()> {
        let py = value.py();
        let class = value.get_type();
        let msgspec = Msgspec::loaded(py)?;
        if let Some(msgspec) = msgspec
            && msgspec.is_struct(&class)?
        {
            return self.fields(&msgspec.fields_of(value)?, depth);
        }
        if let Ok(bytes) = value.cast_exact::<PyBytes>() {
            return self.sink.bytes(bytes.as_bytes());
        }
        if let Ok(bytes) = value.cast_exact::<PyByteArray>() {
            return self.sink.bytes(&bytes.to_vec());
        }
        if value.is_exact_instance_of::<PyMemoryView>() {
            return self.sink.bytes(&octets(value)?);
        }
        if let Ok(tuple) = value.cast::<PyTuple>() {
            let items = tuple.iter_borrowed().map(|item| Ok(item.to_owned()));
            return self.sequence(tuple.len(), items, depth);
        }
        if self.date_or_time(value)? {
            return Ok(());
        }
        if let Ok(ext) = value.cast_exact::<Ext>() {
            let ext = ext.get();
            return self.sink.ext(value, ext.code(), ext.data(py));
        }
        if let Some(msgspec) = msgspec {
            if class.is(msgspec.ext.bind(py)) {
                let code: i8 = value.getattr(intern!(py, "code"))?.extract()?;
                let data = octets(&value.getattr(intern!(py, "data"))?)?;
                return self.sink.ext(value, code, &data);
            }
            if class.is(msgspec.raw.bind(py)) {
                return self.raw(value);
            }
        }
        let classes = Classes::get(py)?;
        if class.is_instance(classes.enum_meta.bind(py))? {
            return self.enumerated(value, depth);
        }
        if value.is_instance(classes.decimal.bind(py))? {
            return self.sink.text(value.str()?.to_str()?);
        }
        if value.is_instance(classes.uuid.bind(py))? {
            return self.sink.text(&record_time::uuid_text(value)?);
        }
        if value.is_instance_of::<PySet>() || value.is_instance_of::<PyFrozenSet>() {
            return self.sequence(value.len()?, value.try_iter()?, depth);
        }
        self.object(value, depth)
    }

    /// Whether it was one.
    fn date_or_time(&mut self, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        let mut text = Vec::new();
        // A datetime is a date.
        if let Ok(moment) = value.cast::<PyDateTime>() {
            if record_time::is_aware(moment) {
                self.sink.moment(moment)?;
                return Ok(true);
            }
            record_time::write_datetime(moment, &mut text)?;
        } else if let Ok(date) = value.cast::<PyDate>() {
            record_time::write_date(date, &mut text);
        } else if let Ok(time) = value.cast::<PyTime>() {
            record_time::write_time(time, &mut text)?;
        } else if let Ok(duration) = value.cast::<PyDelta>() {
            record_time::write_duration(duration, &mut text);
        } else {
            return Ok(false);
        }
        self.sink.text(ascii_text(&text)?)?;
        Ok(true)
    }

    /// What msgspec takes for an object with fields, and then what it refuses.
    fn object(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<()> {
        if let Some(text) = lazy_text(value)? {
            return self.sink.text(text.to_str()?);
        }
        if let Some(fields) = msgspec_types::fields_of(value)? {
            return self.fields(&fields, depth);
        }
        if self.base(value)? {
            return Ok(());
        }
        Err(unsupported(value))
    }

    /// A subclass of something plain, as its base; whether it was one.
    fn base(&mut self, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        if let Ok(text) = value.cast::<PyString>() {
            self.sink.text(text.to_str()?)?;
        } else if let Ok(integer) = value.cast::<PyInt>() {
            self.integer(integer)?;
        } else if let Ok(float) = value.cast::<PyFloat>() {
            self.sink.float(float.value());
        } else if let Ok(bytes) = value.cast::<PyBytes>() {
            self.sink.bytes(bytes.as_bytes())?;
        } else if let Ok(bytes) = value.cast::<PyByteArray>() {
            self.sink.bytes(&bytes.to_vec())?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn enumerated(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<()> {
        if let Ok(integer) = value.cast::<PyInt>() {
            return self.integer(integer);
        }
        if let Ok(text) = value.cast::<PyString>() {
            return self.sink.text(text.to_str()?);
        }
        let inner = value.getattr(intern!(value.py(), "_value_"))?;
        // An enumeration may hold itself.
        self.value(&inner, deeper(depth)?)
    }

    /// `msgspec.Raw`: an encoded value, put in as it is if it is one.
    fn raw(&mut self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let bytes = octets(value)?;
        if !S::is_one_value(&bytes) {
            return Err(PyTypeError::new_err(
                "a msgspec.Raw in the session is not one value of the session's format",
            ));
        }
        self.sink.out().extend_from_slice(&bytes);
        Ok(())
    }

    #[inline(never)]
    fn list(&mut self, list: &Bound<'_, PyList>, depth: usize) -> PyResult<()> {
        self.sequence(list.len(), list.iter().map(Ok), depth)
    }

    fn sequence<'py>(
        &mut self,
        items: usize,
        mut each: impl Iterator<Item = PyResult<Bound<'py, PyAny>>>,
        depth: usize,
    ) -> PyResult<()> {
        let depth = deeper(depth)?;
        self.sink.array(items)?;
        // As many as were announced: an item's own code may have changed their number.
        for index in 0..items {
            let item = each.next().unwrap_or_else(|| Err(changed_size()))?;
            self.sink.separate(index);
            self.value(&item, depth)?;
        }
        self.sink.array_end();
        Ok(())
    }

    fn dict(&mut self, dict: &Bound<'_, PyDict>, depth: usize) -> PyResult<()> {
        let depth = deeper(depth)?;
        let entries = dict.len();
        self.sink.map(entries, entries)?;
        let mut each = dict.iter();
        for index in 0..entries {
            // The iterator would panic.
            if dict.len() != entries {
                return Err(changed_size());
            }
            let (key, value) = each.next().ok_or_else(changed_size)?;
            self.sink.separate(index);
            self.key(&key, depth)?;
            self.sink.assign();
            self.value(&value, depth)?;
        }
        self.sink.map_end();
        Ok(())
    }

    fn fields(&mut self, fields: &msgspec_types::Fields<'_>, depth: usize) -> PyResult<()> {
        use msgspec_types::Fields;

        match fields {
            Fields::Array(items) => self.sequence(
                items.len(),
                items.iter().map(|item| Ok(item.clone())),
                depth,
            ),
            Fields::Map { entries, room } => {
                let depth = deeper(depth)?;
                self.sink.map(entries.len(), *room)?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    self.sink.separate(index);
                    self.sink.text(key.to_str()?)?;
                    self.sink.assign();
                    self.value(value, depth)?;
                }
                self.sink.map_end();
                Ok(())
            }
        }
    }

    #[inline]
    fn key(&mut self, key: &Bound<'_, PyAny>, depth: usize) -> PyResult<()> {
        if let Ok(text) = key.cast::<PyString>() {
            return self.sink.text(utf8(text)?);
        }
        if S::TEXT_KEYS {
            self.text_key(key)
        } else {
            self.value(key, depth)
        }
    }

    /// A key of JSON that is no string: what has one text.
    #[inline(never)]
    fn text_key(&mut self, key: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = key.py();
        let classes = Classes::get(py)?;
        if key.get_type().is_instance(classes.enum_meta.bind(py))? && !key.is_instance_of::<PyInt>()
        {
            let inner = key.getattr(intern!(py, "_value_"))?;
            if inner.is(key) {
                return Err(PyTypeError::new_err(TEXT_KEYS_ONLY));
            }
            return self.key(&inner, 0);
        }
        if key.is_none() || key.is_instance_of::<PyBool>() {
            return Err(PyTypeError::new_err(TEXT_KEYS_ONLY));
        }
        if let Ok(integer) = key.cast::<PyInt>() {
            self.sink.out().push(b'"');
            self.integer(integer)?;
            self.sink.out().push(b'"');
            return Ok(());
        }
        if let Ok(float) = key.cast::<PyFloat>() {
            self.sink.float_key(float.value());
            return Ok(());
        }
        if let Ok(bytes) = key.cast::<PyBytes>() {
            return self.sink.bytes(bytes.as_bytes());
        }
        if self.date_or_time(key)? {
            return Ok(());
        }
        if key.is_instance(classes.decimal.bind(py))? {
            return self.sink.text(key.str()?.to_str()?);
        }
        if key.is_instance(classes.uuid.bind(py))? {
            return self.sink.text(&record_time::uuid_text(key)?);
        }
        if let Some(text) = lazy_text(key)? {
            return self.sink.text(text.to_str()?);
        }
        Err(PyTypeError::new_err(TEXT_KEYS_ONLY))
    }
}

const TEXT_KEYS_ONLY: &str = "only dicts with keys like strings and numbers can be stored in JSON";

/// The depth of what is in a container at this depth.
fn deeper(depth: usize) -> PyResult<usize> {
    if depth >= MAX_DEPTH {
        return Err(PyRecursionError::new_err(
            "the session is nested too deeply to be stored",
        ));
    }
    Ok(depth + 1)
}

#[cold]
fn changed_size() -> PyErr {
    PyRuntimeError::new_err("an object in the session changed size while it was stored")
}

#[cold]
pub(super) fn unsupported(value: &Bound<'_, PyAny>) -> PyErr {
    let class = value.get_type();
    match class.fully_qualified_name() {
        Ok(name) => PyTypeError::new_err(format!(
            "objects of type {name} cannot be stored in a session"
        )),
        Err(error) => error,
    }
}

/// The bytes of an object with a buffer.
fn octets(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let bytes = value.py().get_type::<PyBytes>().call1((value,))?;
    Ok(bytes.cast::<PyBytes>()?.as_bytes().to_vec())
}

fn ascii_text(text: &[u8]) -> PyResult<&str> {
    // Digits and signs of our own.
    std::str::from_utf8(text).map_err(|_| PyValueError::new_err("a date that is no text"))
}

/// The present text of a lazy string: an instance of a class that is called so, or of a subclass.
///
/// Flask-Babel and speaklater call it `LazyString` and `_LazyString`, Babel `LazyProxy`. They have no base in common and
/// forward every attribute to the text, so that only the name tells them from any other object; one whose `str()` fails,
/// or which is no string, is refused as such.
fn lazy_text<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyString>>> {
    for class in value.get_type().mro() {
        let class = class.cast_into::<PyType>()?;
        let name = class.name()?;
        if matches!(
            name.to_str(),
            Ok("LazyString" | "_LazyString" | "LazyProxy")
        ) {
            return value.str().map(Some);
        }
    }
    Ok(None)
}
