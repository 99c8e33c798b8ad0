//! What classes, objects and lists are at one moment, to see later whether they still are: pointers and numbers.
//!
//! Python gives a class a new version number whenever it or one of its bases changes, so that an attribute patched on a
//! class is seen, too.

use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{
    PyBytes, PyDict, PyInt, PyList, PyString, PyTuple, PyType, PyTypeMethods, PyWeakrefMethods,
    PyWeakrefReference,
};

/// The attributes of an object itself, as `vars(object)`.
///
/// Only for objects that live long: `CPython` keeps the attributes of an object with a few of them in
/// a faster form until somebody asks for the dict, and asking a request or a response for it slows
/// down everything that Flask does with it afterwards.
#[allow(unsafe_code)]
pub(super) fn attributes_of<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    // SAFETY: the object is alive; the answer is a new reference to a dict, or null with an
    // exception set for an object that has none. Attribute access would come here by way of three
    // look-ups, four times in a request.
    unsafe {
        let attributes = ffi::PyObject_GenericGetDict(object.as_ptr(), std::ptr::null_mut());
        Ok(Bound::from_owned_ptr_or_err(object.py(), attributes)?.cast_into_unchecked())
    }
}

/// A class at one state of it and of its bases.
///
/// By number, not by reference: no other state, of whatever class, is ever given the same one. An interface often is held
/// by what its application's classes hold, and a reference from here would be one that the garbage collector does not see.
pub(super) struct Class {
    address: usize,
    version: u32,
}

impl Class {
    pub(super) fn of(object: &Bound<'_, PyAny>) -> Self {
        Self::at(object.get_type_ptr())
    }

    /// The class itself, not the class of an object.
    pub(super) fn itself(class: &Bound<'_, PyType>) -> Self {
        Self::at(class.as_type_ptr())
    }

    fn at(class: *mut ffi::PyTypeObject) -> Self {
        Self {
            address: class.addr(),
            version: version(class),
        }
    }

    /// Whether a change of it would be seen.
    pub(super) fn has_version(&self) -> bool {
        self.version != 0
    }

    /// Whether it is the class of `object`, and in the same state.
    pub(super) fn is_class_of(&self, object: &Bound<'_, PyAny>) -> bool {
        self.is_at(object.get_type_ptr())
    }

    /// Whether it is this class, in the same state.
    pub(super) fn is(&self, class: &Bound<'_, PyType>) -> bool {
        self.is_at(class.as_type_ptr())
    }

    fn is_at(&self, class: *mut ffi::PyTypeObject) -> bool {
        self.address == class.addr() && self.version != 0 && self.version == version(class)
    }
}

/// The attributes of an interface object itself, at one moment: their names, and the values of those that bear on how
/// sessions are read and written.
pub(super) struct Attributes(Vec<(Py<PyAny>, Value)>);

/// The value that an attribute had.
enum Value {
    /// Nobody here asks for it.
    Any,
    Same(Py<PyAny>),
    /// Of what the garbage collector looks after, since the interface may be in a cycle with it. See [`Class`].
    Weak(Py<PyWeakrefReference>),
}

impl Attributes {
    /// `matters` says which names bear on the answer that is kept with them.
    pub(super) fn of(
        attributes: &Bound<'_, PyDict>,
        matters: impl Fn(&Bound<'_, PyAny>) -> bool,
    ) -> Self {
        Self(
            attributes
                .iter()
                .map(|(name, value)| {
                    let value = if matters(&name) {
                        Value::of(value)
                    } else {
                        Value::Any
                    };
                    (name.unbind(), value)
                })
                .collect(),
        )
    }

    /// Whether they still are the same objects, those that matter.
    pub(super) fn are(&self, found: &Bound<'_, PyDict>) -> bool {
        self.0.len() == found.len()
            && (self.0.is_empty()
                || self
                    .0
                    .iter()
                    .zip(found.iter())
                    .all(|((name, value), found)| name.is(&found.0) && value.is(&found.1)))
    }
}

impl Value {
    fn of(value: Bound<'_, PyAny>) -> Self {
        let has_no_references = value.is_none()
            || value.is_exact_instance_of::<PyString>()
            || value.is_exact_instance_of::<PyBytes>()
            || value.is_exact_instance_of::<PyInt>();
        if !has_no_references && let Ok(weak) = PyWeakrefReference::new(&value) {
            return Self::Weak(weak.unbind());
        }
        Self::Same(value.unbind())
    }

    fn is(&self, found: &Bound<'_, PyAny>) -> bool {
        match self {
            Self::Any => true,
            Self::Same(value) => value.is(found),
            Self::Weak(weak) => weak
                .bind(found.py())
                .upgrade()
                .is_some_and(|value| value.is(found)),
        }
    }
}

/// Whether a list or tuple holds the same objects; anything else holds none.
pub(super) fn same_items(kept: &[Py<PyAny>], found: &Bound<'_, PyAny>) -> bool {
    // As a rule, an empty list.
    if let Ok(list) = found.cast_exact::<PyList>()
        && list.len() != kept.len()
    {
        return false;
    }
    if kept.is_empty() && found.is_exact_instance_of::<PyList>() {
        return true;
    }
    let mut found = items(found);
    kept.iter()
        .all(|item| found.next().is_some_and(|found| item.is(&found)))
        && found.next().is_none()
}

/// The items of a list or tuple; none of anything else.
pub(super) fn items<'a, 'py>(
    value: &'a Bound<'py, PyAny>,
) -> impl Iterator<Item = Bound<'py, PyAny>> + use<'a, 'py> {
    let list = value.cast_exact::<PyList>().ok();
    let tuple = value.cast_exact::<PyTuple>().ok();
    let in_list = list.into_iter().flat_map(PyListMethods::iter);
    in_list.chain(tuple.into_iter().flat_map(PyTupleMethods::iter))
}

/// The number that Python gave to this state of a class and its bases; 0 where it gave none.
///
/// Numbers are never given twice, and the class loses its number when it or a base changes
/// (`PyType_Modified` in `Objects/typeobject.c`).
#[allow(unsafe_code)]
fn version(class: *mut ffi::PyTypeObject) -> u32 {
    // SAFETY: whoever asks holds the class, or an object that keeps it alive, and `tp_version_tag` is a plain, aligned unsigned
    // int of every CPython type object since 2.6. It is read atomically since another thread of a
    // free-threaded interpreter may write it; an old number read in such a race is one that a
    // request which started a moment earlier would have seen.
    unsafe {
        let number = std::ptr::addr_of_mut!((*class).tp_version_tag);
        AtomicU32::from_ptr(number).load(Ordering::Relaxed)
    }
}

/// The number that Python gave to this state of a dict; None where Python no longer counts (from 3.14
/// on) or several threads may count at once (without the GIL).
///
/// Numbers are never given twice in a process, whatever the dict (PEP 509).
#[allow(unsafe_code, deprecated)]
pub(super) fn dict_state(dict: &Bound<'_, PyDict>) -> Option<u64> {
    #[cfg(any(Py_3_14, Py_GIL_DISABLED))]
    {
        let _ = dict;
        None
    }
    #[cfg(not(any(Py_3_14, Py_GIL_DISABLED)))]
    {
        // SAFETY: it is a dict, and with the GIL held nobody writes the number meanwhile.
        let state = unsafe { (*dict.as_ptr().cast::<ffi::PyDictObject>()).ma_version_tag };
        (state != 0).then_some(state)
    }
}
