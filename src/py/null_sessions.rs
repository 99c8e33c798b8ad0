//! Whether a session is a null session, which Flask asks before it has any session saved: answered for the package's own.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PySuper, PyType};
use pyo3::{PyTypeInfo, ffi};

use super::cache::Findings;
use super::states::{Class, attributes_of};
use super::stock::Stock;

/// What is known of the classes of interfaces.
pub(super) struct NullSessions(Findings<Verdict>);

struct Verdict {
    class: Class,
    /// Whether Flask's `SessionInterface.is_null_session` answers for it, with Flask's `NullSession`.
    shipped: bool,
}

impl NullSessions {
    pub(super) const fn new() -> Self {
        Self(Findings::new())
    }

    /// `is_null_session` of `interface`, of the native class `I`: False at once for a session whose class is exactly
    /// `own`, the package's, where nothing of this is customised; else what the next class in line answers.
    ///
    /// Flask's own answer goes through `ABCMeta.__instancecheck__`, a tenth of a microsecond or two in every request.
    pub(super) fn ask<'py, I: PyTypeInfo>(
        &self,
        interface: &Bound<'py, I>,
        session: &Bound<'py, PyAny>,
        own: &Py<PyType>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = interface.py();
        if session.get_type_ptr().cast::<ffi::PyObject>() == own.as_ptr()
            && self.is_shipped::<I>(interface.as_any())?
        {
            return Ok(PyBool::new(py, false).to_owned().into_any());
        }
        Self::ask_next(interface, session)
    }

    #[cold]
    fn ask_next<'py, I: PyTypeInfo>(
        interface: &Bound<'py, I>,
        session: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = interface.py();
        PySuper::new(&py.get_type::<I>(), interface.as_any())?
            .call_method1(intern!(py, "is_null_session"), (session,))
    }

    fn is_shipped<I: PyTypeInfo>(&self, interface: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = interface.py();
        let attributes = attributes_of(interface)?;
        if !attributes.is_empty() && attributes.contains(intern!(py, "null_session_class"))? {
            return Ok(false);
        }
        let known = self
            .0
            .find(|known| known.class.is_class_of(interface).then_some(known.shipped));
        if let Some(known) = known {
            return Ok(known);
        }
        self.find_out::<I>(interface)
    }

    #[cold]
    fn find_out<I: PyTypeInfo>(&self, interface: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = interface.py();
        let class = interface.get_type();
        let next = PySuper::new(&py.get_type::<I>(), &class)?;
        let shipped = Stock::get(py)?.null_sessions.are_answered(|name| {
            if name == "is_null_session" {
                next.getattr_opt(name)
            } else {
                class.getattr_opt(name)
            }
        })?;
        // Looking the attributes up has given the class a number, where it had none.
        let class = Class::of(interface);
        if class.has_version() {
            self.0.keep(Verdict { class, shipped });
        }
        Ok(shipped)
    }
}
