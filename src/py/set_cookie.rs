//! The session's cookie on a response: what it says, when it expires, and the Vary that belongs to it.

use std::sync::Mutex;

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::cookie_settings::Texts;
use super::encode::Coverage;
use super::headers::Headers;
use super::stock::Stock;
use super::text::ascii;
use crate::cookie::{self, HttpDate};

/// `session.permanent`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Permanent {
    No,
    Yes,
}

impl Permanent {
    /// What the data of a session say.
    pub(super) fn of(data: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(match data.get_item(intern!(data.py(), "_permanent"))? {
            Some(permanent) if permanent.is_truthy()? => Self::Yes,
            _ => Self::No,
        })
    }

    /// `get_expiration_time` of Flask's `SessionInterface` as a cookie has it: no date, or that of `lifetime_us`
    /// microseconds after `now`.
    pub(super) fn expires(
        self,
        now: f64,
        lifetime_us: i128,
    ) -> Result<Option<HttpDate>, NoSuchDate> {
        match self {
            Self::No => Ok(None),
            Self::Yes => expiry(now, lifetime_us).ok_or(NoSuchDate).map(Some),
        }
    }
}

/// Python has no date for it.
pub(super) struct NoSuchDate;

/// `datetime.now(timezone.utc) + lifetime` as an HTTP date, which drops the microseconds. None where
/// Python has no date for it.
fn expiry(now: f64, lifetime_us: i128) -> Option<HttpDate> {
    // Rounded to the microsecond as datetime does. What does not fit (some 290,000 years) becomes the nearest number that
    // does, which is no date of Python's either.
    #[allow(clippy::cast_possible_truncation)]
    let now_us = (now * 1e6).round_ties_even() as i64;
    let lifetime_us = i64::try_from(lifetime_us).ok()?;
    let seconds = now_us.checked_add(lifetime_us)?.div_euclid(1_000_000);
    // Taken for good in a child that was forked at such a moment.
    let Ok(mut last) = LAST.try_lock() else {
        return cookie::http_date(seconds);
    };
    if let Some((of, date)) = &*last
        && *of == seconds
    {
        return Some(*date);
    }
    let date = cookie::http_date(seconds)?;
    *last = Some((seconds, date));
    Some(date)
}

/// The date that was last written: all requests of a second have the same, if their applications' lifetime is.
static LAST: Mutex<Option<(i64, HttpDate)>> = Mutex::new(None);

/// Bytes that a Set-Cookie is given from the start: most sessions', and what glibc keeps ready for a thread.
const ROOM: usize = 1024;

/// A response that is about to get the session's cookie, and how that cookie looks.
pub(super) struct SetCookie<'a, 'py> {
    pub response: &'a Bound<'py, PyAny>,
    pub headers: &'a Headers<'py>,
    pub app: &'a Bound<'py, PyAny>,
    pub texts: &'a Texts,
}

/// Where the Vary of a response stands to its Set-Cookie: Flask's `save_session` begins with that of a session that was
/// read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Vary {
    /// To be set before it.
    Before,
    /// To be set after it.
    After,
    /// Set already.
    There,
}

impl SetCookie<'_, '_> {
    /// Set-Cookie with the value that `write` appends, and Vary where that says. Nothing is done to the response where
    /// `write` leaves the value to Flask.
    pub(super) fn write(
        &self,
        expires: Option<&HttpDate>,
        vary: Vary,
        write: impl FnOnce(&mut Vec<u8>) -> PyResult<Coverage>,
    ) -> PyResult<Coverage> {
        let template = match expires {
            None => &self.texts.session,
            Some(_) => &self.texts.dated,
        };
        let mut text = Vec::with_capacity(ROOM);
        template.open(&mut text);
        let start = text.len();
        if write(&mut text)? == Coverage::Flask {
            return Ok(Coverage::Flask);
        }
        let end = text.len();
        template.close(expires.map(|date| &date[..]), &mut text);
        if vary == Vary::Before {
            self.headers.vary_on_cookie(self.response)?;
        }
        if self.texts.limit == 0 || text.len() <= self.texts.limit {
            self.headers
                .set_cookie(&ascii(self.response.py(), &text)?)?;
        } else {
            // werkzeug warns of the size, in its own words.
            self.write_with_werkzeug(&text[start..end], expires)?;
        }
        if vary == Vary::After {
            self.headers.vary_on_cookie(self.response)?;
        }
        Ok(Coverage::Native)
    }

    #[cold]
    fn write_with_werkzeug(&self, value: &[u8], expires: Option<&HttpDate>) -> PyResult<()> {
        let py = self.response.py();
        let expires = expires.map(|date| ascii(py, date)).transpose()?;
        let config = self.app.getattr(intern!(py, "config"))?;
        let setting = |name: &str| config.get_item(name);
        let path = setting("SESSION_COOKIE_PATH")?;
        let path = if path.is_truthy()? {
            path
        } else {
            setting("APPLICATION_ROOT")?
        };
        let keywords = PyDict::new(py);
        keywords.set_item("expires", expires)?;
        keywords.set_item("httponly", setting("SESSION_COOKIE_HTTPONLY")?)?;
        keywords.set_item("domain", setting("SESSION_COOKIE_DOMAIN")?)?;
        keywords.set_item("path", path)?;
        keywords.set_item("secure", setting("SESSION_COOKIE_SECURE")?)?;
        keywords.set_item("partitioned", setting("SESSION_COOKIE_PARTITIONED")?)?;
        keywords.set_item("samesite", setting("SESSION_COOKIE_SAMESITE")?)?;
        let arguments = (setting("SESSION_COOKIE_NAME")?, ascii(py, value)?);
        self.response
            .getattr(intern!(py, "set_cookie"))?
            .call(arguments, Some(&keywords))?;
        Ok(())
    }
}

/// Whether `set_cookie` was replaced on the response object itself.
pub(super) fn has_own_set_cookie(response: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = response.py();
    let found = response.getattr(intern!(py, "set_cookie"))?;
    let shipped = Stock::get(py)?.set_cookie.bind(py);
    Ok(!is_method(&found, shipped, response))
}

/// Whether it is `function`, bound to `object`.
#[allow(unsafe_code)]
fn is_method(
    found: &Bound<'_, PyAny>,
    function: &Bound<'_, PyAny>,
    object: &Bound<'_, PyAny>,
) -> bool {
    // https://docs.python.org/3/c-api/method.html
    unsafe extern "C" {
        static mut PyMethod_Type: ffi::PyTypeObject;
        fn PyMethod_Function(method: *mut ffi::PyObject) -> *mut ffi::PyObject;
        fn PyMethod_Self(method: *mut ffi::PyObject) -> *mut ffi::PyObject;
    }
    // SAFETY: the type of bound methods has no subclasses. Both functions return a borrowed reference, which is only
    // compared. Asking for `__func__` would be one look-up more in every request that sets a cookie.
    unsafe {
        found.get_type_ptr() == &raw mut PyMethod_Type
            && PyMethod_Function(found.as_ptr()) == function.as_ptr()
            && PyMethod_Self(found.as_ptr()) == object.as_ptr()
    }
}
