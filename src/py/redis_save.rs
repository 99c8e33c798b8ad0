//! A session in a store, saved: the store brought to what the session holds, and the response told.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::clock;
use super::encode::Coverage;
use super::errors::{is_of_store, not_saved};
use super::headers::Headers;
use super::on_update;
use super::redis::RedisInterface;
use super::redis_session::{self, Origin, RedisSession, draw};
use super::redis_settings::RedisSettings;
use super::redis_source::RecordSource;
use super::session::{Session, Source};
use super::set_cookie::{Permanent, SetCookie, Vary, has_own_set_cookie};
use super::states::dict_state;
use super::stock::Stock;
use super::{record_decode, record_encode};
use crate::commit::{Commit, Intent, Outcome};
use crate::msgpack;
use crate::record::{self, Format, Record};
use crate::sid::Sid;
use crate::store::{Loaded, Ttl};

/// One session to be saved.
pub(super) struct Save<'a, 'py> {
    pub interface: &'a Bound<'py, RedisInterface>,
    pub app: &'a Bound<'py, PyAny>,
    pub session: &'a Bound<'py, RedisSession>,
    pub settings: &'a RedisSettings,
    pub response: &'a Bound<'py, PyAny>,
}

/// What a commit came to, for the session and for its cookie.
enum Saved {
    /// The session has a record: this one, from now on.
    Kept(Origin),
    /// It is deleted.
    Deleted,
    /// It had ended before: another request logged out, or moved it to a new id. The cookie is left alone, as the browser
    /// may hold a newer one by now.
    Ended,
}

