//! The store of an interface, and how its operations are run under Python.

use std::path::PathBuf;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::client_store::ClientStore;
use super::errors::{is_ordinary, unavailable, wrong_url};
use super::waiting::{Hub, HubWaiter, Interruption, SlicedWaiter, YieldingWaiter};
use crate::store::redis::RedisStore;
use crate::store::{
    Address, Call, Deadline, Endpoint, Protocol, Secret, SessionStore, StoreError, Tls, UrlError,
    Verification,
};

/// A store, and how long one of its operations may take.
pub(super) struct Backend {
    store: Store,
    timeout: Duration,
}

enum Store {
    /// The native transport.
    Native(Box<RedisStore>),
    /// A client object's own methods.
    Client(ClientStore),
}

impl Backend {
    /// The store that a URL or a client object stands for. Connects to nothing.
    ///
    /// Fails with a `SessionStoreError` that says what is accepted.
    pub(super) fn of(
        client: &Bound<'_, PyAny>,
        pool_size: usize,
        timeout: Duration,
    ) -> PyResult<Self> {
        let store = match endpoint_of(client)? {
            Some(mut endpoint) => {
                name_in_ascii(client.py(), &mut endpoint)?;
                Store::Native(Box::new(RedisStore::new(endpoint, pool_size)))
            }
            None => Store::Client(ClientStore::new(client)?),
        };
        Ok(Self { store, timeout })
    }

    /// Whether the native transport is used, and not a client's own methods.
    pub(super) fn is_native(&self) -> bool {
        matches!(self.store, Store::Native(_))
    }

    /// Runs one operation, of one verb or several, with one deadline for all of it.
    ///
    /// For the native transport, the GIL is released, except under gevent and eventlet. There, other tasks of this
    /// thread run while one waits, and the interpreter's state is released and restored in the order of a stack, which
    /// tasks do not keep.
    ///
    /// # Errors
    ///
    /// `SessionStoreUnavailable`, and whatever a signal handler or an event loop raises meanwhile.
    pub(super) fn run<T: Send>(
        &self,
        py: Python<'_>,
        operation: impl FnOnce(&dyn SessionStore, &Call<'_>) -> Result<T, StoreError> + Send,
    ) -> PyResult<T> {
        let deadline = Deadline::after(self.timeout);
        let interruption = Interruption::default();
        let outcome = match &self.store {
            Store::Client(store) => {
                let waiter = &YieldingWaiter;
                operation(&store.keeping(&interruption), &Call { deadline, waiter })
            }
            Store::Native(store) => match Hub::find(py)? {
                Some(hub) => {
                    let waiter = &HubWaiter {
                        py,
                        hub,
                        interruption: &interruption,
                    };
                    operation(&**store, &Call { deadline, waiter })
                }
                None => py.detach(|| {
                    let waiter = &SlicedWaiter(&interruption);
                    operation(&**store, &Call { deadline, waiter })
                }),
            },
        };
        // Whatever an operation made of it: an interrupt is never lost.
        if let Some(raised) = interruption.take() {
            return Err(raised);
        }
        outcome.map_err(|error| unavailable(py, &error))
    }
}

/// The endpoint that a URL names, or a client that is nothing but settings. None for a client that is to be used
/// through its own methods.
fn endpoint_of(client: &Bound<'_, PyAny>) -> PyResult<Option<Endpoint>> {
    let py = client.py();
    if let Ok(url) = client.cast::<PyString>() {
        // A lone surrogate becomes a character that no URL has.
        let url = url.to_string_lossy().parse::<Endpoint>();
        return url.map(Some).map_err(|error| wrong_url(py, &error));
    }
    let settings = py
        .import("flask_session_rs.clients")?
        .call_method1("native_settings", (client,))?
        .extract::<Option<Settings>>()?;
    Ok(settings.map(Endpoint::from))
}

/// Names of letters beyond ASCII become those that Python's resolver, and redis-py with it, asks for.
fn name_in_ascii(py: Python<'_>, endpoint: &mut Endpoint) -> PyResult<()> {
    let Address::Tcp { host, .. } = &mut endpoint.address else {
        return Ok(());
    };
    if host.is_ascii() {
        return Ok(());
    }
    let name = PyString::new(py, host)
        .call_method1("encode", ("idna",))
        .and_then(|name| name.extract::<Vec<u8>>());
    *host = match name.map(String::from_utf8) {
        Ok(Ok(name)) if !name.is_empty() => name,
        Err(error) if !is_ordinary(py, &error) => return Err(error),
        _ => return Err(wrong_url(py, &UrlError::of_host())),
    };
    Ok(())
}

/// `flask_session_rs.clients.Settings`.
#[derive(FromPyObject)]
struct Settings {
    path: Option<PathBuf>,
    host: String,
    port: u16,
    database: u32,
    username: Option<String>,
    password: Option<Vec<u8>>,
    resp3: bool,
    tls: Option<TlsSettings>,
}

/// `flask_session_rs.clients.TlsSettings`.
#[derive(FromPyObject)]
struct TlsSettings {
    ca_file: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    verifies_chain: bool,
    verifies_host: bool,
}

impl From<Settings> for Endpoint {
    fn from(settings: Settings) -> Self {
        Self {
            address: match settings.path {
                Some(path) => Address::Unix { path },
                None => Address::Tcp {
                    host: settings.host,
                    port: settings.port,
                },
            },
            database: settings.database,
            username: settings.username,
            password: settings.password.map(Secret::from),
            protocol: if settings.resp3 {
                Protocol::Resp3
            } else {
                Protocol::Resp2
            },
            tls: settings.tls.map(Tls::from),
        }
    }
}

impl From<TlsSettings> for Tls {
    fn from(settings: TlsSettings) -> Self {
        Self {
            ca_file: settings.ca_file,
            certificate: settings.certificate,
            key: settings.key,
            verification: match (settings.verifies_chain, settings.verifies_host) {
                (true, true) => Verification::Full,
                (true, false) => Verification::AnyHost,
                (false, _) => Verification::Nothing,
            },
        }
    }
}
