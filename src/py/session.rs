//! The session object: a dict that fills itself when it is first used, and knows whether it changed.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use pyo3::exceptions::{PyAttributeError, PyKeyError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyDict, PyTuple, PyType};

use super::base::DictMethod;
use super::codec;
use super::on_update;
use super::redis_session;
use super::redis_source::RecordSource;
use super::secure_cookie::SealedCookie;
use super::states::dict_state;

/// What stands in the dict until it is loaded. C code that looks at a dict's size before it calls
/// any method (`json.dumps` does) takes an empty one for the truth; this keeps it from being empty.
const NOT_LOADED: &str = "<session not loaded>";

pub(super) static CLEAR: DictMethod = DictMethod::new("clear");
static COPY: DictMethod = DictMethod::new("copy");
static DELITEM: DictMethod = DictMethod::new("__delitem__");
static EQ: DictMethod = DictMethod::new("__eq__");
static ITEMS: DictMethod = DictMethod::new("items");
static ITER: DictMethod = DictMethod::new("__iter__");
static KEYS: DictMethod = DictMethod::new("keys");
static OR: DictMethod = DictMethod::new("__or__");
static POP: DictMethod = DictMethod::new("pop");
static POPITEM: DictMethod = DictMethod::new("popitem");
static REVERSED: DictMethod = DictMethod::new("__reversed__");
static SETDEFAULT: DictMethod = DictMethod::new("setdefault");
pub(super) static UPDATE: DictMethod = DictMethod::new("update");
static VALUES: DictMethod = DictMethod::new("values");

/// `pop`'s second argument: None is a default like any other.
enum Default<'py> {
    Missing,
    Given(Bound<'py, PyAny>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Default<'py> {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        Ok(Self::Given(value.to_owned()))
    }
}

/// The dict underneath `flask_session_rs.SecureCookieSession`.
///
/// It loads itself in the setter of `accessed`, which Flask's request context calls before it hands
/// the session out, and in every method of dict, because `session_transaction()` hands it out
/// without. Mutators set `modified` as werkzeug's `CallbackDict` does. All state is in atomics and
/// one lock, since `copy_current_request_context` gives one session to two threads.
#[pyclass(extends = PyDict, subclass, frozen, mapping, module = "flask_session_rs._native")]
pub(crate) struct Session {
    loaded: AtomicBool,
    accessed: AtomicBool,
    modified: AtomicBool,
    /// Whether `on_update` was set.
    watched: AtomicBool,
    /// What the dict is filled from; nothing where a session begins in use.
    source: OnceLock<Source>,
    /// The payload that the dict was filled from, if it is known. Held by whoever fills the dict.
    filled: Mutex<Option<Payload>>,
}

/// Where the payload of a session's cookie stands, which is what would be written for as long as the dict is in this state.
#[derive(Clone)]
pub(super) struct Payload {
    pub place: Range<usize>,
    pub state: u64,
}

/// What a session is filled from when it is first used.
pub(super) enum Source {
    /// The cookie that holds it.
    Cookie(SealedCookie),
    /// The record in a store whose id a cookie holds.
    Record(RecordSource),
}

