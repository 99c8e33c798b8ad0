//! An extension of msgpack that nobody here knows: kept as it is, so that a record holding one is not lost.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A code from -128 to 127 and data: what `msgspec.msgpack.Ext` is, for where msgspec is not installed.
#[pyclass(frozen, module = "flask_session_rs._native")]
pub(crate) struct Ext {
    code: i8,
    data: Py<PyBytes>,
}

impl Ext {
    pub(super) fn code(&self) -> i8 {
        self.code
    }

    pub(super) fn data<'p>(&'p self, py: Python<'p>) -> &'p [u8] {
        self.data.as_bytes(py)
    }
}

#[pymethods]
impl Ext {
    #[new]
    pub(super) fn new(code: i8, data: Bound<'_, PyBytes>) -> Self {
        Self {
            code,
            data: data.unbind(),
        }
    }

    #[getter(code)]
    fn code_for_python(&self) -> i8 {
        self.code
    }

    #[getter(data)]
    fn data_for_python(&self, py: Python<'_>) -> Py<PyBytes> {
        self.data.clone_ref(py)
    }
}
