//! The native half of `RedisSessionInterface`: one call to open a session, one to save it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use super::backend::Backend;
use super::errors::{contained, is_of_store};
use super::null_sessions::NullSessions;
use super::redis_save::Save;
use super::redis_session::{self, RedisSession};
use super::redis_settings::{Current, RedisSettings, RedisSettingsKept};
use super::redis_source::{RecordSource, Sent};
use super::session::{Session, Source};
use super::stock::Stock;
use super::verdicts::Verdicts;
use crate::record::Format;
use crate::sid::Sid;
use crate::turns::Turns;

/// The base of `flask_session_rs.RedisSessionInterface`.
#[pyclass(subclass, frozen, module = "flask_session_rs._native")]
pub(crate) struct RedisInterface {
    options: OnceLock<Arc<Options>>,
    settings: RedisSettingsKept,
    requests: Verdicts,
    null_sessions: NullSessions,
    pub(super) responses: Verdicts,
}

/// What the interface was made with.
pub(super) struct Options {
    pub backend: Backend,
    pub key_prefix: String,
    pub use_signer: bool,
    /// Whether new sessions begin permanent.
    pub permanent: bool,
    pub format: Format,
    pub sid_length: usize,
    pub turns: Turns,
}

impl Options {
    /// The key of this session's record.
    pub(super) fn key(&self, sid: &Sid) -> Vec<u8> {
        sid.store_key(&self.key_prefix)
    }
}

impl RedisInterface {
    pub(super) fn options(&self) -> PyResult<&Arc<Options>> {
        self.options.get().ok_or_else(|| {
            PyRuntimeError::new_err("RedisSessionInterface.__init__ has not been called")
        })
    }
}

#[pymethods]
impl RedisInterface {
    /// The arguments are for `__init__`, so that a subclass may have others.
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self {
            options: OnceLock::new(),
            settings: RedisSettingsKept::new(),
            requests: Verdicts::new(),
            null_sessions: NullSessions::new(),
            responses: Verdicts::new(),
        }
    }

    /// Takes the options of the interface. Connects to nothing.
    #[pyo3(signature = (
        client, *, key_prefix, use_signer, permanent, sid_length, serialization_format, timeout, pool_size
    ))]
    #[allow(clippy::too_many_arguments)] // those of the public class
    fn _configure(
        &self,
        client: &Bound<'_, PyAny>,
        key_prefix: String,
        use_signer: bool,
        permanent: bool,
        sid_length: i64,
        serialization_format: &str,
        timeout: f64,
        pool_size: i64,
    ) -> PyResult<()> {
        // 128 bits are what makes an id impossible to guess; 192 bytes are the 256 characters of the longest.
        let sid_length = usize::try_from(sid_length)
            .ok()
            .filter(|length| (16..=192).contains(length))
            .ok_or_else(|| {
                PyValueError::new_err(
                    "sid_length is the number of random bytes in a session id: from 16 to 192",
                )
            })?;
        let pool_size = usize::try_from(pool_size).map_err(|_| {
            PyValueError::new_err("pool_size is a number of connections, 0 or more")
        })?;
        let format = match serialization_format {
            "msgpack" => Format::MsgPack,
            "json" => Format::Json,
            _ => {
                return Err(PyValueError::new_err(
                    "serialization_format is \"msgpack\" or \"json\"",
                ));
            }
        };
        let timeout = Duration::try_from_secs_f64(timeout)
            .ok()
            .filter(|timeout| !timeout.is_zero())
            .ok_or_else(|| PyValueError::new_err("timeout is a number of seconds above 0"))?;
        let options = Options {
            backend: Backend::of(client, pool_size, timeout)?,
            key_prefix,
            use_signer,
            permanent,
            format,
            sid_length,
            turns: Turns::new(),
        };
        self.options
            .set(Arc::new(options))
            .map_err(|_| PyRuntimeError::new_err("the interface is already set up"))
    }

    /// The session of the request's cookie, not yet asked for: the store is asked when the session is first used. None
    /// where ids are to be signed and there is no secret key.
    fn open_session<'py>(
        slf: &Bound<'py, Self>,
        app: &Bound<'py, PyAny>,
        request: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, Session>>> {
        contained(|| Self::open(slf, app, request))
    }

    /// As Flask's: whether the session is one that cannot be saved, for want of a secret key.
    #[pyo3(signature = (obj))]
    fn is_null_session<'py>(
        slf: &Bound<'py, Self>,
        obj: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let own = &Stock::get(slf.py())?.redis_session;
        slf.get().null_sessions.ask(slf, obj, own)
    }

    /// Writes to the store what the request changed, and to the response Vary, Set-Cookie or neither.
    fn save_session(
        slf: &Bound<'_, Self>,
        app: &Bound<'_, PyAny>,
        session: &Bound<'_, PyAny>,
        response: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        contained(|| Self::save(slf, app, session, response))
    }

    /// The same as `session.regenerate()`: a new id from the next save on, and the old one ended in the same step.
    #[pyo3(signature = (session))]
    #[allow(clippy::unused_self)] // a method of the interface, as Flask-Session has it
    fn regenerate(&self, session: &Bound<'_, PyAny>) -> PyResult<()> {
        session
            .call_method0(intern!(session.py(), "regenerate"))
            .map(drop)
    }

    /// What stands before the id in a record's key.
    #[getter]
    fn key_prefix(&self) -> PyResult<&str> {
        Ok(&self.options()?.key_prefix)
    }

    /// Whether the id in the cookie is signed.
    #[getter]
    fn use_signer(&self) -> PyResult<bool> {
        Ok(self.options()?.use_signer)
    }

    /// Whether new sessions begin permanent.
    #[getter]
    fn permanent(&self) -> PyResult<bool> {
        Ok(self.options()?.permanent)
    }

    /// Bytes of entropy in a new id.
    #[getter]
    fn sid_length(&self) -> PyResult<usize> {
        Ok(self.options()?.sid_length)
    }

    /// How records are written: `"msgpack"` or `"json"`. Both are read.
    #[getter]
    fn serialization_format(&self) -> PyResult<&'static str> {
        Ok(match self.options()?.format {
            Format::MsgPack => "msgpack",
            Format::Json => "json",
        })
    }
}

