//! The native half of `SecureCookieSessionInterface`: one call to open a session, one to save it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::clock;
use super::codec::Contents;
use super::cookie_settings::{CookieSettings, Texts};
use super::decode::{Decoder, Items};
use super::encode::Coverage;
use super::errors::contained;
use super::headers::Headers;
use super::null_sessions::NullSessions;
use super::plan::{Native, Plan, Plans};
use super::session::{Session, Source};
use super::set_cookie::{Permanent, SetCookie, Vary, has_own_set_cookie};
use super::stock::Stock;
use super::text::utf8;
use crate::cookie;
use crate::json::{self, Flag};
use crate::payload::{self, INFLATE_CAP};
use crate::token;

/// The base of `flask_session_rs.SecureCookieSessionInterface`.
///
/// Whatever an application customises is answered by Flask's own `open_session` and `save_session`,
/// which the shim reaches as `_open_with_flask` and `_save_with_flask`.
#[pyclass(subclass, frozen, module = "flask_session_rs._native")]
pub(crate) struct SecureCookieInterface {
    plans: Plans,
    cookies: CookieSettings,
    null_sessions: NullSessions,
}

/// A session cookie that nobody has looked at yet: the Cookie header that holds it, and what opens it.
pub(super) struct SealedCookie {
    header: Py<PyString>,
    plan: Arc<Plan>,
}

impl SealedCookie {
    /// What the cookie holds, verified and decoded now; None for a cookie that is not accepted. With it comes where the
    /// payload stands, if it is what would be written for as long as nothing changes.
    pub(super) fn decode<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<Option<(Items<'py>, Option<Range<usize>>)>> {
        contained(|| {
            let Some(native) = self.plan.native() else {
                return Ok(None);
            };
            let Some(header) = header_text(self.header.bind(py)) else {
                return Ok(None);
            };
            let Some(token) = cookie::find(header, &native.cookie_name) else {
                return Ok(None);
            };
            let Some(now) = clock::timestamp(clock::now(py)?) else {
                return Ok(None);
            };
            let decoder = Decoder {
                serializer: native.serializer.bind(py),
                tags: self.plan.tags(),
            };
            let opened = native
                .codec
                .open(py, &token, now, native.max_age, &decoder)?;
            Ok(opened.map(|Contents { items, payload }| {
                let place = match &token {
                    Cow::Borrowed(_) => payload.and_then(|payload| place_in(header, payload)),
                    // A quoted value does not stand in the header as it is.
                    Cow::Owned(_) => None,
                };
                (items, place)
            }))
        })
    }

    /// What stands at this place of the header.
    pub(super) fn text<'a>(&'a self, py: Python<'a>, place: Range<usize>) -> Option<&'a [u8]> {
        header_text(self.header.bind(py))?.get(place)
    }
}

/// Where a part of the header stands in it.
fn place_in(header: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(header.as_ptr() as usize)?;
    Some(start..start + part.len())
}

/// A Cookie header as Flask's request reads it: the text that WSGI gave, whatever bytes it stands
/// for. None where it holds lone surrogates, which no WSGI server sends.
fn header_text<'a>(header: &'a Bound<'_, PyString>) -> Option<&'a [u8]> {
    utf8(header).ok().map(str::as_bytes)
}

/// Whether native code answered a call, or leaves it to Flask.
enum Answer<T> {
    Native(T),
    AskFlask,
}

#[pymethods]
impl SecureCookieInterface {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self {
            plans: Plans::new(),
            cookies: CookieSettings::new(),
            null_sessions: NullSessions::new(),
        }
    }

    /// As Flask's: the session of the request's cookie; an empty one where there is no cookie, or
    /// none that is accepted; None without a secret key. The cookie is verified when the session is
    /// first used.
    fn open_session<'py>(
        slf: &Bound<'py, Self>,
        app: &Bound<'py, PyAny>,
        request: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match contained(|| Self::try_open(slf, app, request))? {
            Answer::Native(session) => Ok(session.into_any()),
            Answer::AskFlask => Self::open_with_flask(slf, app, request),
        }
    }

    /// As Flask's: whether the session is one that cannot be saved, for want of a secret key.
    #[pyo3(signature = (obj))]
    fn is_null_session<'py>(
        slf: &Bound<'py, Self>,
        obj: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let own = &Stock::get(slf.py())?.session;
        slf.get().null_sessions.ask(slf, obj, own)
    }

    /// As Flask's: Vary, Set-Cookie or neither, as the session was used.
    fn save_session(
        slf: &Bound<'_, Self>,
        app: &Bound<'_, PyAny>,
        session: &Bound<'_, PyAny>,
        response: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        match contained(|| Self::try_save(slf, app, session, response))? {
            Answer::Native(()) => Ok(()),
            Answer::AskFlask => Self::save_with_flask(slf, app, session, response),
        }
    }
}