impl<'py> Save<'_, 'py> {
    /// A session that nobody used: its expiry is slid, and its cookie's, if each request is to do so.
    pub(super) fn refresh_untouched(&self, source: &RecordSource) -> PyResult<()> {
        let py = self.session.py();
        if !self.settings.refresh {
            return Ok(());
        }
        let Some(sid) = source.sid(py) else {
            return Ok(());
        };
        let ttl = self.settings.ttl;
        let found = match self.load(&sid, ttl) {
            Ok(Loaded::Record(found)) => found,
            Ok(Loaded::Absent | Loaded::Foreign) => return Ok(()),
            // A view that does not use its session needs no store.
            Err(error) if is_of_store(py, &error) => return Ok(()),
            Err(error) => return Err(error),
        };
        let permanent = match record::permanence(&found) {
            Some(record::Permanent::True) => true,
            Some(record::Permanent::False | record::Permanent::Absent) => false,
            Some(record::Permanent::Unclear) | None => match record_decode::decode(py, &found)? {
                Some(data) => Permanent::of(&data)? == Permanent::Yes,
                None => false,
            },
        };
        if permanent {
            self.set_cookie(&sid, Permanent::Yes, None)?;
        }
        Ok(())
    }

    /// Whether code of the application's own may decide about the cookie or the session.
    pub(super) fn asks_the_application(&self) -> PyResult<bool> {
        Ok(self.settings.cookie.is_none() || !self.is_own_class()?)
    }

    /// Whether the session's class is the package's own. A subclass may have its own `accessed`, `modified`, `permanent` and
    /// `__bool__`, and is asked for each, as Flask-Session asks.
    fn is_own_class(&self) -> PyResult<bool> {
        on_update::is_own_class(self.session.as_super())
    }

    pub(super) fn is_accessed(&self) -> PyResult<bool> {
        if self.is_own_class()? {
            return Ok(self.session.as_super().get().is_accessed());
        }
        let accessed = self.session.getattr(intern!(self.session.py(), "accessed"));
        accessed?.is_truthy()
    }

    pub(super) fn is_modified(&self) -> PyResult<bool> {
        if self.is_own_class()? {
            return Ok(self.session.as_super().get().is_modified());
        }
        let modified = self.session.getattr(intern!(self.session.py(), "modified"));
        modified?.is_truthy()
    }

    fn is_empty(&self, data: &Bound<'py, PyDict>) -> PyResult<bool> {
        if self.is_own_class()? {
            return redis_session::is_empty(data);
        }
        self.session.is_truthy().map(|holds| !holds)
    }

    fn permanent(&self, data: &Bound<'py, PyDict>) -> PyResult<Permanent> {
        if self.is_own_class()? {
            return Permanent::of(data);
        }
        let permanent = self.session.getattr(intern!(data.py(), "permanent"));
        Ok(if permanent?.is_truthy()? {
            Permanent::Yes
        } else {
            Permanent::No
        })
    }

    pub(super) fn save(&self) -> PyResult<()> {
        let base: &Bound<'py, Session> = self.session.as_super();
        let (accessed, modified) = (self.is_accessed()?, self.is_modified()?);
        let data = Session::dict(base)?;
        if self.session.get().state().over {
            self.vary_if(accessed)?;
            return self.tell_of_what_is_lost(modified);
        }
        if self.is_empty(data)? {
            return self.save_empty(accessed, modified);
        }
        let with_vary = self.vary_if(accessed)?;
        let permanent = self.permanent(data)?;
        let saved = self.commit(data, false, modified)?;
        let wrote = saved.is_some();
        let sid = match saved {
            Some(Saved::Kept(origin)) => {
                let sid = origin.sid.clone();
                let mut state = self.session.get().state();
                state.origin = Some(origin);
                state.next = None;
                state.cleared = false;
                sid
            }
            Some(Saved::Deleted | Saved::Ended) => {
                self.session.get().state().over = true;
                return Ok(());
            }
            None => {
                let origin = self.session.get().state().origin.clone();
                let Some(Origin { sid, .. }) = origin else {
                    return Ok(());
                };
                if self.expires_otherwise()
                    && !matches!(self.load(&sid, self.settings.ttl)?, Loaded::Record(_))
                {
                    self.session.get().state().over = true;
                    return Ok(());
                }
                sid
            }
        };
        let stored = wrote || modified || self.settings.refresh;
        if stored && self.should_set_cookie(modified, permanent)? {
            self.set_cookie(&sid, permanent, with_vary)?;
        }
        Ok(())
    }

    /// Whether the settings changed after the session was loaded, so that its record does not live as long as its cookie
    /// will.
    fn expires_otherwise(&self) -> bool {
        let Some(Source::Record(source)) = self.session.as_super().get().loaded_from() else {
            return false;
        };
        self.settings.refresh && source.slide() != Some(self.settings.ttl)
    }

    /// A session that could not be loaded is never saved. Where the application went on without it, and put something into
    /// it, a response that speaks of no failure would be wrong.
    fn tell_of_what_is_lost(&self, modified: bool) -> PyResult<()> {
        let lost = std::mem::take(&mut self.session.get().state().lost);
        if !lost || !modified {
            return Ok(());
        }
        let py = self.session.py();
        let status = self.response.getattr(intern!(py, "status_code"))?;
        if status.extract::<u16>()? >= 500 {
            return Ok(());
        }
        Err(not_saved(py))
    }

    /// A session that holds nothing: if the request emptied it, its record and its cookie go.
    fn save_empty(&self, accessed: bool, modified: bool) -> PyResult<()> {
        self.vary_if(accessed)?;
        if !modified {
            return Ok(());
        }
        let data = Session::dict(self.session.as_super())?;
        match self.commit(data, true, true)? {
            // Another request put something into it meanwhile: it lives on, as it is in the browser.
            Some(Saved::Kept(..) | Saved::Ended) => {
                self.session.get().state().over = true;
            }
            Some(Saved::Deleted) | None => {
                let mut state = self.session.get().state();
                state.origin = None;
                state.next = None;
                state.cleared = false;
                drop(state);
                let py = self.session.py();
                self.interface
                    .call_method1(intern!(py, "_delete_cookie"), (self.app, self.response))?;
            }
        }
        Ok(())
    }

    /// Brings the store to what the session holds, or to nothing. None where there was nothing to write.
    fn commit(
        &self,
        data: &Bound<'py, PyDict>,
        empty: bool,
        modified: bool,
    ) -> PyResult<Option<Saved>> {
        let options = self.interface.get().options()?;
        // What a class of the application's own takes for empty may hold something.
        let nothing = PyDict::new(data.py());
        let data = if empty && !redis_session::is_empty(data)? {
            let key = intern!(data.py(), "_permanent");
            if let Some(permanent) = data.get_item(key)? {
                nothing.set_item(key, permanent)?;
            }
            &nothing
        } else {
            data
        };
        let (origin, next, cleared) = {
            let mut state = self.session.get().state();
            // Nothing in it has changed since it was loaded, which need not be encoded to find out.
            if !modified
                && !state.cleared
                && state.next.is_none()
                && state.as_loaded.is_some()
                && state.as_loaded == dict_state(data)
            {
                return Ok(None);
            }
            let next = match &state.origin {
                Some(_) => state.next.clone(),
                None if empty => None,
                None => Some(state.sid()?),
            };
            (state.origin.clone(), next, state.cleared)
        };
        let Some(origin) = origin else {
            // A new one is written when there is something in it that somebody put there, or each request refreshes.
            return match next {
                Some(sid) if modified || self.settings.refresh => self.create(sid, data).map(Some),
                _ => Ok(None),
            };
        };
        let key = options.key(&origin.sid);
        if cleared && empty {
            let intent = Intent::Cleared { key: &key };
            let outcome = self.run(intent, options.format, &mut Vec::new)?;
            return Ok(Some(outcome.saved(origin.sid, Vec::new())));
        }
        let new_key = next.as_ref().map(|sid| options.key(sid));
        let new_key = new_key.as_deref();
        let (format, encoded) = self.encode(data, &origin, cleared)?;
        let sid = next.as_ref().unwrap_or(&origin.sid).clone();
        if cleared {
            let intent = Intent::Overwritten {
                key: &key,
                record: &encoded,
                new_key,
            };
            let outcome = self.run(intent, format, &mut Vec::new)?;
            return Ok(Some(outcome.saved(sid, encoded)));
        }
        // What was marked as modified is written unless it is the same to the byte: as a rule it did change, and is not
        // looked through to find out.
        let baseline = match &origin.baseline {
            None if *origin.record == encoded => Some(Arc::clone(&origin.record)),
            None if modified => None,
            None => Some(self.baseline(&origin.record, format)?),
            known => known.clone(),
        };
        let unchanged = baseline
            .as_ref()
            .is_some_and(|baseline| is_same(baseline, &encoded));
        if new_key.is_none() && unchanged {
            if !modified {
                return Ok(None);
            }
            // Nothing to write, but somebody asked for it: the record is to live on as long as its cookie does, and the
            // cookie is not to name a session that has ended meanwhile.
            return match self.load(&origin.sid, self.settings.ttl)? {
                Loaded::Record(_) => Ok(None),
                Loaded::Absent | Loaded::Foreign => Ok(Some(Saved::Ended)),
            };
        }
        let intent = Intent::Changed {
            key: &key,
            base: &origin.record,
            baseline: baseline.as_ref().map(|baseline| baseline.as_slice()),
            record: &encoded,
            new_key,
        };
        let outcome = self.run(intent, format, &mut Vec::new)?;
        Ok(Some(outcome.saved(sid, encoded)))
    }

    /// What the session holds, in the interface's format.
    ///
    /// A record of the other format may hold what this one cannot (None as a key, an integer of 70 bits). Reading it is no
    /// reason to fail, and neither is changing something else in it: such a session stays in the format that it has, until
    /// it is cleared.
    fn encode(
        &self,
        data: &Bound<'py, PyDict>,
        origin: &Origin,
        cleared: bool,
    ) -> PyResult<(Format, Vec<u8>)> {
        let format = self.interface.get().options()?.format;
        let mut encoded = Vec::with_capacity(origin.record.len() + 64);
        let Err(error) = record_encode::encode(data, format, &mut encoded) else {
            return Ok((format, encoded));
        };
        if !cleared && let Some(other) = Format::of(&origin.record).filter(|other| *other != format)
        {
            encoded.clear();
            if record_encode::encode(data, other, &mut encoded).is_ok() {
                return Ok((other, encoded));
            }
        }
        Err(error)
    }

    /// A record as the encoder of the session's present form writes it: what another encoder wrote is not to look changed
    /// for that.
    fn baseline(&self, record: &Arc<Vec<u8>>, format: Format) -> PyResult<Arc<Vec<u8>>> {
        // As a rule, the encoder was this one, and need not be asked again.
        let is_own = format == Format::MsgPack
            && Format::of(record) == Some(format)
            && msgpack::is_minimal(record);
        if is_own {
            return Ok(Arc::clone(record));
        }
        let loaded = record_decode::decode(self.session.py(), record)?;
        let mut again = Vec::with_capacity(record.len());
        match loaded {
            Some(loaded) if record_encode::encode(&loaded, format, &mut again).is_ok() => {
                Ok(Arc::new(again))
            }
            // What this format cannot hold was in it, and is no longer.
            _ => Ok(Arc::clone(record)),
        }
    }

    fn create(&self, first: Sid, data: &Bound<'py, PyDict>) -> PyResult<Saved> {
        let options = self.interface.get().options()?;
        let mut encoded = Vec::with_capacity(512);
        record_encode::encode(data, options.format, &mut encoded)?;
        let mut sid = first.clone();
        let mut first = Some(first);
        let outcome = self.run(
            Intent::New { record: &encoded },
            options.format,
            &mut || {
                if first.take().is_none()
                    && let Ok(drawn) = draw(options.sid_length)
                {
                    sid = drawn;
                }
                options.key(&sid)
            },
        )?;
        Ok(outcome.saved(sid, encoded))
    }

    /// Has the store do it. Only a new session draws keys.
    fn run(
        &self,
        intent: Intent<'_>,
        format: Format,
        draw: &mut (dyn FnMut() -> Vec<u8> + Send),
    ) -> PyResult<Written> {
        let options = self.interface.get().options()?;
        let ttl = self.settings.ttl;
        options.backend.run(self.session.py(), |store, call| {
            let mut transcode = |record: &[u8]| {
                Python::attach(|py| {
                    let data = record_decode::decode(py, record).ok()??;
                    let mut encoded = Vec::with_capacity(record.len());
                    record_encode::encode(&data, format, &mut encoded).ok()?;
                    Some(encoded)
                })
            };
            let outcome = Commit {
                store,
                ttl,
                call,
                transcode: &mut transcode,
                draw,
                pace: &mut pace,
                turns: &options.turns,
            }
            .run(intent)?;
            Ok(match outcome {
                Outcome::Written { record, .. } => Written::At(match record {
                    Cow::Borrowed(_) => None,
                    Cow::Owned(merged) => Some(merged),
                }),
                Outcome::Unchanged => Written::At(None),
                Outcome::Deleted => Written::Deleted,
                Outcome::Ended => Written::Ended,
            })
        })
    }

    /// The record, with its expiry slid.
    fn load(&self, sid: &Sid, ttl: Ttl) -> PyResult<Loaded> {
        let options = self.interface.get().options()?;
        let key = options.key(sid);
        options.backend.run(self.session.py(), |store, call| {
            store.load(&key, Some(ttl), call)
        })
    }

    /// `SessionInterface.should_set_cookie`, the application's own where it has one.
    fn should_set_cookie(&self, modified: bool, permanent: Permanent) -> PyResult<bool> {
        if self.settings.cookie.is_some() {
            return Ok(modified || (permanent == Permanent::Yes && self.settings.refresh));
        }
        let py = self.session.py();
        self.interface
            .call_method1(intern!(py, "should_set_cookie"), (self.app, self.session))?
            .is_truthy()
    }

    /// Set-Cookie with the id, signed where ids are, and Vary, if these are not the response's headers with Vary set.
    fn set_cookie(
        &self,
        sid: &Sid,
        permanent: Permanent,
        with_vary: Option<Headers<'py>>,
    ) -> PyResult<()> {
        let value = match &self.settings.signer {
            None => Cow::Borrowed(sid.as_str()),
            Some(keyring) => Cow::Owned(sid.signed(keyring)),
        };
        let py = self.session.py();
        let (headers, vary) = match with_vary {
            Some(headers) => (Some(headers), Vary::There),
            None => (self.headers()?, Vary::After),
        };
        if let Some(cookie) = &self.settings.cookie
            && let Some(texts) = cookie.texts()
            && let Some(headers) = headers
            && !has_own_set_cookie(self.response)?
            && let Ok(expires) = permanent.expires(clock::now(py)?, self.settings.lifetime_us)
        {
            SetCookie {
                response: self.response,
                headers: &headers,
                app: self.app,
                texts,
            }
            .write(expires.as_ref(), vary, |out| {
                out.extend_from_slice(value.as_bytes());
                Ok(Coverage::Native)
            })?;
            return Ok(());
        }
        let arguments = (self.app, self.session, self.response, value.as_ref());
        self.interface
            .call_method1(intern!(py, "_set_cookie"), arguments)?;
        Ok(())
    }

    /// Vary, if the session was read; gives the headers in which it was set.
    fn vary_if(&self, accessed: bool) -> PyResult<Option<Headers<'py>>> {
        if !accessed {
            return Ok(None);
        }
        let py = self.session.py();
        let headers = self.headers()?;
        if let Some(headers) = &headers {
            headers.vary_on_cookie(self.response)?;
        } else {
            self.response
                .getattr(intern!(py, "vary"))?
                .call_method1(intern!(py, "add"), (intern!(py, "Cookie"),))?;
        }
        Ok(headers)
    }

    /// The response's headers, if they are set as Flask's response class sets them.
    fn headers(&self) -> PyResult<Option<Headers<'py>>> {
        let stock = Stock::get(self.response.py())?;
        if !self
            .interface
            .get()
            .responses
            .holds(self.response, &stock.response)?
        {
            return Ok(None);
        }
        Headers::of(self.response)
    }
}

