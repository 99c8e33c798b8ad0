//! Flask's tagged JSON to Python objects, read straight from the text with no tree in between.

use std::cell::Cell;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

/// The keys by which Flask marks a type in JSON (`flask.json.tag`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Dict,
    Tuple,
    Bytes,
    Markup,
    Uuid,
    DateTime,
}

impl Tag {
    const ALL: [Self; 6] = [
        Self::Dict,
        Self::Tuple,
        Self::Bytes,
        Self::Markup,
        Self::Uuid,
        Self::DateTime,
    ];

    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Dict => " di",
            Self::Tuple => " t",
            Self::Bytes => " b",
            Self::Markup => " m",
            Self::Uuid => " u",
            Self::DateTime => " d",
        }
    }

    pub(super) fn of(key: &str) -> Option<Self> {
        // No key of an application's own starts with a space, as a rule.
        if !key.starts_with(' ') {
            return None;
        }
        Self::ALL.into_iter().find(|tag| tag.key() == key)
    }
}

struct Constructors {
    markup: Py<PyAny>,
    uuid: Py<PyAny>,
    parse_date: Py<PyAny>,
    json_loads: Py<PyAny>,
}

static CONSTRUCTORS: PyOnceLock<Constructors> = PyOnceLock::new();

impl Constructors {
    fn get(py: Python<'_>) -> PyResult<&Self> {
        CONSTRUCTORS.get_or_try_init(py, || {
            Ok(Self {
                markup: py.import("markupsafe")?.getattr("Markup")?.unbind(),
                uuid: py.import("uuid")?.getattr("UUID")?.unbind(),
                parse_date: py.import("werkzeug.http")?.getattr("parse_date")?.unbind(),
                json_loads: py.import("json")?.getattr("loads")?.unbind(),
            })
        })
    }
}

/// Whether the objects that a text decodes to can be out of proportion to what was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Proportion {
    Kept,
    /// Only by native code: Flask's decoder builds everything twice.
    KeptByNative,
}

/// Reads tagged JSON text as one serializer does.
pub(super) struct Decoder<'a, 'py> {
    /// A `TaggedJSONSerializer` with the shipped tags and no other.
    pub serializer: &'a Bound<'py, PyAny>,
}

