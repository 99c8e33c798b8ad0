//! One format: dicts to records and back.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::errors::contained;
use super::{record_decode, record_encode};
use crate::record::Format;

/// Records as Flask-Session's serializer writes and reads them through msgspec, natively.
///
/// The interface uses it inside; it is exposed for tests and benchmarks.
#[pyclass(frozen, module = "flask_session_rs._native")]
pub(crate) struct RecordCodec {
    format: Format,
}

impl RecordCodec {
    /// The codec of a format by its name in `SESSION_SERIALIZATION_FORMAT`. None for another name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let format = match name {
            "msgpack" => Format::MsgPack,
            "json" => Format::Json,
            _ => return None,
        };
        Some(Self { format })
    }

    /// The record of a session.
    pub(super) fn encode(&self, data: &Bound<'_, PyDict>) -> PyResult<Vec<u8>> {
        let mut record = Vec::with_capacity(512);
        record_encode::encode(data, self.format, &mut record)?;
        Ok(record)
    }

    /// What a record holds, in whichever format it is. None for one that cannot be read.
    #[allow(clippy::unused_self)] // As the counterpart of `encode`.
    pub(super) fn decode<'py>(
        &self,
        py: Python<'py>,
        record: &[u8],
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        record_decode::decode(py, record)
    }
}

#[pymethods]
impl RecordCodec {
    /// `format` is "msgpack" or "json".
    #[new]
    fn new(format: &str) -> PyResult<Self> {
        Self::named(format)
            .ok_or_else(|| PyValueError::new_err("the format has to be \"msgpack\" or \"json\""))
    }

    fn dumps<'py>(&self, obj: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyBytes>> {
        contained(|| Ok(PyBytes::new(obj.py(), &self.encode(obj)?)))
    }

    fn loads<'py>(&self, py: Python<'py>, record: &[u8]) -> PyResult<Option<Bound<'py, PyDict>>> {
        contained(|| self.decode(py, record))
    }
}
