//! What Flask, itsdangerous and werkzeug ship, looked up once: the things a plan compares with.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyList, PyType};

/// The methods of `SecureCookieSessionInterface` that an application may override, and how its attributes are found.
pub(super) const HOOKS: [&str; 12] = [
    "__getattribute__",
    "__getattr__",
    "get_cookie_name",
    "get_cookie_domain",
    "get_cookie_path",
    "get_cookie_httponly",
    "get_cookie_secure",
    "get_cookie_samesite",
    "get_cookie_partitioned",
    "get_expiration_time",
    "should_set_cookie",
    "get_signing_serializer",
];

/// The attributes of `SecureCookieSessionInterface` that an application may set to another value.
pub(super) const VALUES: [&str; 6] = [
    "session_class",
    "serializer",
    "salt",
    "key_derivation",
    "digest_method",
    "compress_threshold",
];

/// The methods of Flask's own interface that do the work behind the package's.
const FLASK_INTERFACE_METHODS: [&str; 3] =
    ["open_session", "save_session", "get_signing_serializer"];

/// The attributes of a session that Flask's interface asks.
const SESSION_ATTRIBUTES: [&str; 8] = [
    "__getattribute__",
    "__init__",
    "__iter__",
    "__len__",
    "accessed",
    "keys",
    "modified",
    "permanent",
];

/// The methods of a serializer by which Flask's interface reads and writes.
const SERIALIZER_METHODS: [&str; 5] = ["dumps", "loads", "tag", "untag", "_untag_scan"];

/// What a tag of a serializer consists of.
const TAG_ATTRIBUTES: [&str; 5] = ["key", "check", "to_json", "to_python", "tag"];

/// The classes of the shipped tags in `flask.json.tag`, in the order in which they are tried.
const TAGS: [&str; 8] = [
    "TagDict",
    "PassDict",
    "TagTuple",
    "PassList",
    "TagBytes",
    "TagMarkup",
    "TagUUID",
    "TagDateTime",
];

/// The methods of itsdangerous' `TimestampSigner` that say when a cookie was signed.
const SIGNER_METHODS: [&str; 4] = ["get_timestamp", "timestamp_to_datetime", "sign", "unsign"];

/// The attributes of Flask's request class through which the session's cookie is read.
pub(super) const REQUEST_ATTRIBUTES: [&str; 5] = [
    "__init__",
    "__getattribute__",
    "cookies",
    "dict_storage_class",
    "environ",
];

/// The attributes of Flask's response class through which the session's cookie is written.
pub(super) const RESPONSE_ATTRIBUTES: [&str; 6] = [
    "__getattribute__",
    "set_cookie",
    "delete_cookie",
    "vary",
    "headers",
    "max_cookie_size",
];

/// The attributes of Flask's application class that hold session settings.
pub(super) const APP_ATTRIBUTES: [&str; 5] = [
    "__getattribute__",
    "config",
    "json",
    "secret_key",
    "permanent_session_lifetime",
];

/// The attributes of Flask's interfaces that tell a null session.
pub(super) const NULL_SESSION_ATTRIBUTES: [&str; 3] =
    ["__getattribute__", "is_null_session", "null_session_class"];

/// The attributes of Flask's JSON provider that shape its output.
pub(super) const JSON_ATTRIBUTES: [&str; 6] = [
    "__getattribute__",
    "dumps",
    "loads",
    "default",
    "ensure_ascii",
    "sort_keys",
];

/// The shipped values of a list of class attributes.
pub(super) struct Shipped {
    class: Py<PyType>,
    attributes: Vec<(&'static str, Option<Py<PyAny>>)>,
    /// Another package had replaced one of them before this one was imported.
    patched: bool,
}

/// Whether a class attribute comes from where Flask's come from. What does not say where it comes
/// from is a constant; those of the JSON provider are all `True` as shipped.
fn is_shipped(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    if value.is_instance_of::<PyBool>() {
        return value.is_truthy();
    }
    let mut made = value.clone();
    for inner in ["fget", "func"] {
        if let Some(function) = value.getattr_opt(inner)? {
            made = function;
        }
    }
    let module = made.getattr_opt("__module__")?;
    let Some(module) = module.and_then(|found| found.extract::<String>().ok()) else {
        return Ok(true);
    };
    let package = module.split('.').next().unwrap_or_default();
    Ok([
        "builtins",
        "flask",
        "flask_session_rs",
        "itsdangerous",
        "werkzeug",
    ]
    .contains(&package))
}

impl Shipped {
    fn of(class: &Bound<'_, PyType>, names: &[&'static str]) -> PyResult<Self> {
        let mut patched = false;
        let mut attributes = Vec::with_capacity(names.len());
        for name in names {
            let value = class.getattr_opt(*name)?;
            if let Some(value) = &value {
                patched |= !is_shipped(value)?;
            }
            attributes.push((*name, value.map(Bound::unbind)));
        }
        Ok(Self {
            class: class.clone().unbind(),
            attributes,
            patched,
        })
    }

