//! The tags of a serializer at one moment.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{PyDict, PyList};

/// The tags of a serializer, in its list and in its mapping. They can be registered at any time, on
/// the object that all of Flask shares, and are then in both.
pub(super) struct Tags {
    order: Py<PyList>,
    in_order: Vec<Py<PyAny>>,
    by_key: Py<PyDict>,
    in_dict: Vec<Py<PyAny>>,
}

impl Tags {
    pub(super) fn of(serializer: &Bound<'_, PyAny>) -> PyResult<Self> {
        let order = serializer.getattr("order")?.cast_into::<PyList>()?;
        let by_key = serializer.getattr("tags")?.cast_into::<PyDict>()?;
        Ok(Self {
            in_order: order.iter().map(Bound::unbind).collect(),
            in_dict: by_key.values().iter().map(Bound::unbind).collect(),
            order: order.unbind(),
            by_key: by_key.unbind(),
        })
    }

    /// Whether the tags are those that are tried when a session is written, and as many by key.
    ///
    /// Compares pointers only: the tags themselves are spread over memory, and reading them would
    /// cost more than all else that a request compares.
    #[allow(unsafe_code)]
    pub(super) fn order_unchanged(&self, py: Python<'_>) -> bool {
        let order = self.order.bind(py);
        order.len() == self.in_order.len()
            && self.by_key.bind(py).len() == self.in_dict.len()
            && with_critical_section(order, || {
                // SAFETY: the list is locked (or the GIL held) and each index is checked to be in
                // it; the borrowed pointers are only compared.
                self.in_order
                    .iter()
                    .enumerate()
                    .all(|(index, kept)| unsafe {
                        index < order.len()
                            && ffi::PyList_GET_ITEM(order.as_ptr(), index.cast_signed())
                                == kept.as_ptr()
                    })
            })
    }

    /// Whether the keys stand for the tags that they stood for: asked when one is read.
    pub(super) fn keys_unchanged(&self, py: Python<'_>) -> bool {
        let by_key = self.by_key.bind(py);
        by_key.len() == self.in_dict.len()
            && by_key
                .iter()
                .zip(&self.in_dict)
                .all(|((_, value), kept)| kept.is(&value))
    }
}
