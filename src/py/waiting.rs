//! How an operation waits for a socket under Python: so that signals are seen, and event loops go on.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyTimeoutError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};

use super::states::dict_state;
use crate::store::waiter::{Polled, poll};
use crate::store::{Deadline, Interest, PollWaiter, SLICE, StoreError, Waited, Waiter};

/// The exception that ended an operation, to be raised in place of the error that it ended with.
#[derive(Default)]
pub(super) struct Interruption(Mutex<Option<PyErr>>);

impl Interruption {
    /// Keeps the exception, and gives the error that stands for it on the way out of the store.
    pub(super) fn keep(&self, error: PyErr) -> StoreError {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        StoreError::Interrupted
    }

    /// The exception, if there was one.
    pub(super) fn take(&self) -> Option<PyErr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Waits in slices, the GIL released. After each slice, Python's signal handlers run, if this is the main
/// thread: on any other they do nothing.
pub(super) struct SlicedWaiter<'a>(pub &'a Interruption);

impl Waiter for SlicedWaiter<'_> {
    fn wait(
        &self,
        fd: RawFd,
        interest: Interest,
        deadline: Deadline,
    ) -> Result<Waited, StoreError> {
        while let Some(left) = deadline.remaining() {
            if poll(fd, interest, left.min(SLICE))? == Polled::Ready {
                return Ok(Waited::Ready);
            }
            self.look_up()?;
        }
        Ok(Waited::TimedOut)
    }

    fn may_block(&self) -> bool {
        true
    }

    fn look_up(&self) -> Result<(), StoreError> {
        let handled =
            Python::try_attach(|py| py.check_signals().map_err(|raised| self.0.keep(raised)));
        // None while the interpreter ends, when there are no handlers any longer.
        handled.unwrap_or(Ok(()))
    }
}

/// Waits with `poll` for an operation that holds the GIL, and lets it go meanwhile: the thread that is waited for may need it.
pub(super) struct YieldingWaiter;

impl Waiter for YieldingWaiter {
    fn wait(
        &self,
        fd: RawFd,
        interest: Interest,
        deadline: Deadline,
    ) -> Result<Waited, StoreError> {
        Python::attach(|py| py.detach(|| PollWaiter.wait(fd, interest, deadline)))
    }
}

/// An event loop that has patched Python's sockets, so that the other tasks of a thread go on while one waits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hub {
    /// `gevent.monkey.patch_all`.
    Gevent,
    /// `eventlet.monkey_patch`.
    Eventlet,
}

impl Hub {
    /// The one that has patched the socket module. Costs no look-up where neither is imported and nothing was since.
    pub(super) fn find(py: Python<'_>) -> PyResult<Option<Self>> {
        static MODULES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
        /// A state of these modules without either; 0 for none known.
        static NONE_IN: AtomicU64 = AtomicU64::new(0);
        let modules = MODULES.import(py, "sys", "modules")?;
        let state = dict_state(modules);
        if state.is_some_and(|state| state == NONE_IN.load(Ordering::Relaxed)) {
            return Ok(None);
        }
        let patches = |module: &Bound<'_, PyString>, question| -> PyResult<bool> {
            let Some(module) = modules.get_item(module)? else {
                return Ok(false);
            };
            // A module that another thread is importing at this moment may lack it still.
            match module.getattr_opt(question)? {
                Some(question) => question.call1((intern!(py, "socket"),))?.is_truthy(),
                None => Ok(false),
            }
        };
        if patches(
            intern!(py, "gevent.monkey"),
            intern!(py, "is_module_patched"),
        )? {
            return Ok(Some(Self::Gevent));
        }
        if patches(
            intern!(py, "eventlet.patcher"),
            intern!(py, "is_monkey_patched"),
        )? {
            return Ok(Some(Self::Eventlet));
        }
        if let Some(state) = state
            && !modules.contains(intern!(py, "gevent.monkey"))?
            && !modules.contains(intern!(py, "eventlet.patcher"))?
        {
            NONE_IN.store(state, Ordering::Relaxed);
        }
        Ok(None)
    }
}

/// Waits in an event loop, attached to the interpreter: other tasks of this very thread run meanwhile, and may be in the
/// middle of operations of their own.
pub(super) struct HubWaiter<'a, 'py> {
    pub py: Python<'py>,
    pub hub: Hub,
    pub interruption: &'a Interruption,
}

impl HubWaiter<'_, '_> {
    /// Has the loop wait so many seconds, after which it raises `timeout`.
    fn ask_hub(
        &self,
        fd: RawFd,
        interest: Interest,
        seconds: f64,
        timeout: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = self.py;
        let options = PyDict::new(py);
        options.set_item(intern!(py, "timeout"), seconds)?;
        options.set_item(intern!(py, "timeout_exc"), timeout)?;
        let wait = match (self.hub, interest) {
            (Hub::Gevent, Interest::Read) => {
                static WAIT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
                WAIT.import(py, "gevent.socket", "wait_read")?
            }
            (Hub::Gevent, Interest::Write) => {
                static WAIT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
                WAIT.import(py, "gevent.socket", "wait_write")?
            }
            (Hub::Eventlet, interest) => {
                static WAIT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
                let name = match interest {
                    Interest::Read => intern!(py, "read"),
                    Interest::Write => intern!(py, "write"),
                };
                options.set_item(name, true)?;
                WAIT.import(py, "eventlet.hubs", "trampoline")?
            }
        };
        wait.call((fd,), Some(&options)).map(drop)
    }
}

impl Waiter for HubWaiter<'_, '_> {
    fn wait(
        &self,
        fd: RawFd,
        interest: Interest,
        deadline: Deadline,
    ) -> Result<Waited, StoreError> {
        let Some(left) = deadline.remaining() else {
            return Ok(Waited::TimedOut);
        };
        // Of any other exception of this class, somebody else is the owner: `gevent.Timeout(1, TimeoutError)`.
        let timeout = PyTimeoutError::new_err("timed out").into_value(self.py);
        let timeout = timeout.bind(self.py).as_any();
        match self.ask_hub(fd, interest, left.as_secs_f64(), timeout) {
            Ok(()) => Ok(Waited::Ready),
            Err(error) if error.value(self.py).is(timeout) => Ok(Waited::TimedOut),
            Err(error) => Err(self.interruption.keep(error)),
        }
    }
}
