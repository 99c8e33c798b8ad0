//! The store behind a client object: the verbs are those of `flask_session_rs.client_store.ClientStore`.

use std::io;

use pyo3::call::PyCallArgs;
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyString, PyType};

use super::waiting::Interruption;
use crate::store::{
    Call, Created, Expected, Loaded, Replaced, SessionStore, StoreError, Ttl, Unreachable,
    occupied, refusal,
};

/// The longest expiry in seconds, some 100,000 years: the server counts milliseconds since 1970 in 63 bits.
const TTL_CAP: u64 = 1 << 42;

/// What may be done about an exception of a client's own, by its class. The others speak for themselves.
const ADVICE: [(&str, &str); 7] = [
    (
        "MasterNotFoundError",
        "no Sentinel that answers knows a primary of this name",
    ),
    (
        "SlaveNotFoundError",
        "no Sentinel that answers knows a replica of this name",
    ),
    ("MaxConnectionsError", POOL),
    (
        "ChildDeadlockedError",
        "the client's pool was locked when the process was forked",
    ),
    ("RedisClusterException", CLUSTER),
    ("ValkeyClusterException", CLUSTER),
    ("DataError", "the client takes no bytes for a command"),
];

const POOL: &str = "all of the client's connections are in use: give it more, or a pool that waits";

const CLUSTER: &str = "the client found no node of its cluster that serves";

/// A client object, used through its own methods.
pub(super) struct ClientStore(Py<PyAny>);

impl ClientStore {
    /// A store over this client.
    pub(super) fn new(client: &Bound<'_, PyAny>) -> PyResult<Self> {
        static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        let class = CLASS.import(client.py(), "flask_session_rs.client_store", "ClientStore")?;
        Ok(Self(class.call1((client,))?.unbind()))
    }

    /// The same for one operation, which keeps what interrupts it.
    pub(super) fn keeping<'a>(&'a self, interruption: &'a Interruption) -> ClientCalls<'a> {
        ClientCalls {
            verbs: &self.0,
            interruption,
        }
    }
}

/// The verbs for one operation. They attach to the interpreter.
pub(super) struct ClientCalls<'a> {
    verbs: &'a Py<PyAny>,
    interruption: &'a Interruption,
}

impl ClientCalls<'_> {
    /// Calls a verb with the seconds that are left and `arguments`, and makes sense of its answer: None of one that is
    /// of the wrong kind.
    fn ask<T, A>(
        &self,
        verb: &'static str,
        call: &Call<'_>,
        arguments: impl FnOnce(Python<'_>, f64) -> A,
        read: impl FnOnce(&Bound<'_, PyAny>) -> Option<Result<T, StoreError>>,
    ) -> Result<T, StoreError>
    where
        A: for<'py> PyCallArgs<'py>,
    {
        let Some(left) = call.deadline.remaining() else {
            return Err(StoreError::Unreachable(Unreachable::TimedOut));
        };
        Python::attach(|py| {
            let arguments = arguments(py, left.as_secs_f64());
            match self.verbs.bind(py).call_method1(verb, arguments) {
                Ok(answer) => {
                    read(&answer).unwrap_or(Err(StoreError::Protocol("of a client object")))
                }
                Err(raised) => Err(self.failed(py, raised)),
            }
        })
    }

    /// What a `Failed` of `client_errors.py` means. Anything else is to be raised as it is: a signal's exception, an
    /// event loop's, or that of a bug of ours.
    fn failed(&self, py: Python<'_>, raised: PyErr) -> StoreError {
        static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        let is_failure = raised.is_instance_of::<PyException>(py)
            && CLASS
                .import(py, "flask_session_rs.client_errors", "Failed")
                .is_ok_and(|class| raised.matches(py, class).unwrap_or(false));
        if !is_failure {
            return self.interruption.keep(raised);
        }
        explained(raised.value(py)).unwrap_or_else(|error| self.interruption.keep(error))
    }
}

/// The store's error for a `Failed`.
fn explained(failure: &Bound<'_, PyAny>) -> PyResult<StoreError> {
    let py = failure.py();
    let text = |name: &Bound<'_, PyString>| -> PyResult<String> {
        let text = failure.getattr(name)?.cast_into::<PyString>()?;
        Ok(text.to_string_lossy().into_owned())
    };
    let code = text(intern!(py, "code"))?;
    Ok(match text(intern!(py, "kind"))?.as_str() {
        "timed out" => StoreError::Unreachable(Unreachable::TimedOut),
        "closed" => StoreError::Unreachable(Unreachable::Closed),
        "system" => {
            let error = io::Error::from_raw_os_error(code.parse().unwrap_or(0));
            StoreError::Unreachable(Unreachable::Io(error.kind()))
        }
        "tls" => StoreError::Unreachable(Unreachable::Tls(code)),
        "refused" => refusal::explained(&code, &text(intern!(py, "words"))?),
        "answer" if code == "str" => StoreError::Protocol(
            "of a client that decodes responses: make it with decode_responses=False",
        ),
        "answer" => StoreError::Protocol("of a client object"),
        _ => StoreError::Refused {
            advice: ADVICE
                .iter()
                .find(|(class, _)| *class == code)
                .map_or("an exception of the client's own", |(_, advice)| advice),
            code: code.into(),
        },
    })
}