impl Session {
    /// A new session of the type `class`, as calling it without arguments gives.
    #[allow(unsafe_code)]
    pub(super) fn empty<'py>(class: &Bound<'py, PyType>) -> PyResult<Bound<'py, Self>> {
        let py = class.py();
        // SAFETY: the class is a subclass of this one and inherits its constructor, which takes any
        // arguments and gives a new reference to an instance, or null with an exception set. Calling
        // the class would look for `__init__` besides, which does nothing without arguments.
        unsafe {
            let construct = (*class.as_type_ptr()).tp_new;
            let Some(construct) = construct else {
                return class.call0()?.cast_into::<Self>().map_err(PyErr::from);
            };
            let arguments = PyTuple::empty(py);
            let session = construct(
                class.as_type_ptr(),
                arguments.as_ptr(),
                std::ptr::null_mut(),
            );
            Ok(Bound::from_owned_ptr_or_err(py, session)?.cast_into_unchecked())
        }
    }

    /// A new session of the type `class` that will be filled from `source` when it is first used.
    pub(super) fn lazy<'py>(
        class: &Bound<'py, PyType>,
        source: Source,
    ) -> PyResult<Bound<'py, Self>> {
        let session = Self::empty(class)?;
        Self::defer(&session, source)?;
        Ok(session)
    }

    /// Leaves a new session to be filled from `source` when it is first used.
    pub(super) fn defer(slf: &Bound<'_, Self>, source: Source) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        if this.source.set(source).is_err() {
            return Err(PyTypeError::new_err(
                "session_class gave a session that is in use already: it has to make a new one whenever it is called",
            ));
        }
        slf.as_super()
            .set_item(intern!(py, NOT_LOADED), py.None())?;
        this.loaded.store(false, Ordering::Release);
        // What a constructor of the application's own put into it goes when it is loaded.
        this.modified.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// What stands beside the dict of a session that needs no loading.
    pub(super) fn loaded() -> Self {
        Self {
            loaded: AtomicBool::new(true),
            accessed: AtomicBool::new(false),
            modified: AtomicBool::new(false),
            watched: AtomicBool::new(false),
            source: OnceLock::new(),
            filled: Mutex::new(None),
        }
    }

    pub(super) fn is_accessed(&self) -> bool {
        self.accessed.load(Ordering::Relaxed)
    }

    pub(super) fn is_modified(&self) -> bool {
        self.modified.load(Ordering::Relaxed)
    }

    /// Whether nobody has used the session yet.
    pub(super) fn is_untouched(&self) -> bool {
        !self.loaded.load(Ordering::Acquire) && !self.is_accessed() && !self.is_modified()
    }

    /// Whether the cookie that an untouched session would be loaded from can hold a permanent one.
    pub(super) fn source_may_be_permanent(&self, py: Python<'_>) -> bool {
        matches!(self.source(), Some(Source::Cookie(cookie)) if cookie.may_be_permanent(py))
    }

    /// What the session will be loaded from; None once it is.
    pub(super) fn source(&self) -> Option<&Source> {
        let source = self.source.get()?;
        (!self.loaded.load(Ordering::Acquire)).then_some(source)
    }

    /// The same, also of a session that is loaded.
    pub(super) fn loaded_from(&self) -> Option<&Source> {
        self.source.get()
    }

    /// The payload that the dict was filled from, if the dict is in the state that it had then: not even code that goes
    /// past the session's own methods has changed it.
    pub(super) fn payload_if_unchanged<'a>(
        &'a self,
        dict: &'a Bound<'_, PyDict>,
    ) -> Option<&'a [u8]> {
        let Payload { place, state } = self.filled(dict.py()).clone()?;
        match self.source.get()? {
            Source::Cookie(cookie) if dict_state(dict) == Some(state) => {
                cookie.text(dict.py(), place)
            }
            _ => None,
        }
    }

    /// Dict methods may wait for the whole interpreter to stop, where there is no GIL: whoever waits for this lock does so
    /// without being attached.
    fn filled(&self, py: Python<'_>) -> MutexGuard<'_, Option<Payload>> {
        self.filled
            .lock_py_attached(py)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The dict itself, loaded.
    #[inline]
    pub(super) fn dict<'a, 'py>(slf: &'a Bound<'py, Self>) -> PyResult<&'a Bound<'py, PyDict>> {
        if !slf.get().loaded.load(Ordering::Acquire) {
            Self::load(slf)?;
        }
        Ok(slf.as_super())
    }

    /// Fills the dict from its source. Two threads may both decode; the first to finish fills the
    /// dict, the other finds it filled and drops its own copy. Decoding runs without the lock,
    /// because it may run Python code.
    #[cold]
    fn load(slf: &Bound<'_, Self>) -> PyResult<()> {
        match slf.get().source() {
            None => Ok(()),
            Some(Source::Cookie(cookie)) => {
                let (items, place) = cookie.decode(slf.py())?.unzip();
                let put = |dict: &Bound<'_, PyDict>| codec::put(dict, items.unwrap_or_default());
                Self::fill(slf, put, |payload| {
                    if let (Some(place), Some(state)) =
                        (place.flatten(), dict_state(slf.as_super()))
                    {
                        *payload = Some(Payload { place, state });
                    }
                })
            }
            Some(Source::Record(record)) => redis_session::load(slf, record),
        }
    }

    /// Fills the dict with what `put` puts into it, without running Python code, and does what belongs to it, unless another
    /// thread was first. `settle` may say which payload it was filled from.
    pub(super) fn fill<'py>(
        slf: &Bound<'py, Self>,
        put: impl FnOnce(&Bound<'py, PyDict>) -> PyResult<()>,
        settle: impl FnOnce(&mut Option<Payload>),
    ) -> PyResult<()> {
        let this = slf.get();
        let dict = slf.as_super();
        let mut filled = this.filled(slf.py());
        if !this.loaded.load(Ordering::Acquire) {
            // None of this runs Python code: keys are exact str or plain values of other exact types,
            // and what leaves the dict is an interned str and None.
            dict.clear();
            put(dict)?;
            settle(&mut filled);
            this.loaded.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// What follows a change of the session's own items.
    #[inline]
    pub(super) fn touch(slf: &Bound<'_, Self>) -> PyResult<()> {
        if !slf.get().watched.load(Ordering::Relaxed) && on_update::is_own_class(slf)? {
            slf.get().modified.store(true, Ordering::Relaxed);
            return Ok(());
        }
        on_update::call(slf)
    }

    /// Whether `on_update` was set.
    pub(super) fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    pub(super) fn watch(&self) {
        self.watched.store(true, Ordering::Relaxed);
    }
}

#[pymethods]
impl Session {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs), text_signature = "(initial=None)")]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::loaded()
    }

    /// As `flask.sessions.SecureCookieSession.__init__`: filled from `initial`, not modified.
    #[pyo3(signature = (initial = None))]
    fn __init__(slf: &Bound<'_, Self>, initial: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        if let Some(initial) = initial {
            Self::dict(slf)?;
            UPDATE.call(slf.py(), (slf, initial))?;
        }
        Ok(())
    }

    /// Whether the session was handed out in this request. Setting it true loads the session.
    #[getter]
    fn accessed(&self) -> bool {
        self.is_accessed()
    }

    #[setter]
    fn set_accessed(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let accessed = value.is_truthy()?;
        slf.get().accessed.store(accessed, Ordering::Relaxed);
        if !accessed || slf.get().loaded.load(Ordering::Acquire) {
            return Ok(());
        }
        match slf.get().source() {
            Some(Source::Record(record)) => redis_session::load_ahead(slf, record),
            _ => Self::load(slf),
        }
    }

    /// Whether the session's own items changed. Set it when something nested in them did.
    #[getter]
    fn modified(&self) -> bool {
        self.is_modified()
    }

    #[setter]
    fn set_modified(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.modified.store(value.is_truthy()?, Ordering::Relaxed);
        Ok(())
    }

    /// As of any attribute that falls back on its class: back to False.
    #[deleter(modified)]
    fn delete_modified(&self) -> PyResult<()> {
        if self.modified.swap(false, Ordering::Relaxed) {
            Ok(())
        } else {
            Err(PyAttributeError::new_err("modified"))
        }
    }

    /// What is called with the session when its own items change: by default it sets `modified`. None for nothing.
    #[getter]
    fn on_update<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        on_update::get(slf)
    }

    #[setter]
    fn set_on_update(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        on_update::set(slf, value)
    }

    // Readers.

    fn __getitem__<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(value) = Self::dict(slf)?.get_item(key)? {
            return Ok(value);
        }
        // dict's own subscript asks a subclass for `__missing__`.
        match slf
            .get_type()
            .getattr_opt(intern!(slf.py(), "__missing__"))?
        {
            Some(missing) => missing.call1((slf, key)),
            None => Err(PyKeyError::new_err((key.clone().unbind(),))),
        }
    }

    #[pyo3(signature = (key, default = None, /))]
    fn get<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(Self::dict(slf)?.get_item(key)?.or(default))
    }

    fn __contains__(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        Self::dict(slf)?.contains(key)
    }

    fn __len__(slf: &Bound<'_, Self>) -> PyResult<usize> {
        Ok(Self::dict(slf)?.len())
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::read(slf, &ITER)
    }

    fn __reversed__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::read(slf, &REVERSED)
    }

    fn keys<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::read(slf, &KEYS)
    }

    fn values<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::read(slf, &VALUES)
    }

    fn items<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::read(slf, &ITEMS)
    }

    fn copy<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        COPY.call(slf.py(), (Self::whole(slf)?,))
    }

    fn __eq__<'py>(
        slf: &Bound<'py, Self>,
        other: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::load_both(slf, other)?;
        EQ.call(slf.py(), (slf, other))
    }

    fn __or__<'py>(
        slf: &Bound<'py, Self>,
        other: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        OR.call(slf.py(), (Self::whole(slf)?, Self::operand(other)?))
    }

    fn __ror__<'py>(
        slf: &Bound<'py, Self>,
        other: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::load_both(slf, other)?;
        if !other.is_instance_of::<PyDict>() {
            return Ok(slf.py().NotImplemented().into_bound(slf.py()));
        }
        OR.call(slf.py(), (other, Self::whole(slf)?))
    }

    /// Says how much is in the session, never what: a `repr` ends up in logs and error reports.
    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let class = slf.get_type().name()?;
        if !slf.get().loaded.load(Ordering::Acquire) {
            return Ok(format!("<{class} (not loaded)>"));
        }
        Ok(match slf.as_super().len() {
            1 => format!("<{class} (1 key)>"),
            keys => format!("<{class} ({keys} keys)>"),
        })
    }

    /// Copying and pickling carry the items, the instance's attributes and the two flags.
    fn __reduce_ex__<'py>(
        slf: &Bound<'py, Self>,
        protocol: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::dict(slf)?;
        let py = slf.py();
        // Protocols 0 and 1 rebuild through dict.__new__, which a native subclass refuses.
        let protocol = protocol.extract::<i32>()?.max(2);
        py.get_type::<PyAny>()
            .call_method1(intern!(py, "__reduce_ex__"), (slf, protocol))
    }

    fn __getstate__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let (py, this) = (slf.py(), slf.get());
        let flags = PyDict::new(py);
        flags.set_item(intern!(py, "accessed"), this.is_accessed())?;
        flags.set_item(intern!(py, "modified"), this.is_modified())?;
        let attributes = on_update::state(slf, &flags)?;
        Ok((attributes, flags).into_pyobject(py)?.into_any())
    }

    // Mutators, as werkzeug.datastructures.UpdateDictMixin has them.

    fn __setitem__(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        Self::dict(slf)?.set_item(key, value)?;
        Self::touch(slf)
    }

    fn __delitem__(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::dict(slf)?;
        DELITEM.call(slf.py(), (slf, key))?;
        Self::touch(slf)
    }

    fn clear(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::dict(slf)?;
        CLEAR.call(slf.py(), (slf,))?;
        Self::touch(slf)
    }

    /// `default` may be given by name, as in werkzeug's method and unlike dict's.
    #[pyo3(signature = (key, default = Default::Missing))]
    fn pop<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        default: Default<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let present = Self::dict(slf)?.contains(key)?;
        let value = match default {
            Default::Missing => POP.call(slf.py(), (slf, key))?,
            Default::Given(default) => POP.call(slf.py(), (slf, key, default))?,
        };
        if present {
            Self::touch(slf)?;
        }
        Ok(value)
    }

    fn popitem<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::dict(slf)?;
        let item = POPITEM.call(slf.py(), (slf,))?;
        Self::touch(slf)?;
        Ok(item)
    }

    #[pyo3(signature = (key, default = None))]
    fn setdefault<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let added = !Self::dict(slf)?.contains(key)?;
        let value = SETDEFAULT.call(slf.py(), (slf, key, default))?;
        if added {
            Self::touch(slf)?;
        }
        Ok(value)
    }

    #[pyo3(signature = (arg = None, /, **kwargs))]
    fn update(
        slf: &Bound<'_, Self>,
        arg: Option<&Bound<'_, PyAny>>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        Self::dict(slf)?;
        let py = slf.py();
        let args = match arg {
            Some(arg) => (slf, arg).into_pyobject(py)?,
            None => (slf,).into_pyobject(py)?,
        };
        UPDATE.call_with(&args, kwargs)?;
        Self::touch(slf)
    }

    fn __ior__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::dict(slf)?;
        UPDATE.call(slf.py(), (slf, other))?;
        Self::touch(slf)
    }
}