impl RedisInterface {
    fn open<'py>(
        slf: &Bound<'py, Self>,
        app: &Bound<'py, PyAny>,
        request: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, Session>>> {
        let this = slf.get();
        let options = this.options()?;
        let Current::Settings(settings) = this.settings.current(slf, app)? else {
            return Ok(None);
        };
        let sent = this.sent(request, &settings)?;
        let session = Self::new_session(slf)?;
        session.cast::<RedisSession>()?.get().state().sid_length = options.sid_length;
        let source = RecordSource {
            options: Arc::clone(options),
            settings,
            sent,
        };
        Session::defer(&session, Source::Record(source))?;
        Ok(Some(session))
    }

    /// The cookie as the request sent it.
    fn sent(&self, request: &Bound<'_, PyAny>, settings: &RedisSettings) -> PyResult<Sent> {
        let py = request.py();
        if self.requests.holds(request, &Stock::get(py)?.request)?
            && let Ok(environ) = request
                .getattr(intern!(py, "environ"))?
                .cast_into_exact::<PyDict>()
        {
            return Ok(match environ.get_item(intern!(py, "HTTP_COOKIE"))? {
                None => Sent::Nothing,
                Some(header) => match header.cast_into::<PyString>() {
                    Ok(header) => Sent::Header(header.unbind()),
                    Err(_) => Sent::Nothing,
                },
            });
        }
        // A request class with ways of its own to read cookies.
        let name = String::from_utf8_lossy(&settings.cookie_name);
        let value = request
            .getattr(intern!(py, "cookies"))?
            .call_method1(intern!(py, "get"), (name.as_ref(),))?;
        Ok(match value.cast_into::<PyString>() {
            Ok(value) => Sent::Value(value.unbind()),
            Err(_) => Sent::Nothing,
        })
    }

    /// A new object of the interface's session class.
    fn new_session<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Session>> {
        let py = slf.py();
        let class = slf
            .getattr(intern!(py, "session_class"))?
            .cast_into::<PyType>()?;
        if class.is(&Stock::get(py)?.redis_session) {
            return Session::empty(&class);
        }
        let session = class.call0()?;
        if !session.is_instance_of::<RedisSession>() {
            return Err(PyTypeError::new_err(
                "session_class is a subclass of flask_session_rs.RedisSession",
            ));
        }
        Ok(session.cast_into::<Session>()?)
    }

    fn save(
        slf: &Bound<'_, Self>,
        app: &Bound<'_, PyAny>,
        session: &Bound<'_, PyAny>,
        response: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let redis = session.cast::<RedisSession>().map_err(|_| {
            PyTypeError::new_err("the session is not one of this interface's own class")
        })?;
        let base: &Bound<'_, Session> = redis.as_super();
        let Current::Settings(settings) = slf.get().settings.current(slf, app)? else {
            return Ok(());
        };
        let save = Save {
            interface: slf,
            app,
            session: redis,
            settings: &settings,
            response,
        };
        if base.get().is_untouched() && !save.is_accessed()? && !save.is_modified()? {
            let Some(Source::Record(source)) = base.get().source() else {
                return Ok(());
            };
            if !save.asks_the_application()? {
                return save.refresh_untouched(source);
            }
            // Whoever is asked looks into the session. A view that does not use it needs no store all the same.
            if !settings.refresh {
                return Ok(());
            }
            match Session::dict(base) {
                Err(error) if is_of_store(slf.py(), &error) => return Ok(()),
                loaded => loaded?,
            };
        }
        redis_session::give_up(redis)?;
        let saved = save.save();
        if saved.is_err() {
            // Flask saves once more while it builds the error page: that call is to do nothing.
            redis.get().state().over = true;
        }
        saved
    }
}
