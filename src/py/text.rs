//! Python strings of text that is known to be ASCII, made without looking at it again.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// A new string. `text` has to be ASCII: the caller made it, or checked it.
#[allow(unsafe_code)]
pub(super) fn ascii<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyString>> {
    debug_assert!(text.is_ascii());
    // Python shares its strings of no or one character; it makes those itself.
    let (2.., Ok(length)) = (text.len(), ffi::Py_ssize_t::try_from(text.len())) else {
        return PyString::from_bytes(py, text);
    };
    // SAFETY: a string whose greatest character is 127 holds one byte for each character, right
    // behind its header, `length` of them and a NUL that is already there; nobody else has seen it.
    unsafe {
        let string = Bound::from_owned_ptr_or_err(py, ffi::PyUnicode_New(length, 127))?;
        let bytes = ffi::PyUnicode_DATA(string.as_ptr()).cast::<u8>();
        std::ptr::copy_nonoverlapping(text.as_ptr(), bytes, text.len());
        Ok(string.cast_into_unchecked())
    }
}