impl Session {
    fn read<'py>(slf: &Bound<'py, Self>, method: &DictMethod) -> PyResult<Bound<'py, PyAny>> {
        Self::dict(slf)?;
        method.call(slf.py(), (slf,))
    }

    /// What stands for the session where a method of dict copies it: itself, since the GIL makes that one step.
    #[cfg(not(Py_GIL_DISABLED))]
    fn whole<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        Self::dict(slf).cloned()
    }

    /// What stands for the session where a method of dict copies it: its items at one moment. dict copies a subclass
    /// that has an `__iter__` of its own key by key, with other threads in between.
    #[cfg(Py_GIL_DISABLED)]
    fn whole<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let items = PyDict::new(slf.py());
        Self::dict(slf)?.locked_for_each(|key, value| items.set_item(key, value))?;
        Ok(items)
    }

    /// The other operand of an operator, which copies it if it is a session.
    fn operand<'py>(other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        match other.cast::<Self>() {
            Ok(other) => Self::whole(other).map(Bound::into_any),
            Err(_) => Ok(other.clone()),
        }
    }

    /// dict's binary operators look into both operands without calling their methods.
    fn load_both(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::dict(slf)?;
        if let Ok(other) = other.cast::<Self>() {
            Self::dict(other)?;
        }
        Ok(())
    }
}
