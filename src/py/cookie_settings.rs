//! The cookie's attributes as an application has them set: their text is built once and kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyInt, PyString};

use super::cache::{Cache, Kept};
use super::errors::is_ordinary;
use super::states::dict_state;
use super::stock::Stock;
use crate::cookie::Template;

/// Stand-ins for the value and the date while werkzeug builds the text. Neither needs quoting, and
/// neither can be part of a setting: a setting that holds one is not used natively.
const VALUE: &str = "flask-session-rs.value.marker";
const EXPIRES: &str = "flask-session-rs.expires.marker";

/// The settings, in the order of [`CookieSettings::current`].
const NAMES: usize = 10;

/// The texts of one set of settings.
pub(super) struct Settings {
    seen: [Py<PyAny>; NAMES],
    /// The state of the `app.config` in which they were last found; 0 for none.
    config: AtomicU64,
    native: Option<Texts>,
}

/// `Set-Cookie` with the value left open, without and with a date.
pub(super) struct Texts {
    pub session: Template,
    pub dated: Template,
    /// Whether every permanent session's cookie is set again.
    pub refresh: bool,
    /// Bytes beyond which werkzeug warns; 0 for no limit.
    pub limit: usize,
}

impl Settings {
    /// None where werkzeug has to build the cookie, or to refuse it.
    pub(super) fn texts(&self) -> Option<&Texts> {
        self.native.as_ref()
    }
}

/// The sets of settings that one interface object met.
pub(super) struct CookieSettings(Cache<Settings>);

impl CookieSettings {
    pub(super) const fn new() -> Self {
        Self(Cache::new())
    }

    /// The settings in `config` at this moment; None where one is missing, which Flask reports.
    pub(super) fn current(
        &self,
        config: &Bound<'_, PyDict>,
    ) -> PyResult<Option<Kept<'_, Settings>>> {
        let Some(state) = dict_state(config) else {
            return self.read(config);
        };
        let found = self
            .0
            .find(|known| known.config.load(Ordering::Relaxed) == state);
        if found.is_some() {
            return Ok(found);
        }
        let settings = self.read(config)?;
        if let Some(settings) = &settings {
            settings.config.store(state, Ordering::Relaxed);
        }
        Ok(settings)
    }

    #[inline(never)]
    fn read(&self, config: &Bound<'_, PyDict>) -> PyResult<Option<Kept<'_, Settings>>> {
        let py = config.py();
        let names = [
            intern!(py, "SESSION_COOKIE_NAME"),
            intern!(py, "SESSION_COOKIE_DOMAIN"),
            intern!(py, "SESSION_COOKIE_PATH"),
            intern!(py, "APPLICATION_ROOT"),
            intern!(py, "SESSION_COOKIE_SECURE"),
            intern!(py, "SESSION_COOKIE_HTTPONLY"),
            intern!(py, "SESSION_COOKIE_SAMESITE"),
            intern!(py, "SESSION_COOKIE_PARTITIONED"),
            intern!(py, "SESSION_REFRESH_EACH_REQUEST"),
            intern!(py, "MAX_COOKIE_SIZE"),
        ];
        let mut seen = names.map(|_| None);
        for (value, name) in seen.iter_mut().zip(names) {
            *value = config.get_item(name)?;
            if value.is_none() {
                return Ok(None);
            }
        }
        let seen = seen.map(|value| value.unwrap_or_else(|| py.None().into_bound(py)));
        let known = self
            .0
            .find(|known| known.seen.iter().zip(&seen).all(|(a, b)| a.is(b)));
        if known.is_some() {
            return Ok(known);
        }
        let native = match Texts::build(&seen) {
            Ok(native) => native,
            // What werkzeug refuses is refused by Flask's own call of it.
            Err(error) if is_ordinary(py, &error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let settings = Arc::new(Settings {
            native,
            seen: seen.map(Bound::unbind),
            config: AtomicU64::new(0),
        });
        self.0.keep(Arc::clone(&settings));
        Ok(Some(Kept::Later(settings)))
    }
}

impl Texts {
    /// Asks werkzeug's `dump_cookie` for a cookie with these settings, and takes it apart.
    #[cold]
    fn build(seen: &[Bound<'_, PyAny>; NAMES]) -> PyResult<Option<Self>> {
        // Only values that cannot change in place are found again by identity.
        if !seen.iter().all(is_plain) {
            return Ok(None);
        }
        let [
            name,
            domain,
            path,
            root,
            secure,
            httponly,
            samesite,
            partitioned,
            refresh,
            limit,
        ] = seen;
        let py = name.py();
        let path = if path.is_truthy()? { path } else { root };
        let keywords = PyDict::new(py);
        keywords.set_item("domain", domain)?;
        keywords.set_item("path", path)?;
        keywords.set_item("secure", secure)?;
        keywords.set_item("httponly", httponly)?;
        keywords.set_item("samesite", samesite)?;
        keywords.set_item("partitioned", partitioned)?;
        keywords.set_item("max_size", 0)?;
        let dump_cookie = Stock::get(py)?.dump_cookie.bind(py);
        let session = dump_cookie.call((name, VALUE), Some(&keywords))?;
        keywords.set_item("expires", EXPIRES)?;
        let dated = dump_cookie.call((name, VALUE), Some(&keywords))?;
        let session = session.cast::<PyString>()?.to_str()?;
        let dated = dated.cast::<PyString>()?.to_str()?;
        // The name is written as it is given; native code writes ASCII.
        if !session.is_ascii() {
            return Ok(None);
        }
        let (Some(session), Some(dated)) = (
            Template::split(session, VALUE, None),
            Template::split(dated, VALUE, Some(EXPIRES)),
        ) else {
            return Ok(None);
        };
        // A limit that is no count of bytes is werkzeug's to compare with.
        let Ok(limit) = limit.extract::<usize>() else {
            return Ok(None);
        };
        Ok(Some(Self {
            session,
            dated,
            refresh: refresh.is_truthy()?,
            limit,
        }))
    }
}

fn is_plain(value: &Bound<'_, PyAny>) -> bool {
    value.is_none()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyInt>()
}
