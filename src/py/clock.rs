//! The wall clock, read through Python's `time.time` so that tests which freeze it keep working.

use pyo3::exceptions::PyAttributeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

/// What the module `time` holds.
static TIME: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

/// Seconds since the epoch, as `time.time()` says at this moment (a patched one included).
pub(super) fn now(py: Python<'_>) -> PyResult<f64> {
    TIME.get_or_try_init(py, || py.import("time").map(|time| time.dict().unbind()))?
        .bind(py)
        .get_item(intern!(py, "time"))?
        .ok_or_else(|| PyAttributeError::new_err("module 'time' has no attribute 'time'"))?
        .call0()?
        .extract()
}

/// `int(time.time())` as itsdangerous stamps tokens; None before 1970, which it cannot write either.
pub(super) fn timestamp(now: f64) -> Option<u64> {
    // Truncation is what int() does; the bound is far below 2^53, where f64 is exact.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (0.0..9e15).contains(&now).then_some(now as u64)
}