impl<'py> Decoder<'_, 'py> {
    /// What the text holds when it is an object, as `TaggedJSONSerializer.loads` reads it under
    /// Flask's own JSON provider. None where that raises, or where the text is not an object.
    ///
    /// Numbers past 64 bits, lone surrogates, NaN, deep nesting and tags of an unexpected shape are
    /// read by Flask's decoder.
    pub(super) fn decode(
        &self,
        py: Python<'py>,
        text: &[u8],
        proportion: Proportion,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Ok(text) = std::str::from_utf8(text) else {
            return Ok(None);
        };
        if let Some(value) = natively(py, text)? {
            return Ok(value.cast_into_exact::<PyDict>().ok());
        }
        match proportion {
            Proportion::Kept => self.with_flask(py, text),
            Proportion::KeptByNative => Ok(None),
        }
    }

    fn with_flask(&self, py: Python<'py>, text: &str) -> PyResult<Option<Bound<'py, PyDict>>> {
        let json_loads = Constructors::get(py)?.json_loads.bind(py);
        let untag = intern!(py, "_untag_scan");
        let decoded = json_loads
            .call1((text,))
            .and_then(|value| self.serializer.call_method1(untag, (value,)));
        match decoded {
            Ok(value) => Ok(value.cast_into::<PyDict>().ok()),
            // itsdangerous turns each of these into BadPayload, too.
            Err(error) if error.is_instance_of::<PyException>(py) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// None for text that native code does not read.
fn natively<'py>(py: Python<'py>, text: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    let interrupt = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Value {
        py,
        interrupt: &interrupt,
    };
    let value = value.deserialize(&mut reader);
    match interrupt.take() {
        Some(interrupt) => Err(interrupt),
        None => Ok(value.ok().filter(|_| reader.end().is_ok())),
    }
}

#[derive(Clone, Copy)]
struct Value<'i, 'py> {
    py: Python<'py>,
    /// A `KeyboardInterrupt` or its like, raised while a value was built: not ours to swallow.
    interrupt: &'i Cell<Option<PyErr>>,
}

impl<'py> Value<'_, 'py> {
    /// The value behind a tag; serde's error says that Flask's decoder is to read the text.
    fn untag<E: Error>(self, tag: Tag, value: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>, E> {
        let py = value.py();
        untag(tag, value).map_err(|shape| {
            if let UnexpectedShape::Raised(error) = shape
                && !error.is_instance_of::<PyException>(py)
            {
                self.interrupt.set(Some(error));
            }
            ask_flask(())
        })
    }
}

impl<'de, 'py> DeserializeSeed<'de> for Value<'_, 'py> {
    type Value = Bound<'py, PyAny>;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

/// serde's error carries no value: the text is then Flask's to read.
fn ask_flask<E: Error>(_: impl fmt::Debug) -> E {
    E::custom("not read natively")
}

impl<'de, 'py> Visitor<'de> for Value<'_, 'py> {
    type Value = Bound<'py, PyAny>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(pyo3::types::PyBool::new(self.py, value)
            .to_owned()
            .into_any())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(into_any(value.into_pyobject(self.py)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(into_any(value.into_pyobject(self.py)))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        // serde_json gives integers past 64 bits, and -0, as floats. From 2^63 on, and at zero, a
        // float may have been an integer.
        if value.abs() >= 9_223_372_036_854_775_808.0 || (value == 0.0 && value.is_sign_negative())
        {
            return Err(ask_flask(value));
        }
        Ok(into_any(value.into_pyobject(self.py)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(PyString::new(self.py, value).into_any())
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(self.py.None().into_bound(self.py))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let list = PyList::empty(self.py);
        while let Some(item) = items.next_element_seed(self)? {
            list.append(item).map_err(ask_flask)?;
        }
        Ok(list.into_any())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let py = self.py;
        let dict = PyDict::new(py);
        let Some((key, tag)) = entries.next_key_seed(Key { py })? else {
            return Ok(dict.into_any());
        };
        let value = entries.next_value_seed(self)?;
        let Some(mut next) = entries.next_key_seed(Key { py })? else {
            if let Some(tag) = tag {
                return self.untag(tag, &value);
            }
            dict.set_item(key, value).map_err(ask_flask)?;
            return Ok(dict.into_any());
        };
        dict.set_item(key, value).map_err(ask_flask)?;
        loop {
            let value = entries.next_value_seed(self)?;
            dict.set_item(next.0, value).map_err(ask_flask)?;
            match entries.next_key_seed(Key { py })? {
                Some(key) => next = key,
                None => break,
            }
        }
        // The same key over again is one item, and may be a tag.
        if tag.is_some() && dict.len() == 1 {
            return Err(ask_flask(()));
        }
        Ok(dict.into_any())
    }
}

fn into_any<T>(result: Result<Bound<'_, T>, std::convert::Infallible>) -> Bound<'_, PyAny> {
    match result {
        Ok(value) => value.into_any(),
        Err(never) => match never {},
    }
}

struct Key<'py> {
    py: Python<'py>,
}

impl<'de, 'py> DeserializeSeed<'de> for Key<'py> {
    type Value = (Bound<'py, PyString>, Option<Tag>);

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'py> Visitor<'_> for Key<'py> {
    type Value = (Bound<'py, PyString>, Option<Tag>);

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok((PyString::new(self.py, key), Tag::of(key)))
    }
}

/// Why a tagged value is left to Flask's decoder.
enum UnexpectedShape {
    /// Not what Flask's encoder writes.
    Foreign,
    /// A constructor refused it.
    Raised(PyErr),
}

impl From<PyErr> for UnexpectedShape {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

impl<'a, 'py> From<pyo3::CastError<'a, 'py>> for UnexpectedShape {
    fn from(_: pyo3::CastError<'a, 'py>) -> Self {
        Self::Foreign
    }
}

/// The value behind a tag, where it has the shape that Flask's own encoder gives it.
fn untag<'py>(tag: Tag, value: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>, UnexpectedShape> {
    let py = value.py();
    if tag == Tag::Tuple {
        return Ok(value.cast_exact::<PyList>()?.to_tuple().into_any());
    }
    if tag == Tag::Dict {
        return untag_dict(value.cast_exact::<PyDict>()?);
    }
    let text = value.cast_exact::<PyString>()?;
    let constructors = Constructors::get(py)?;
    let constructor = match tag {
        Tag::Markup => &constructors.markup,
        Tag::Uuid => &constructors.uuid,
        Tag::DateTime => &constructors.parse_date,
        Tag::Bytes | Tag::Dict | Tag::Tuple => {
            let bytes = STANDARD
                .decode(text.to_str()?)
                .map_err(|_| UnexpectedShape::Foreign)?;
            return Ok(PyBytes::new(py, &bytes).into_any());
        }
    };
    Ok(constructor.bind(py).call1((text,))?)
}

/// `TagDict.to_python`: the only key loses the two characters that kept it from being a tag.
fn untag_dict<'py>(dict: &Bound<'py, PyDict>) -> Result<Bound<'py, PyAny>, UnexpectedShape> {
    let mut entries = dict.iter();
    let (Some((key, value)), None) = (entries.next(), entries.next()) else {
        return Err(UnexpectedShape::Foreign);
    };
    let key = key.cast_exact::<PyString>()?;
    let key = key
        .to_str()?
        .strip_suffix("__")
        .ok_or(UnexpectedShape::Foreign)?;
    let dict = PyDict::new(dict.py());
    dict.set_item(key, value)?;
    Ok(dict.into_any())
}
