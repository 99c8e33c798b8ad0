//! The session object of sessions in a store: a dict that knows its id, its record, and what is to become of both.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyTuple};

use super::on_update;
use super::redis_source::{Opened, RecordSource};
use super::session::{self, Session};
use super::states::dict_state;
use crate::sid::Sid;

/// Bytes of entropy in an id, unless the interface says otherwise: 43 characters.
pub(super) const SID_LENGTH: usize = 32;

/// The dict underneath `flask_session_rs.RedisSession`.
#[pyclass(extends = Session, subclass, frozen, mapping, module = "flask_session_rs._native")]
pub(crate) struct RedisSession {
    state: Mutex<State>,
}

/// What a session knows of its record. None of it is to be relied on before the session is loaded.
pub(super) struct State {
    /// The record that it was loaded from, or last saved to; None for a new session.
    pub origin: Option<Origin>,
    /// The id that it gets when it is saved: of a new session, or of one that was regenerated. Drawn when asked for.
    pub next: Option<Sid>,
    /// The state that the dict had when it was filled with the record, if the dict has another one as soon as anything changes.
    pub as_loaded: Option<u64>,
    /// `clear()` was called: what another request puts into the record meanwhile goes, too.
    pub cleared: bool,
    /// The store failed, or the session has ended: whatever it holds now is never saved, and no cookie is sent.
    pub over: bool,
    /// It was not loaded, somebody was told, and nobody of what has been put into it since.
    pub lost: bool,
    /// Why the store could not be asked, where nobody has been told yet.
    pub failure: Option<PyErr>,
    /// Bytes of entropy in an id that is drawn.
    pub sid_length: usize,
}

/// Where a session's record is, and what it was.
#[derive(Clone)]
pub(super) struct Origin {
    pub sid: Sid,
    pub record: Arc<Vec<u8>>,
    /// What this session held when it was last saved: less than the record does, where others changed that meanwhile. None
    /// for a record that was loaded.
    pub baseline: Option<Arc<Vec<u8>>>,
}

impl RedisSession {
    fn new_with(sid: Option<Sid>, sid_length: usize) -> Self {
        Self {
            state: Mutex::new(State {
                origin: None,
                next: sid,
                as_loaded: None,
                cleared: false,
                over: false,
                lost: false,
                failure: None,
                sid_length,
            }),
        }
    }

    /// What the session knows. The lock is never held while Python code runs or a store is asked.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The dict, loaded.
    fn dict<'a, 'py>(slf: &'a Bound<'py, Self>) -> PyResult<&'a Bound<'py, PyDict>> {
        Session::dict(slf.as_super())
    }
}

/// Whether data count as no session: nothing, or nothing but `_permanent` (Flask-Session's `ServerSideSession.__bool__`).
pub(super) fn is_empty(data: &Bound<'_, PyDict>) -> PyResult<bool> {
    Ok(match data.len() {
        0 => true,
        1 => data.contains(intern!(data.py(), "_permanent"))?,
        _ => false,
    })
}

/// Asks the store for the record and fills the session with it.
///
/// A failure is raised once: after that the session is empty, and is never saved. Whatever looks at it later in the same
/// request (an extension's `after_request`) goes on, and nobody is logged out.
pub(super) fn load(slf: &Bound<'_, Session>, source: &RecordSource) -> PyResult<()> {
    let redis = slf.cast::<RedisSession>()?;
    let failed = redis.get().state().failure.take();
    let opened = failed.map_or_else(|| source.load(slf.py()), Err);
    settle(slf, redis, opened)
}

/// Does the same before the session's first use, when it is handed out. A failure of the store is kept for that use.
///
/// Raised at once it could get lost, and the request would go on with an empty session as if there were no outage: it is
/// in `LocalProxy`'s descriptors that Flask's `session` is handed out, and where the interpreter looks up `__iter__`,
/// `__eq__` or `__repr__` it takes any exception of theirs for a method that is not there (`slot_tp_iter` and its
/// neighbours in `Objects/typeobject.c`).
pub(super) fn load_ahead(slf: &Bound<'_, Session>, source: &RecordSource) -> PyResult<()> {
    let redis = slf.cast::<RedisSession>()?;
    if redis.get().state().failure.is_some() {
        return Ok(());
    }
    match source.load(slf.py()) {
        Err(error) if error.is_instance_of::<PyException>(slf.py()) => {
            redis.get().state().failure = Some(error);
            Ok(())
        }
        opened => settle(slf, redis, opened),
    }
}

/// Forgets a failure that nobody was told of: the session was handed out, and not used.
pub(super) fn give_up(slf: &Bound<'_, RedisSession>) -> PyResult<()> {
    if slf.get().state().failure.take().is_none() {
        return Ok(());
    }
    Session::fill(
        slf.as_super(),
        |_| Ok(()),
        |_| slf.get().state().over = true,
    )
}

