//! The one place where something that went wrong in Rust becomes a Python exception.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// Runs `body` so that a panic, which is a bug of ours, is one failed request: an ordinary
/// `RuntimeError` that the application's error handling sees, instead of pyo3's `PanicException`,
/// a `BaseException` that takes the worker with it. The message names no data.
pub(super) fn contained<T>(body: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    // The state that a panic could leave behind is behind atomics and locks that recover from
    // poisoning, or belongs to this call.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        Err(PyRuntimeError::new_err(
            "internal error in flask_session_rs: please report it",
        ))
    })
}
