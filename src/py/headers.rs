//! Two headers of a werkzeug response: Vary, merged into one that is there, and Set-Cookie.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyString, PyTuple};

use super::stock::Stock;
use super::text::utf8;

/// The headers of a response: the list inside werkzeug's `Headers`, which is what its own methods
/// append to.
pub(super) struct Headers<'py> {
    list: Bound<'py, PyList>,
}

impl<'py> Headers<'py> {
    /// None where the response holds another kind of headers than werkzeug's own.
    pub(super) fn of(response: &Bound<'py, PyAny>) -> PyResult<Option<Self>> {
        let py = response.py();
        let headers = response.getattr(intern!(py, "headers"))?;
        if !headers.get_type().is(&Stock::get(py)?.headers) {
            return Ok(None);
        }
        let list = headers.getattr(intern!(py, "_list"))?;
        Ok(list
            .cast_into_exact::<PyList>()
            .ok()
            .map(|list| Self { list }))
    }

    /// As `response.headers.add("Set-Cookie", value)`. `value` has no line breaks.
    pub(super) fn set_cookie(&self, value: &Bound<'py, PyString>) -> PyResult<()> {
        self.list
            .append((intern!(self.list.py(), "Set-Cookie"), value))
    }

    /// As `response.vary.add("Cookie")`.
    pub(super) fn vary_on_cookie(&self, response: &Bound<'py, PyAny>) -> PyResult<()> {
        let py = self.list.py();
        match self.find_vary() {
            Vary::Absent => self.list.append(field(py)?),
            Vary::HasCookie => Ok(()),
            other => self.merge_vary(response, other),
        }
    }

    /// The same where there is a field without Cookie.
    #[cold]
    fn merge_vary(&self, response: &Bound<'py, PyAny>, found: Vary) -> PyResult<()> {
        let py = self.list.py();
        if let Vary::Tokens(index, tokens) = found {
            let merged = format!("{tokens}, Cookie");
            return self.list.set_item(index, (intern!(py, "Vary"), merged));
        }
        let field = response.getattr(intern!(py, "vary"))?;
        field.call_method1(intern!(py, "add"), (intern!(py, "Cookie"),))?;
        Ok(())
    }

    fn find_vary(&self) -> Vary {
        let mut found = Vary::Absent;
        for (index, header) in self.list.iter().enumerate() {
            let Ok(header) = header.cast_exact::<PyTuple>() else {
                return Vary::Other;
            };
            let Ok(name) = header.get_borrowed_item(0) else {
                return Vary::Other;
            };
            let Some(name) = text(&name) else {
                return Vary::Other;
            };
            if !name.eq_ignore_ascii_case("vary") {
                continue;
            }
            let Ok(value) = header.get_borrowed_item(1) else {
                return Vary::Other;
            };
            let Some(value) = text(&value) else {
                return Vary::Other;
            };
            // werkzeug makes one field of several.
            if !matches!(found, Vary::Absent) {
                return Vary::Other;
            }
            found = Vary::read(index, value);
        }
        found
    }
}

/// `("Vary", "Cookie")`: the same one in every response.
fn field(py: Python<'_>) -> PyResult<&Bound<'_, PyTuple>> {
    static FIELD: PyOnceLock<Py<PyTuple>> = PyOnceLock::new();
    let field = FIELD.get_or_try_init(py, || {
        let field = (intern!(py, "Vary"), intern!(py, "Cookie"));
        field.into_pyobject(py).map(Bound::unbind)
    })?;
    Ok(field.bind(py))
}

fn text<'a>(value: &'a Bound<'_, PyAny>) -> Option<&'a str> {
    utf8(value.cast::<PyString>().ok()?).ok()
}

/// What stands in a response's Vary field.
enum Vary {
    Absent,
    HasCookie,
    /// Plain tokens in the form that werkzeug writes, without Cookie.
    Tokens(usize, String),
    /// Anything else: werkzeug reads and writes it.
    Other,
}

impl Vary {
    fn read(index: usize, value: &str) -> Self {
        let mut has_cookie = false;
        for token in value.split(", ") {
            if token.is_empty()
                || !token
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            {
                return Self::Other;
            }
            has_cookie |= token.eq_ignore_ascii_case("cookie");
        }
        if has_cookie {
            Self::HasCookie
        } else {
            Self::Tokens(index, value.to_owned())
        }
    }
}