impl SecureCookieInterface {
    #[cold]
    fn open_with_flask<'py>(
        slf: &Bound<'py, Self>,
        app: &Bound<'py, PyAny>,
        request: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.call_method1(intern!(slf.py(), "_open_with_flask"), (app, request))
    }

    #[cold]
    fn save_with_flask(
        slf: &Bound<'_, Self>,
        app: &Bound<'_, PyAny>,
        session: &Bound<'_, PyAny>,
        response: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let method = intern!(slf.py(), "_save_with_flask");
        slf.call_method1(method, (app, session, response))?;
        Ok(())
    }

    fn try_open<'py>(
        slf: &Bound<'py, Self>,
        app: &Bound<'py, PyAny>,
        request: &Bound<'py, PyAny>,
    ) -> PyResult<Answer<Bound<'py, Session>>> {
        let (py, this) = (slf.py(), slf.get());
        let Some((plan, _)) = this.plans.current(slf.as_any(), app)? else {
            return Ok(Answer::AskFlask);
        };
        if !this.plans.request_is_shipped(request)? {
            return Ok(Answer::AskFlask);
        }
        let class = Stock::get(py)?.session.bind(py);
        let environ = request.getattr(intern!(py, "environ"))?;
        let Ok(environ) = environ.cast_into_exact::<PyDict>() else {
            return Ok(Answer::AskFlask);
        };
        let Some(header) = environ.get_item(intern!(py, "HTTP_COOKIE"))? else {
            return Ok(Answer::Native(Session::empty(class)?));
        };
        let Ok(header) = header.cast_into_exact::<PyString>() else {
            return Ok(Answer::AskFlask);
        };
        let sealed = SealedCookie {
            header: header.unbind(),
            plan: Arc::clone(&plan),
        };
        Ok(Answer::Native(Session::lazy(
            class,
            Source::Cookie(sealed),
        )?))
    }

    fn try_save(
        slf: &Bound<'_, Self>,
        app: &Bound<'_, PyAny>,
        session: &Bound<'_, PyAny>,
        response: &Bound<'_, PyAny>,
    ) -> PyResult<Answer<()>> {
        let (py, this) = (slf.py(), slf.get());
        if !session.get_type().is(&Stock::get(py)?.session) {
            return Ok(Answer::AskFlask);
        }
        let session = session.cast::<Session>()?;
        let state = session.get();
        let untouched = state.is_untouched();
        let needs_no_cookie = if untouched {
            !state.source_may_be_permanent(py)
        } else {
            !state.is_modified() && Permanent::of(Session::dict(session)?)? == Permanent::No
        };
        if needs_no_cookie {
            if !this.plans.interface_is_shipped(slf)? {
                return Ok(Answer::AskFlask);
            }
            return this.save_nothing(session, response);
        }
        let Some((plan, config)) = this.plans.current(slf.as_any(), app)? else {
            return Ok(Answer::AskFlask);
        };
        let Some(native) = plan.native() else {
            return Ok(Answer::AskFlask);
        };
        let Some(settings) = this.cookies.current(&config)? else {
            return Ok(Answer::AskFlask);
        };
        let Some(texts) = settings.texts() else {
            return Ok(Answer::AskFlask);
        };
        let save = Save {
            interface: this,
            app,
            native,
            texts,
            response,
        };
        if untouched && let Some(Source::Cookie(sealed)) = state.source() {
            if !texts.refresh {
                return Ok(Answer::Native(()));
            }
            match sealed.refresh_due(py)? {
                Refresh::NotDue => return Ok(Answer::Native(())),
                Refresh::Reseal(payload) => {
                    return save.set_cookie(session, Permanent::Yes, |now, token| {
                        token::reseal(native.codec.keyring(), &payload, now, token);
                        Ok(Coverage::Native)
                    });
                }
                Refresh::Unclear => {}
            }
        }
        let data = Session::dict(session)?;
        if data.is_empty() {
            // A deletion is rare: Flask's own code does it.
            if state.is_modified() {
                return Ok(Answer::AskFlask);
            }
            return this.save_nothing(session, response);
        }
        let permanent = Permanent::of(data)?;
        let refresh_due = permanent == Permanent::Yes && texts.refresh;
        if !state.is_modified() && !refresh_due {
            return this.save_nothing(session, response);
        }
        // Where nothing changed since the cookie was read, its payload is what would be written.
        let payload = if state.is_modified() {
            None
        } else {
            state.payload_if_unchanged(data)
        };
        save.set_cookie(session, permanent, |now, token| match payload {
            Some(payload) => {
                token::reseal(native.codec.keyring(), payload, now, token);
                Ok(Coverage::Native)
            }
            None => native.codec.seal(data, now, token),
        })
    }

    /// No cookie; Vary if the session was read.
    fn save_nothing<'py>(
        &self,
        session: &Bound<'py, Session>,
        response: &Bound<'py, PyAny>,
    ) -> PyResult<Answer<()>> {
        if session.get().is_accessed() {
            let Some(headers) = self.headers(response)? else {
                return Ok(Answer::AskFlask);
            };
            headers.vary_on_cookie(response)?;
        }
        Ok(Answer::Native(()))
    }

    /// The response's headers, if they are set as Flask's response class sets them.
    fn headers<'py>(&self, response: &Bound<'py, PyAny>) -> PyResult<Option<Headers<'py>>> {
        if !self.plans.response_is_shipped(response)? {
            return Ok(None);
        }
        Headers::of(response)
    }
}