fn settle(
    slf: &Bound<'_, Session>,
    redis: &Bound<'_, RedisSession>,
    opened: PyResult<Opened<'_>>,
) -> PyResult<()> {
    match opened {
        Ok(Opened::Session {
            decoded,
            sid,
            record,
        }) => {
            let put = |dict: &Bound<'_, PyDict>| dict.update(decoded.data.as_mapping());
            Session::fill(slf, put, |_| {
                let mut state = redis.get().state();
                state.origin = Some(Origin {
                    sid,
                    record,
                    baseline: None,
                });
                if decoded.is_flat {
                    state.as_loaded = dict_state(slf.as_super());
                }
            })
        }
        Ok(Opened::New { permanent }) => {
            let put = |dict: &Bound<'_, PyDict>| {
                if permanent {
                    dict.set_item(intern!(dict.py(), "_permanent"), true)?;
                }
                Ok(())
            };
            Session::fill(slf, put, |_| ())
        }
        Err(error) => {
            Session::fill(
                slf,
                |_| Ok(()),
                |_| {
                    let mut state = redis.get().state();
                    (state.over, state.lost) = (true, true);
                },
            )?;
            Err(error)
        }
    }
}

impl State {
    /// The id that the session has from its next save on; drawn now if it is to be a new one.
    pub(super) fn sid(&mut self) -> PyResult<Sid> {
        if let Some(next) = &self.next {
            return Ok(next.clone());
        }
        if let Some(origin) = &self.origin {
            return Ok(origin.sid.clone());
        }
        let drawn = draw(self.sid_length)?;
        self.next = Some(drawn.clone());
        Ok(drawn)
    }
}

/// A new id of so many random bytes from the operating system, as `secrets.token_urlsafe` draws it.
pub(super) fn draw(length: usize) -> PyResult<Sid> {
    let refuse = || super::errors::internal("no random bytes for a session id");
    let mut entropy = vec![0; length];
    getrandom::fill(&mut entropy).map_err(|_| refuse())?;
    Sid::from_entropy(&entropy).ok_or_else(refuse)
}

#[pymethods]
impl RedisSession {
    /// The arguments are for `__init__`: dict's constructor leaves them alone.
    #[new]
    #[pyo3(signature = (*_args, **_kwargs), text_signature = "(initial=None, sid=None, permanent=None)")]
    fn new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Session::loaded()).add_subclass(Self::new_with(None, SID_LENGTH))
    }

    /// As Flask-Session's `ServerSideSession.__init__`: filled from `initial`, permanent if asked for, not modified.
    #[pyo3(signature = (initial = None, sid = None, permanent = None))]
    fn __init__(
        slf: &Bound<'_, Self>,
        initial: Option<&Bound<'_, PyAny>>,
        sid: Option<&Bound<'_, PyAny>>,
        permanent: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let py = slf.py();
        if let Some(sid) = sid {
            let text = sid.extract::<&str>()?;
            let sid = Sid::parse(text.as_bytes()).ok_or_else(|| {
                PyTypeError::new_err(
                    "a session id is 16 to 256 characters out of letters, digits, - and _",
                )
            })?;
            slf.get().state().next = Some(sid);
        }
        if let Some(initial) = initial {
            Self::dict(slf)?;
            session::UPDATE.call(py, (slf, initial))?;
        }
        if let Some(permanent) = permanent
            && permanent.is_truthy()?
        {
            Self::dict(slf)?.set_item(intern!(py, "_permanent"), true)?;
        }
        // As there: a subclass may have its own `modified`.
        if !on_update::is_own_class(slf.as_super())? {
            slf.setattr(intern!(py, "modified"), false)?;
        }
        Ok(())
    }

    /// The session's id: of a new or regenerated session the one that it will be saved under.
    #[getter]
    fn sid(slf: &Bound<'_, Self>) -> PyResult<String> {
        Self::dict(slf)?;
        Ok(slf.get().state().sid()?.as_str().to_owned())
    }

    /// Whether there is no record of the session yet: no cookie was sent, or none that names a session.
    #[getter(new)]
    fn is_new(slf: &Bound<'_, Self>) -> PyResult<bool> {
        Self::dict(slf)?;
        Ok(slf.get().state().origin.is_none())
    }

    /// Moves the session to a new id when it is saved, and ends the old one in the same step. For whenever its rights
    /// change, above all at a login: an id that somebody else may know gives access to nothing then.
    ///
    /// An empty session stays as it is, as in Flask-Session.
    fn regenerate(slf: &Bound<'_, Self>) -> PyResult<()> {
        if is_empty(Self::dict(slf)?)? {
            return Ok(());
        }
        let mut state = slf.get().state();
        state.next = Some(draw(state.sid_length)?);
        drop(state);
        Session::touch(slf.as_super())
    }

    /// Whether it holds anything but `_permanent`.
    fn __bool__(slf: &Bound<'_, Self>) -> PyResult<bool> {
        is_empty(Self::dict(slf)?).map(|empty| !empty)
    }

    /// Removes everything but whether the session is permanent, and whatever other requests put into its record
    /// meanwhile.
    fn clear(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let dict = Self::dict(slf)?;
        let key = intern!(py, "_permanent");
        let permanent = dict
            .get_item(key)?
            .unwrap_or_else(|| PyBool::new(py, false).to_owned().into_any());
        session::CLEAR.call(py, (slf,))?;
        dict.set_item(key, permanent)?;
        slf.get().state().cleared = true;
        Session::touch(slf.as_super())
    }
}