/// None for any record.
fn bytes<'py>(py: Python<'py>, expected: Expected<'_>) -> Option<Bound<'py, PyBytes>> {
    match expected {
        Expected::Any => None,
        Expected::Exactly(record) => Some(PyBytes::new(py, record)),
    }
}

fn seconds(ttl: Ttl) -> u64 {
    ttl.as_seconds().min(TTL_CAP)
}

/// The record, None where there is none, False for something that is no record.
fn read_loaded(answer: &Bound<'_, PyAny>) -> Option<Result<Loaded, StoreError>> {
    if answer.is_none() {
        return Some(Ok(Loaded::Absent));
    }
    if answer.is(&*PyBool::new(answer.py(), false)) {
        return Some(Ok(Loaded::Foreign));
    }
    let record = answer.cast::<PyBytes>().ok()?;
    Some(Ok(Loaded::Record(record.as_bytes().to_vec())))
}

/// A number, as the scripts give it, or the record that stands there.
fn read_outcome(answer: &Bound<'_, PyAny>) -> Option<Result<Replaced, StoreError>> {
    if let Ok(record) = answer.cast::<PyBytes>() {
        return Some(Ok(Replaced::Changed(record.as_bytes().to_vec())));
    }
    match answer.extract::<i64>().ok()? {
        0 => Some(Ok(Replaced::Gone)),
        1 => Some(Ok(Replaced::Done)),
        2 => Some(Err(occupied())),
        _ => None,
    }
}

impl SessionStore for ClientCalls<'_> {
    fn load(&self, key: &[u8], slide: Option<Ttl>, call: &Call<'_>) -> Result<Loaded, StoreError> {
        self.ask(
            "load",
            call,
            |py, left| (left, PyBytes::new(py, key).unbind(), slide.map(seconds)),
            read_loaded,
        )
    }

    fn create(
        &self,
        key: &[u8],
        record: &[u8],
        ttl: Ttl,
        call: &Call<'_>,
    ) -> Result<Created, StoreError> {
        self.ask(
            "create",
            call,
            |py, left| {
                let [key, record] = [key, record].map(|bytes| PyBytes::new(py, bytes).unbind());
                (left, key, record, seconds(ttl))
            },
            |answer| {
                let written = answer.extract::<bool>().ok()?;
                Some(Ok(if written {
                    Created::Done
                } else {
                    Created::Exists
                }))
            },
        )
    }

    fn replace(
        &self,
        key: &[u8],
        expected: Expected<'_>,
        record: &[u8],
        ttl: Ttl,
        call: &Call<'_>,
    ) -> Result<Replaced, StoreError> {
        self.ask(
            "replace",
            call,
            |py, left| {
                let [key, record] = [key, record].map(|bytes| PyBytes::new(py, bytes).unbind());
                let expected = bytes(py, expected).map(Bound::unbind);
                (left, key, expected, record, seconds(ttl))
            },
            read_outcome,
        )
    }

    fn rotate(
        &self,
        old: &[u8],
        new: &[u8],
        expected: Expected<'_>,
        record: &[u8],
        ttl: Ttl,
        call: &Call<'_>,
    ) -> Result<Replaced, StoreError> {
        self.ask(
            "rotate",
            call,
            |py, left| {
                let [old, new, record] =
                    [old, new, record].map(|bytes| PyBytes::new(py, bytes).unbind());
                let expected = bytes(py, expected).map(Bound::unbind);
                (left, old, new, expected, record, seconds(ttl))
            },
            read_outcome,
        )
    }

    fn delete(
        &self,
        key: &[u8],
        expected: Expected<'_>,
        call: &Call<'_>,
    ) -> Result<Replaced, StoreError> {
        self.ask(
            "delete",
            call,
            |py, left| {
                let expected = bytes(py, expected).map(Bound::unbind);
                (left, PyBytes::new(py, key).unbind(), expected)
            },
            read_outcome,
        )
    }
}