    /// Whether `class` answers each of the attributes with what is shipped.
    pub(super) fn unchanged_in(&self, class: &Bound<'_, PyType>) -> PyResult<bool> {
        Ok(self.are_answered(|name| class.getattr_opt(name))?
            && class.is_subclass(self.class.bind(class.py()))?)
    }

    /// Whether the class that it is of still answers each of the attributes with what is shipped.
    fn is_unchanged(&self, py: Python<'_>) -> PyResult<bool> {
        self.are_answered(|name| self.class.bind(py).getattr_opt(name))
    }

    /// Whether `look_up` answers each of the attributes with what is shipped.
    pub(super) fn are_answered<'py>(
        &self,
        look_up: impl Fn(&'static str) -> PyResult<Option<Bound<'py, PyAny>>>,
    ) -> PyResult<bool> {
        if self.patched {
            return Ok(false);
        }
        for (name, shipped) in &self.attributes {
            let same = match (look_up(name)?, shipped) {
                (Some(found), Some(shipped)) => found.is(shipped),
                (None, None) => true,
                _ => false,
            };
            if !same {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The shipped objects.
pub(super) struct Stock {
    /// `flask.config.Config`.
    pub config: Py<PyType>,
    /// `flask.json.provider.DefaultJSONProvider`.
    pub json_provider: Py<PyType>,
    /// `flask.json.tag.TaggedJSONSerializer`.
    pub serializer: Py<PyType>,
    serializer_methods: Shipped,
    /// The classes of the shipped tags, in order.
    tags: Vec<Shipped>,
    signer: Shipped,
    /// `flask.sessions.session_json_serializer`: the instance that Flask's interface uses.
    pub session_serializer: Py<PyAny>,
    /// `werkzeug.datastructures.Headers`.
    pub headers: Py<PyType>,
    /// `flask_session_rs.sessions.SecureCookieSession`.
    pub session: Py<PyType>,
    session_attributes: Shipped,
    /// `flask.globals._cv_app`: the context variable of the application context.
    pub app_context: Py<PyAny>,
    /// `flask.Response.set_cookie`.
    pub set_cookie: Py<PyAny>,
    /// `werkzeug.http.dump_cookie`.
    pub dump_cookie: Py<PyAny>,
    /// `hashlib` functions, each with the name of its digest; Flask's lazy SHA-1 is among them.
    pub digests: Vec<(Py<PyAny>, &'static str)>,
    pub interface: Shipped,
    flask_interface: Shipped,
    /// `flask_session_rs.redis.RedisSessionInterface`.
    pub redis_interface: Shipped,
    /// `flask_session_rs.sessions.RedisSession`.
    pub redis_session: Py<PyType>,
    /// `flask.sessions.SessionInterface`, in what tells a null session.
    pub null_sessions: Shipped,
    pub app: Shipped,
    pub request: Shipped,
    pub response: Shipped,
    pub json: Shipped,
}

static STOCK: PyOnceLock<Stock> = PyOnceLock::new();

impl Stock {
    pub(super) fn get(py: Python<'_>) -> PyResult<&Self> {
        STOCK.get_or_try_init(py, || Self::look_up(py))
    }

    #[cold]
    fn look_up(py: Python<'_>) -> PyResult<Self> {
        let class = |module: &str, name: &str| -> PyResult<Bound<'_, PyType>> {
            Ok(py.import(module)?.getattr(name)?.cast_into::<PyType>()?)
        };
        let sessions = py.import("flask.sessions")?;
        let hashlib = py.import("hashlib")?;
        let flask_interface = sessions.getattr("SecureCookieSessionInterface")?;
        let ours = class(
            "flask_session_rs.secure_cookie",
            "SecureCookieSessionInterface",
        )?;
        let mut digests = vec![(flask_interface.getattr("digest_method")?.unbind(), "sha1")];
        for name in ["sha1", "sha256", "sha512"] {
            // A build of OpenSSL may lack SHA-1.
            if let Some(function) = hashlib.getattr_opt(name)? {
                digests.push((function.unbind(), name));
            }
        }
        let serializer = class("flask.json.tag", "TaggedJSONSerializer")?;
        let session = class("flask_session_rs.sessions", "SecureCookieSession")?;
        let json_provider = class("flask.json.provider", "DefaultJSONProvider")?;
        Ok(Self {
            config: class("flask.config", "Config")?.unbind(),
            tags: TAGS
                .iter()
                .map(|name| Shipped::of(&class("flask.json.tag", name)?, &TAG_ATTRIBUTES))
                .collect::<PyResult<_>>()?,
            serializer_methods: Shipped::of(&serializer, &SERIALIZER_METHODS)?,
            signer: Shipped::of(&class("itsdangerous", "TimestampSigner")?, &SIGNER_METHODS)?,
            session_serializer: sessions.getattr("session_json_serializer")?.unbind(),
            headers: class("werkzeug.datastructures", "Headers")?.unbind(),
            session_attributes: Shipped::of(&session, &SESSION_ATTRIBUTES)?,
            session: session.unbind(),
            app_context: py.import("flask.globals")?.getattr("_cv_app")?.unbind(),
            set_cookie: class("flask", "Response")?.getattr("set_cookie")?.unbind(),
            dump_cookie: py.import("werkzeug.http")?.getattr("dump_cookie")?.unbind(),
            digests,
            interface: Shipped::of(&ours, &HOOKS)?,
            flask_interface: Shipped::of(
                flask_interface.cast::<PyType>()?,
                &FLASK_INTERFACE_METHODS,
            )?,
            redis_interface: Shipped::of(
                &class("flask_session_rs.redis", "RedisSessionInterface")?,
                &HOOKS,
            )?,
            redis_session: class("flask_session_rs.sessions", "RedisSession")?.unbind(),
            null_sessions: Shipped::of(
                &class("flask.sessions", "SessionInterface")?,
                &NULL_SESSION_ATTRIBUTES,
            )?,
            app: Shipped::of(&class("flask", "Flask")?, &APP_ATTRIBUTES)?,
            request: Shipped::of(&class("flask", "Request")?, &REQUEST_ATTRIBUTES)?,
            response: Shipped::of(&class("flask", "Response")?, &RESPONSE_ATTRIBUTES)?,
            json: Shipped::of(&json_provider, &JSON_ATTRIBUTES)?,
            json_provider: json_provider.unbind(),
            serializer: serializer.unbind(),
        })
    }

    /// The application context that is current, as `flask.current_app` finds it.
    #[allow(unsafe_code)]
    pub(super) fn current_app_context<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut context = std::ptr::null_mut();
        // SAFETY: `app_context` is a ContextVar (checked when it was looked up) and `context` a
        // place for the new reference, which is null when the variable is not set.
        unsafe {
            let variable = self.app_context.as_ptr();
            if ffi::PyContextVar_Get(variable, std::ptr::null_mut(), &raw mut context) < 0 {
                return Err(PyErr::fetch(py));
            }
            Ok(Bound::from_owned_ptr_or_opt(py, context))
        }
    }

    /// Whether Flask's own interface and the package's session do what they do as shipped: somebody may have patched them.
    pub(super) fn is_untouched(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.flask_interface.is_unchanged(py)?
            && self.session_attributes.is_unchanged(py)?
            && self.signer.is_unchanged(py)?)
    }

    /// Whether `serializer` is the shipped class with nothing but the shipped tags, in their order.
    pub(super) fn is_shipped_serializer(&self, serializer: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = serializer.py();
        if !serializer.get_type().is(&self.serializer)
            || !self.serializer_methods.is_unchanged(py)?
        {
            return Ok(false);
        }
        let order = serializer.getattr("order")?.cast_into::<PyList>()?;
        let tags = serializer.getattr("tags")?.cast_into::<PyDict>()?;
        if order.len() != self.tags.len() {
            return Ok(false);
        }
        let mut keyed = 0;
        for (tag, shipped) in order.iter().zip(&self.tags) {
            if !tag.get_type().is(&shipped.class) || !shipped.is_unchanged(py)? {
                return Ok(false);
            }
            let key = tag.getattr("key")?;
            if key.is_truthy()? {
                keyed += 1;
                if !tags.get_item(&key)?.is_some_and(|found| found.is(&tag)) {
                    return Ok(false);
                }
            }
        }
        Ok(tags.len() == keyed)
    }
}
