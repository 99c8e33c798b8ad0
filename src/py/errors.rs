//! The one place where something that went wrong in Rust becomes a Python exception.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::{PyException, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use crate::store::{StoreError, UrlError};

/// Runs `body` so that a panic, which is a bug of ours, is one failed request: an ordinary
/// `RuntimeError` that the application's error handling sees, instead of pyo3's `PanicException`,
/// a `BaseException` that takes the worker with it. The message names no data.
pub(super) fn contained<T>(body: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    // The state that a panic could leave behind is behind atomics and locks that recover from
    // poisoning, or belongs to this call.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| Err(internal("please report it")))
}

/// Whether it is an error, and not a `KeyboardInterrupt` or its like, which is nobody's here to swallow.
pub(super) fn is_ordinary(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyException>(py)
}

/// What cannot happen, did: the message says what, and no data.
pub(super) fn internal(what: &str) -> PyErr {
    PyRuntimeError::new_err(format!("internal error in flask_session_rs: {what}"))
}

/// A store that did not do what it was asked: `SessionStoreUnavailable`, with the reason in words.
pub(super) fn unavailable(py: Python<'_>, error: &StoreError) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    raise(py, &CLASS, "SessionStoreUnavailable", &error.to_string())
}

/// What was put into a session that could not be loaded is lost: `SessionStoreUnavailable`.
pub(super) fn not_saved(py: Python<'_>) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let reason = "the session could not be loaded, and what the request put into it is not saved";
    raise(py, &CLASS, "SessionStoreUnavailable", reason)
}

/// A URL that leads to no store: a `SessionStoreError` that is a `ValueError`, too.
pub(super) fn wrong_url(py: Python<'_>, error: &UrlError) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    raise(py, &CLASS, "WrongURL", &error.to_string())
}

/// Whether it is a store's, and not one of a signal handler or an event loop that ended a wait.
pub(super) fn is_of_store(py: Python<'_>, error: &PyErr) -> bool {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS
        .import(py, "flask_session_rs.errors", "SessionStoreError")
        .is_ok_and(|class| error.is_instance(py, class))
}

/// An exception of `flask_session_rs.errors`, whose classes are found when first needed.
fn raise(py: Python<'_>, kept: &PyOnceLock<Py<PyType>>, name: &str, reason: &str) -> PyErr {
    let error = kept
        .import(py, "flask_session_rs.errors", name)
        .and_then(|class| class.call1((reason,)));
    match error {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}
