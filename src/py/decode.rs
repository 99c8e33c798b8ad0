//! Flask's tagged JSON to Python objects, read straight from the text with no tree in between.

use base64_simd::STANDARD;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyDict, PyList, PyString};

use super::errors::is_ordinary;
use super::key_cache::KeyCache;
use super::tags::Tags;
use super::text::ascii;
use crate::json_reader::{Next, Reader, Text, Token, unescape};

/// Nesting that is read natively. What is deeper goes to Flask's decoder, which reads it or raises its own
/// `RecursionError`.
const MAX_DEPTH: usize = 64;

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

/// The items of an object, in their order. A key may be there more than once: the last one counts.
pub(super) type Items<'py> = Vec<(Bound<'py, PyString>, Bound<'py, PyAny>)>;

/// What a text holds.
pub(super) struct Decoded<'py> {
    /// Not in a dict yet: there is one that waits for them.
    pub items: Items<'py>,
    /// Whether every value is text, a number, a boolean or None: nothing of it changes but by way of the dict.
    pub is_flat: bool,
}

/// Reads tagged JSON text as one serializer does.
pub(super) struct Decoder<'a, 'py> {
    /// A `TaggedJSONSerializer` with the shipped tags and no other.
    pub serializer: &'a Bound<'py, PyAny>,
    /// Its tags when that was seen; None for one that nobody changes.
    pub tags: Option<&'a Tags>,
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
    ) -> PyResult<Option<Decoded<'py>>> {
        if let Some(decoded) = self.natively(py, text)? {
            return Ok(Some(decoded));
        }
        let (Proportion::Kept, Ok(text)) = (proportion, std::str::from_utf8(text)) else {
            return Ok(None);
        };
        let Some(data) = self.with_flask(py, text)? else {
            return Ok(None);
        };
        Ok(Some(Decoded {
            items: items_of(&data)?,
            is_flat: false,
        }))
    }

    /// None for text that native code does not read.
    fn natively(&self, py: Python<'py>, text: &[u8]) -> PyResult<Option<Decoded<'py>>> {
        let mut builder = Builder {
            py,
            keys: KeyCache::take(),
            tags: self.tags,
            reader: Reader::new(text),
            is_flat: true,
        };
        match builder.items() {
            Ok(items) if builder.reader.is_at_end() => Ok(Some(Decoded {
                items,
                is_flat: builder.is_flat,
            })),
            Err(Unread::Raised(error)) if !is_ordinary(py, &error) => Err(error),
            Ok(_) | Err(_) => Ok(None),
        }
    }

    #[cold]
    fn with_flask(&self, py: Python<'py>, text: &str) -> PyResult<Option<Bound<'py, PyDict>>> {
        let json_loads = Constructors::get(py)?.json_loads.bind(py);
        let untag = intern!(py, "_untag_scan");
        let decoded = json_loads
            .call1((text,))
            .and_then(|value| self.serializer.call_method1(untag, (value,)));
        match decoded {
            Ok(value) => Ok(value.cast_into::<PyDict>().ok()),
            // itsdangerous turns each of these into BadPayload, too.
            Err(error) if is_ordinary(py, &error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The items of a decoded object. (JSON has no other keys than text.)
fn items_of<'py>(data: &Bound<'py, PyDict>) -> PyResult<Items<'py>> {
    data.iter()
        .map(|(key, value)| Ok((key.cast_into::<PyString>()?, value)))
        .collect()
}

/// Why a text is left to Flask's decoder.
enum Unread {
    /// Not what Flask's encoder writes.
    Foreign,
    /// A constructor refused it.
    Raised(PyErr),
}

impl From<PyErr> for Unread {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

impl<'a, 'py> From<pyo3::CastError<'a, 'py>> for Unread {
    fn from(_: pyo3::CastError<'a, 'py>) -> Self {
        Self::Foreign
    }
}

/// Makes Python objects of what is read.
struct Builder<'t, 'py> {
    py: Python<'py>,
    keys: KeyCache,
    tags: Option<&'t Tags>,
    reader: Reader<'t>,
    is_flat: bool,
}

impl<'py> Builder<'_, 'py> {
    /// The items of the object that the whole text is. A text of another kind is left to Flask's decoder.
    fn items(&mut self) -> Result<Items<'py>, Unread> {
        let Some(Token::Object) = self.reader.value() else {
            return Err(Unread::Foreign);
        };
        let mut items = Vec::with_capacity(8);
        let mut tag = None;
        while let Some(key) = self.key(items.len(), &mut tag)? {
            items.push((key, self.value(1)?));
        }
        let Some(tag) = tag else {
            return Ok(items);
        };
        let dict = PyDict::new(self.py);
        for (key, value) in &items {
            dict.set_item(key, value)?;
        }
        let value = self.untagged(tag, dict, items.len())?;
        Ok(items_of(value.cast_exact::<PyDict>()?)?)
    }

    fn value(&mut self, depth: usize) -> Result<Bound<'py, PyAny>, Unread> {
        let py = self.py;
        Ok(match self.reader.value().ok_or(Unread::Foreign)? {
            Token::Str(text) => self.text(text)?.into_any(),
            Token::Int(value) => into_any(value.into_pyobject(py)),
            Token::Bool(value) => PyBool::new(py, value).to_owned().into_any(),
            Token::Null => py.None().into_bound(py),
            Token::Float(value) => into_any(value.into_pyobject(py)),
            Token::Long(_) => return Err(Unread::Foreign),
            Token::Array | Token::Object if depth >= MAX_DEPTH => return Err(Unread::Foreign),
            Token::Array => {
                self.is_flat = false;
                self.array(depth + 1)?
            }
            Token::Object => {
                self.is_flat = false;
                self.object(depth + 1)?
            }
        })
    }

    fn text(&self, text: Text<'_>) -> Result<Bound<'py, PyString>, Unread> {
        Ok(match text {
            Text::Ascii(text) => ascii(self.py, text)?,
            Text::Unicode(text) => PyString::new(self.py, text),
            Text::Escaped(raw) => {
                let mut text = String::with_capacity(raw.len());
                unescape(raw, &mut text).ok_or(Unread::Foreign)?;
                PyString::new(self.py, &text)
            }
        })
    }

    fn array(&mut self, depth: usize) -> Result<Bound<'py, PyAny>, Unread> {
        let list = PyList::empty(self.py);
        let mut index = 0;
        while let Next::One(()) = self.reader.item(index).ok_or(Unread::Foreign)? {
            list.append(self.value(depth)?)?;
            index += 1;
        }
        Ok(list.into_any())
    }

    fn object(&mut self, depth: usize) -> Result<Bound<'py, PyAny>, Unread> {
        let dict = PyDict::new(self.py);
        let mut tag = None;
        let mut index = 0;
        while let Some(key) = self.key(index, &mut tag)? {
            dict.set_item(key, self.value(depth)?)?;
            index += 1;
        }
        match tag {
            Some(tag) => self.untagged(tag, dict, index),
            None => Ok(dict.into_any()),
        }
    }

    /// The next key of an object of which `index` items were read; whether the first one is a tag.
    fn key(
        &mut self,
        index: usize,
        tag: &mut Option<Tag>,
    ) -> Result<Option<Bound<'py, PyString>>, Unread> {
        let Next::One(text) = self.reader.key(index).ok_or(Unread::Foreign)? else {
            return Ok(None);
        };
        let key = match text {
            Text::Ascii(text) => self.keys.key(self.py, text)?,
            text => self.text(text)?,
        };
        if index == 0 {
            *tag = Tag::of(key.to_str()?);
        }
        Ok(Some(key))
    }

    /// What an object stands for whose first key is a tag, and of which so many items were read.
    fn untagged(
        &self,
        tag: Tag,
        dict: Bound<'py, PyDict>,
        items: usize,
    ) -> Result<Bound<'py, PyAny>, Unread> {
        if dict.len() != 1 {
            return Ok(dict.into_any());
        }
        // The same key over again is one item: nothing that Flask writes.
        let stands = items == 1 && self.tags.is_none_or(|tags| tags.keys_unchanged(self.py));
        match dict.iter().next() {
            Some((_, value)) if stands => untag(tag, &value),
            _ => Err(Unread::Foreign),
        }
    }
}

fn into_any<T>(result: Result<Bound<'_, T>, std::convert::Infallible>) -> Bound<'_, PyAny> {
    match result {
        Ok(value) => value.into_any(),
        Err(never) => match never {},
    }
}

/// The value behind a tag, where it has the shape that Flask's own encoder gives it.
#[inline(never)]
fn untag<'py>(tag: Tag, value: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>, Unread> {
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
                .decode_to_vec(text.to_str()?)
                .map_err(|_| Unread::Foreign)?;
            return Ok(PyBytes::new(py, &bytes).into_any());
        }
    };
    Ok(constructor.bind(py).call1((text,))?)
}

/// `TagDict.to_python`: the only key loses the two characters that kept it from being a tag.
fn untag_dict<'py>(dict: &Bound<'py, PyDict>) -> Result<Bound<'py, PyAny>, Unread> {
    let mut entries = dict.iter();
    let (Some((key, value)), None) = (entries.next(), entries.next()) else {
        return Err(Unread::Foreign);
    };
    let key = key.cast_exact::<PyString>()?;
    let key = key.to_str()?.strip_suffix("__").ok_or(Unread::Foreign)?;
    let dict = PyDict::new(dict.py());
    dict.set_item(key, value)?;
    Ok(dict.into_any())
}
