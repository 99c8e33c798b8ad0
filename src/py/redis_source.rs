//! The record that a cookie names, not yet asked for.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::errors::contained;
use super::record_decode::{self, Decoded};
use super::redis::Options;
use super::redis_settings::RedisSettings;
use super::text::utf8;
use crate::cookie;
use crate::sid::Sid;
use crate::store::{Loaded, Ttl};

/// What a session in a store is loaded from: the request's cookie, and the store.
pub(super) struct RecordSource {
    pub options: Arc<Options>,
    pub settings: Arc<RedisSettings>,
    pub sent: Sent,
}

/// What the request sent.
pub(super) enum Sent {
    /// No Cookie header at all.
    Nothing,
    /// The Cookie header, not looked into.
    Header(Py<PyString>),
    /// The value of the session's cookie, as the application's own request class read it.
    Value(Py<PyString>),
}

/// What the store had.
pub(super) enum Opened<'py> {
    /// A session.
    Session {
        decoded: Decoded<'py>,
        sid: Sid,
        record: Arc<Vec<u8>>,
    },
    /// None: a new one begins, permanent or not.
    New { permanent: bool },
}

impl RecordSource {
    /// The id in the cookie, if it has the shape of one and, where ids are signed, a signature that verifies.
    pub(super) fn sid(&self, py: Python<'_>) -> Option<Sid> {
        let parse = |value: &[u8]| match &self.settings.signer {
            None => Sid::parse(value),
            Some(keyring) => Sid::parse_signed(value, keyring),
        };
        match &self.sent {
            Sent::Nothing => None,
            Sent::Header(header) => {
                let header = utf8(header.bind(py)).ok()?;
                parse(&cookie::find(
                    header.as_bytes(),
                    &self.settings.cookie_name,
                )?)
            }
            Sent::Value(value) => parse(value.bind(py).to_str().ok()?.as_bytes()),
        }
    }

    /// How far the expiry is slid when the record is read: not at all unless each request is to refresh it.
    pub(super) fn slide(&self) -> Option<Ttl> {
        self.settings.refresh.then_some(self.settings.ttl)
    }

    /// Asks the store.
    pub(super) fn load<'py>(&self, py: Python<'py>) -> PyResult<Opened<'py>> {
        contained(|| {
            let options = &self.options;
            let new = Ok(Opened::New {
                permanent: options.permanent,
            });
            let Some(sid) = self.sid(py) else {
                return new;
            };
            let found = self.fetch(py, &sid)?;
            let record: Arc<Vec<u8>> = match found {
                Loaded::Absent => return new,
                // Flask-Session takes an empty string for no record, too.
                Loaded::Record(record) if record.is_empty() => return new,
                Loaded::Record(record) => Arc::new(record),
                Loaded::Foreign => {
                    warn_of_unreadable(py)?;
                    return new;
                }
            };
            if let Some(decoded) = record_decode::read(py, &record)? {
                return Ok(Opened::Session {
                    decoded,
                    sid,
                    record,
                });
            }
            warn_of_unreadable(py)?;
            new
        })
    }

    /// The record under this id; its expiry is slid where each request refreshes it.
    pub(super) fn fetch(&self, py: Python<'_>, sid: &Sid) -> PyResult<Loaded> {
        let options = &self.options;
        let key = options.key(sid);
        let slide = self.slide();
        options
            .backend
            .run(py, |store, call| store.load(&key, slide, call))
    }
}

/// Says once for each such request that a record was passed over, and nothing of what it is.
fn warn_of_unreadable(py: Python<'_>) -> PyResult<()> {
    py.import("logging")?
        .call_method1("getLogger", ("flask_session_rs",))?
        .call_method1(
            "warning",
            ("a session record cannot be read: it is left as it is, and a new session begins",),
        )?;
    Ok(())
}