/// A commit's outcome without its key, which the caller knows as an id.
enum Written {
    /// The record that is stored now; None for the one that was to be.
    At(Option<Vec<u8>>),
    Deleted,
    Ended,
}

impl Written {
    /// The same for a session whose id is now `sid`, and which was encoded as `encoded`.
    fn saved(self, sid: Sid, encoded: Vec<u8>) -> Saved {
        match self {
            Self::At(record) => {
                let encoded = Arc::new(encoded);
                Saved::Kept(Origin {
                    sid,
                    record: record.map_or_else(|| Arc::clone(&encoded), Arc::new),
                    baseline: Some(encoded),
                })
            }
            Self::Deleted => Saved::Deleted,
            Self::Ended => Saved::Ended,
        }
    }
}

/// A random time before the next try, after so many conflicts in a row: up to 4 ms after two, then up to twice as much
/// each time. A try is a round trip or two.
fn pace(conflicts: usize) -> Duration {
    let mut random = [0; 2];
    // Without random bytes there is no pause, and no more harm than that.
    let _ = getrandom::fill(&mut random);
    let longest = 4_000_u64 << conflicts.saturating_sub(2).min(4);
    Duration::from_micros((longest * u64::from(u16::from_ne_bytes(random))) >> 16)
}

/// Whether two encodings hold the same entries, in whatever order.
fn is_same(baseline: &[u8], encoded: &[u8]) -> bool {
    if baseline == encoded {
        return true;
    }
    let (Ok(baseline), Ok(encoded)) = (Record::parse(baseline), Record::parse(encoded)) else {
        return false;
    };
    record::difference(&baseline, &encoded).is_ok_and(|changes| changes.is_empty())
}