/// Whether an untouched session is to be sealed again.
enum Refresh {
    NotDue,
    /// Permanent and valid: this payload, sealed at the present time.
    Reseal(Vec<u8>),
    /// Only the decoded session can tell.
    Unclear,
}

impl SealedCookie {
    /// Whether the cookie can hold a permanent session, judged by its text. Nothing is decoded, nor
    /// even the cookie looked for: the whole header is searched.
    pub(super) fn may_be_permanent(&self, py: Python<'_>) -> bool {
        header_text(self.header.bind(py)).is_none_or(payload::may_mention_permanent)
    }

    /// Called when `SESSION_REFRESH_EACH_REQUEST` is on: Flask then sets the cookie of every permanent
    /// session again. No object is built to find out, and no signature is verified for a session
    /// that does not call itself permanent. The cookie is judged by the settings of the time when the session was opened,
    /// as Flask does.
    fn refresh_due(&self, py: Python<'_>) -> PyResult<Refresh> {
        let Some(native) = self.plan.native() else {
            return Ok(Refresh::Unclear);
        };
        let Some(header) = header_text(self.header.bind(py)) else {
            return Ok(Refresh::NotDue);
        };
        let Some(token) = cookie::find(header, &native.cookie_name) else {
            return Ok(Refresh::NotDue);
        };
        let Some(unverified) = token::payload_of(&token) else {
            return Ok(Refresh::NotDue);
        };
        let deflated = unverified.starts_with(b".");
        let mut text = Vec::new();
        // What inflates is not read before its signature is: only a holder of the key may make us
        // inflate.
        if !deflated {
            if payload::unpack(unverified, INFLATE_CAP, &mut text).is_err() {
                return Ok(Refresh::NotDue);
            }
            if matches!(permanence(&text), Flag::Absent | Flag::False) {
                return Ok(Refresh::NotDue);
            }
        }
        let Some(now) = clock::timestamp(clock::now(py)?) else {
            return Ok(Refresh::Unclear);
        };
        let keyring = native.codec.keyring();
        let Ok(payload) = token::verify(keyring, &token, now, native.max_age) else {
            return Ok(Refresh::NotDue);
        };
        if deflated && payload::unpack(payload, INFLATE_CAP, &mut text).is_err() {
            return Ok(Refresh::NotDue);
        }
        Ok(match permanence(&text) {
            Flag::Absent | Flag::False => Refresh::NotDue,
            Flag::True => Refresh::Reseal(payload.to_vec()),
            Flag::Unclear => Refresh::Unclear,
        })
    }
}

fn permanence(text: &[u8]) -> Flag {
    json::top_level_flag(text, "_permanent")
}

/// What a response is given.
struct Save<'a, 'py> {
    interface: &'a SecureCookieInterface,
    app: &'a Bound<'py, PyAny>,
    native: &'a Native,
    texts: &'a Texts,
    response: &'a Bound<'py, PyAny>,
}

impl<'py> Save<'_, 'py> {
    /// Vary and Set-Cookie, with the token that `seal` appends for the present time. Nothing is
    /// done to the response unless all of it is.
    fn set_cookie(
        &self,
        session: &Bound<'py, Session>,
        permanent: Permanent,
        seal: impl FnOnce(u64, &mut Vec<u8>) -> PyResult<Coverage>,
    ) -> PyResult<Answer<()>> {
        let py = self.response.py();
        let Some(headers) = self.interface.headers(self.response)? else {
            return Ok(Answer::AskFlask);
        };
        if has_own_set_cookie(self.response)? || !self.app_is_current()? {
            return Ok(Answer::AskFlask);
        }
        let clock = clock::now(py)?;
        let Some(now) = clock::timestamp(clock) else {
            return Ok(Answer::AskFlask);
        };
        let Ok(expires) = permanent.expires(clock, self.native.lifetime_us) else {
            return Ok(Answer::AskFlask);
        };
        let vary = if session.get().is_accessed() {
            Vary::Before
        } else {
            Vary::After
        };
        let coverage = SetCookie {
            response: self.response,
            headers: &headers,
            app: self.app,
            texts: self.texts,
        }
        .write(expires.as_ref(), vary, |out| seal(now, out))?;
        Ok(match coverage {
            Coverage::Native => Answer::Native(()),
            Coverage::Flask => Answer::AskFlask,
        })
    }

    /// Whether the application context is this application's: the JSON provider that Flask's
    /// serializer uses is that of the current application.
    fn app_is_current(&self) -> PyResult<bool> {
        let py = self.app.py();
        let context = Stock::get(py)?.current_app_context(py)?;
        match context {
            Some(context) => Ok(context.getattr(intern!(py, "app"))?.is(self.app)),
            None => Ok(false),
        }
    }
}
