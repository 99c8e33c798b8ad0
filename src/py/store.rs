//! A session store by itself, its verbs over bytes: for the tests of what lies between it and Python.

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyString};

use super::backend::Backend;
use super::errors::contained;
use crate::store::{Created, Expected, Loaded, Replaced, Ttl};

/// The store of a `RedisSessionInterface` over the same client.
#[pyclass(frozen, module = "flask_session_rs._native")]
pub(crate) struct Store {
    backend: Backend,
}

#[pymethods]
impl Store {
    #[new]
    #[pyo3(signature = (client, *, timeout = 1.0, pool_size = 4))]
    fn new(client: &Bound<'_, PyAny>, timeout: f64, pool_size: usize) -> PyResult<Self> {
        let timeout = Duration::try_from_secs_f64(timeout)
            .map_err(|_| PyValueError::new_err("timeout is a number of seconds"))?;
        let backend = Backend::of(client, pool_size, timeout)?;
        Ok(Self { backend })
    }

    /// Whether the native transport is used, and not a client's own methods.
    #[getter]
    fn is_native(&self) -> bool {
        self.backend.is_native()
    }

    /// The record; None where there is none, False for something that is no record.
    #[pyo3(signature = (key, slide = None))]
    fn load<'py>(
        &self,
        py: Python<'py>,
        key: &[u8],
        slide: Option<i64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let slide = slide.map(Ttl::seconds);
        let loaded = contained(|| {
            self.backend
                .run(py, |store, call| store.load(key, slide, call))
        });
        Ok(match loaded? {
            Loaded::Record(record) => PyBytes::new(py, &record).into_any(),
            Loaded::Absent => py.None().into_bound(py),
            Loaded::Foreign => PyBool::new(py, false).to_owned().into_any(),
        })
    }

    /// Whether the record is written.
    fn create(&self, py: Python<'_>, key: &[u8], record: &[u8], seconds: i64) -> PyResult<bool> {
        let ttl = Ttl::seconds(seconds);
        let created = contained(|| {
            self.backend
                .run(py, |store, call| store.create(key, record, ttl, call))
        });
        Ok(created? == Created::Done)
    }

    /// "done", "gone", or the record that stands there. None expects any record.
    fn replace<'py>(
        &self,
        py: Python<'py>,
        key: &[u8],
        expected: Option<&[u8]>,
        record: &[u8],
        seconds: i64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (expected, ttl) = (expectation(expected), Ttl::seconds(seconds));
        let replaced = contained(|| {
            self.backend.run(py, |store, call| {
                store.replace(key, expected, record, ttl, call)
            })
        });
        Ok(told(py, replaced?))
    }

    /// As `replace`, under a new key.
    fn rotate<'py>(
        &self,
        py: Python<'py>,
        old: &[u8],
        new: &[u8],
        expected: Option<&[u8]>,
        record: &[u8],
        seconds: i64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (expected, ttl) = (expectation(expected), Ttl::seconds(seconds));
        let replaced = contained(|| {
            self.backend.run(py, |store, call| {
                store.rotate(old, new, expected, record, ttl, call)
            })
        });
        Ok(told(py, replaced?))
    }

    /// As `replace`, with no record afterwards.
    fn delete<'py>(
        &self,
        py: Python<'py>,
        key: &[u8],
        expected: Option<&[u8]>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let expected = expectation(expected);
        let replaced = contained(|| {
            self.backend
                .run(py, |store, call| store.delete(key, expected, call))
        });
        Ok(told(py, replaced?))
    }
}

fn expectation(record: Option<&[u8]>) -> Expected<'_> {
    record.map_or(Expected::Any, Expected::Exactly)
}

fn told(py: Python<'_>, replaced: Replaced) -> Bound<'_, PyAny> {
    match replaced {
        Replaced::Done => PyString::new(py, "done").into_any(),
        Replaced::Gone => PyString::new(py, "gone").into_any(),
        Replaced::Changed(now) => PyBytes::new(py, &now).into_any(),
    }
}
