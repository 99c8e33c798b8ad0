//! The wall clock, read through Python's `time.time` so that tests which freeze it keep working.

use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::exceptions::PyAttributeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use super::states::dict_state;

/// The module `time`.
struct Module {
    dict: Py<PyDict>,
    /// Its function, as it was found first.
    time: Py<PyAny>,
    /// The state of the module in which that was last found there; 0 for none.
    state: AtomicU64,
}

static MODULE: PyOnceLock<Module> = PyOnceLock::new();

/// Notes the function that the module has now. Called when the package is imported: before tests put another in its place.
pub(super) fn remember(py: Python<'_>) -> PyResult<()> {
    Module::get(py).map(|_| ())
}

/// Seconds since the epoch, as `time.time()` says at this moment (a patched one included).
pub(super) fn now(py: Python<'_>) -> PyResult<f64> {
    let module = Module::get(py)?;
    let state = dict_state(module.dict.bind(py));
    if state.is_some_and(|state| state == module.state.load(Ordering::Relaxed)) {
        return module.time.bind(py).call0()?.extract();
    }
    module.now(py, state)
}

impl Module {
    fn get(py: Python<'_>) -> PyResult<&Self> {
        MODULE.get_or_try_init(py, || Self::look_up(py))
    }

    #[cold]
    fn look_up(py: Python<'_>) -> PyResult<Self> {
        let dict = py.import("time")?.dict();
        Ok(Self {
            time: function(&dict)?.unbind(),
            dict: dict.unbind(),
            state: AtomicU64::new(0),
        })
    }

    /// What the function says that the module has now.
    #[inline(never)]
    fn now(&self, py: Python<'_>, state: Option<u64>) -> PyResult<f64> {
        let time = function(self.dict.bind(py))?;
        if time.is(&self.time)
            && let Some(state) = state
        {
            self.state.store(state, Ordering::Relaxed);
        }
        time.call0()?.extract()
    }
}

fn function<'py>(module: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
    module
        .get_item(intern!(module.py(), "time"))?
        .ok_or_else(|| PyAttributeError::new_err("module 'time' has no attribute 'time'"))
}

/// `int(time.time())` as itsdangerous stamps tokens; None before 1970, which it cannot write either.
pub(super) fn timestamp(now: f64) -> Option<u64> {
    // Truncation is what int() does; the bound is far below 2^53, where f64 is exact.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (0.0..9e15).contains(&now).then_some(now as u64)
}
