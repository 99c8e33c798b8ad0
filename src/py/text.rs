//! Python strings of text that is known to be ASCII, made without looking at it again; and their text, without asking for it.

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

/// The text of a string in UTF-8, as `to_str` gives it: an error for lone surrogates, which have none.
#[inline]
#[allow(unsafe_code)]
pub(super) fn utf8<'a>(string: &'a Bound<'_, PyString>) -> PyResult<&'a str> {
    // From 3.14 on where they stand is the interpreter's own affair.
    #[cfg(not(Py_3_14))]
    // SAFETY: the characters of a string that is compact and ASCII stand right behind its header, one byte each, `length`
    // of them; a string does not change, and the borrow keeps it alive. Python would be asked some 20 times in a request
    // that is written.
    unsafe {
        let string = string.as_ptr();
        if ffi::PyUnicode_IS_COMPACT_ASCII(string) != 0
            && let Ok(length) = usize::try_from(ffi::PyUnicode_GET_LENGTH(string))
        {
            let text = ffi::PyUnicode_DATA(string).cast::<u8>();
            let text = std::slice::from_raw_parts(text, length);
            return Ok(std::str::from_utf8_unchecked(text));
        }
    }
    string.to_str()
}
