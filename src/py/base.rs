//! dict's own methods, called past the overrides of [`super::session::Session`].

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

/// One method of `dict`, looked up on the type once and called with the session as its first argument.
pub(super) struct DictMethod {
    name: &'static str,
    method: PyOnceLock<Py<PyAny>>,
}

impl DictMethod {
    pub(super) const fn new(name: &'static str) -> Self {
        Self {
            name,
            method: PyOnceLock::new(),
        }
    }

    fn get<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyAny>> {
        let method = self.method.get_or_try_init(py, || {
            py.get_type::<PyDict>()
                .getattr(self.name)
                .map(Bound::unbind)
        })?;
        Ok(method.bind(py))
    }

    /// `dict.<name>(*args)`; the first of `args` is the dict.
    pub(super) fn call<'py, A>(&self, py: Python<'py>, args: A) -> PyResult<Bound<'py, PyAny>>
    where
        A: pyo3::call::PyCallArgs<'py>,
    {
        self.get(py)?.call1(args)
    }

    /// `dict.<name>(*args, **kwargs)`; the first of `args` is the dict.
    pub(super) fn call_with<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.get(args.py())?.call(args, kwargs)
    }
}
