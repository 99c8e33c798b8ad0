//! The one place that decides whether native code or Flask's own answers for a request.
//!
//! A plan is made from everything that an application can customise: the interface's class and
//! instance, the application's class, its JSON provider, the serializer with its tags, the keys and
//! the lifetime. It holds for as long as all of that is the same, which a request checks by
//! comparing pointers (`states.rs`, `tags.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDelta, PyDeltaAccess, PyDict, PyInt, PyList, PyString, PyTuple};

use super::cache::{Cache, Kept};
use super::codec::{TokenCodec, derivation_named, digest_named, octets};
use super::errors::is_ordinary;
use super::states::{Attributes, Class, attributes_of, dict_state, items, same_items};
use super::stock::{JSON_ATTRIBUTES, Stock, VALUES};
use super::tags::Tags;
use super::verdicts::{Interfaces, Verdicts, has_shipped_hooks, is_plain_value, matters};
use crate::keyring::Keyring;

/// What native code needs to open and seal an application's sessions.
pub(super) struct Plan {
    seen: Seen,
    /// None: something is customised, and Flask's own code answers.
    native: Option<Native>,
}

/// What the settings came to.
pub(super) struct Native {
    pub codec: TokenCodec,
    /// Seconds: `int(PERMANENT_SESSION_LIFETIME)`.
    pub max_age: i64,
    /// The same in microseconds, not rounded: how far ahead a cookie expires.
    pub lifetime_us: i128,
    /// The name of the cookie.
    pub cookie_name: Box<[u8]>,
    /// The serializer, with the shipped tags and no other.
    pub serializer: Py<PyAny>,
}

/// The plans of one interface object, and what is known of the classes it met.
pub(super) struct Plans {
    kept: Cache<Plan>,
    interface: Interfaces,
    requests: Verdicts,
    responses: Verdicts,
}

impl Plan {
    /// The serializer's tags; None for a serializer of another kind than Flask's.
    pub(super) fn tags(&self) -> Option<&Tags> {
        self.seen.tags.as_ref()
    }

    /// `app.config`, if everything is as it was when the plan was made.
    fn config_if_current<'py>(
        &self,
        interface: &Bound<'py, PyAny>,
        app: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        if !self.seen.app.is_class_of(app) {
            return Ok(None);
        }
        // A native plan is only made where the class leaves both attributes to the object itself.
        let parts = match &self.native {
            Some(_) => App::of_attributes(&attributes_of(app)?)?,
            None => App::of(app)?,
        };
        match parts {
            Some(parts) if self.seen.holds(interface, &parts)? => Ok(Some(parts.config)),
            _ => Ok(None),
        }
    }

    /// What native code works with; None where Flask answers.
    pub(super) fn native(&self) -> Option<&Native> {
        self.native.as_ref()
    }
}

impl Plans {
    pub(super) const fn new() -> Self {
        Self {
            kept: Cache::new(),
            interface: Interfaces::new(),
            requests: Verdicts::new(),
            responses: Verdicts::new(),
        }
    }

    /// The plan for `interface` on `app` as both are now, and `app.config`; None where Flask answers.
    pub(super) fn current<'py>(
        &self,
        interface: &Bound<'py, PyAny>,
        app: &Bound<'py, PyAny>,
    ) -> PyResult<Option<(Kept<'_, Plan>, Bound<'py, PyDict>)>> {
        let mut index = 0;
        while let Some(plan) = self.kept.get(index) {
            if let Some(config) = plan.config_if_current(interface, app)? {
                return Ok(plan.native.is_some().then_some((plan, config)));
            }
            index += 1;
        }
        self.make(interface, app)
    }

    /// A new plan, kept where it can be.
    #[cold]
    fn make<'py>(
        &self,
        interface: &Bound<'py, PyAny>,
        app: &Bound<'py, PyAny>,
    ) -> PyResult<Option<(Kept<'_, Plan>, Bound<'py, PyDict>)>> {
        let Some(parts) = App::of(app)? else {
            return Ok(None);
        };
        let Some(plan) = Plan::make(interface, app, &parts)?.map(Arc::new) else {
            return Ok(None);
        };
        // A class without a version number is looked at anew at each request.
        if plan.seen.classes().iter().all(|class| class.has_version()) {
            self.kept.keep(Arc::clone(&plan));
        }
        let native = plan.native.is_some();
        Ok(native.then_some((Kept::Later(plan), parts.config)))
    }

    /// Whether the interface's methods and session class are those of the package. Enough for a
    /// session that needs no cookie: no setting bears on it.
    pub(super) fn interface_is_shipped(&self, interface: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.interface.holds(interface)
    }

    /// Whether the request's cookies are read as Flask's request class reads them.
    pub(super) fn request_is_shipped(&self, request: &Bound<'_, PyAny>) -> PyResult<bool> {
        let stock = Stock::get(request.py())?;
        self.requests.holds(request, &stock.request)
    }

    /// Whether the response takes cookies as Flask's response class takes them.
    pub(super) fn response_is_shipped(&self, response: &Bound<'_, PyAny>) -> PyResult<bool> {
        let stock = Stock::get(response.py())?;
        self.responses.holds(response, &stock.response)
    }
}

/// What an application object holds.
struct App<'py> {
    /// `app.config`, which is Flask's own kind of mapping and can be read without asking it.
    config: Bound<'py, PyDict>,
    /// `app.json`.
    json: Bound<'py, PyAny>,
}

impl<'py> App<'py> {
    #[inline(never)]
    fn of(app: &Bound<'py, PyAny>) -> PyResult<Option<Self>> {
        let py = app.py();
        let config = app.getattr(intern!(py, "config"))?;
        let json = app.getattr(intern!(py, "json"))?;
        Self::checked(config, json)
    }

    fn of_attributes(attributes: &Bound<'py, PyDict>) -> PyResult<Option<Self>> {
        let py = attributes.py();
        match (
            attributes.get_item(intern!(py, "config"))?,
            attributes.get_item(intern!(py, "json"))?,
        ) {
            (Some(config), Some(json)) => Self::checked(config, json),
            _ => Ok(None),
        }
    }

    /// None for a configuration of another kind than Flask's.
    fn checked(config: Bound<'py, PyAny>, json: Bound<'py, PyAny>) -> PyResult<Option<Self>> {
        if !config.get_type().is(&Stock::get(config.py())?.config) {
            return Ok(None);
        }
        let config = config.cast_into::<PyDict>()?;
        Ok(Some(Self { config, json }))
    }
}

/// What a plan was made from.
struct Seen {
    interface: Class,
    app: Class,
    json: Class,
    /// The package's session class, and Flask's class of serializers.
    session: Class,
    serializer: Class,
    /// The settings of [`settings`].
    settings: [Py<PyAny>; 4],
    /// The state of `app.config` in which they were last found there; 0 for none.
    config: AtomicU64,
    /// `SECRET_KEY_FALLBACKS` is a list: it can change in place.
    fallbacks: Vec<Py<PyAny>>,
    /// The attributes of the interface object itself.
    attributes: Attributes,
    /// None for a serializer of another kind than Flask's.
    tags: Option<Tags>,
}

/// `SECRET_KEY`, `SECRET_KEY_FALLBACKS`, `PERMANENT_SESSION_LIFETIME`, `SESSION_COOKIE_NAME`.
fn settings<'py>(config: &Bound<'py, PyDict>) -> PyResult<Option<[Bound<'py, PyAny>; 4]>> {
    let py = config.py();
    let (Some(secret_key), Some(fallbacks), Some(lifetime), Some(name)) = (
        config.get_item(intern!(py, "SECRET_KEY"))?,
        config.get_item(intern!(py, "SECRET_KEY_FALLBACKS"))?,
        config.get_item(intern!(py, "PERMANENT_SESSION_LIFETIME"))?,
        config.get_item(intern!(py, "SESSION_COOKIE_NAME"))?,
    ) else {
        return Ok(None);
    };
    Ok(Some([secret_key, fallbacks, lifetime, name]))
}

impl Seen {
    fn now(
        interface: &Bound<'_, PyAny>,
        app: &Bound<'_, PyAny>,
        json: &Bound<'_, PyAny>,
        settings: &[Bound<'_, PyAny>; 4],
    ) -> PyResult<Self> {
        let stock = Stock::get(interface.py())?;
        Ok(Self {
            interface: Class::of(interface),
            app: Class::of(app),
            json: Class::of(json),
            session: Class::itself(stock.session.bind(interface.py())),
            serializer: Class::itself(stock.serializer.bind(interface.py())),
            settings: settings.each_ref().map(|value| value.clone().unbind()),
            config: AtomicU64::new(0),
            fallbacks: items(&settings[1]).map(Bound::unbind).collect(),
            attributes: Attributes::of(&attributes_of(interface)?, matters),
            tags: interface
                .getattr("serializer")
                .and_then(|serializer| Tags::of(&serializer))
                .ok(),
        })
    }

    fn classes(&self) -> [&Class; 5] {
        [
            &self.interface,
            &self.app,
            &self.json,
            &self.session,
            &self.serializer,
        ]
    }

    /// Whether everything is still as it was, the class of the application apart.
    fn holds(&self, interface: &Bound<'_, PyAny>, parts: &App<'_>) -> PyResult<bool> {
        let py = interface.py();
        let stock = Stock::get(py)?;
        if !self.interface.is_class_of(interface)
            || !self.json.is_class_of(&parts.json)
            || !self.session.is(stock.session.bind(py))
            || !self.serializer.is(stock.serializer.bind(py))
            || !self
                .tags
                .as_ref()
                .is_none_or(|tags| tags.order_unchanged(py))
        {
            return Ok(false);
        }
        Ok(self.has_settings_of(&parts.config)?
            && same_items(&self.fallbacks, self.settings[1].bind(py))
            && !has_own_methods(&parts.json)?
            && self.attributes.are(&attributes_of(interface)?))
    }

    /// Whether the settings still stand in `config`.
    fn has_settings_of(&self, config: &Bound<'_, PyDict>) -> PyResult<bool> {
        let state = dict_state(config);
        if state.is_some_and(|state| state == self.config.load(Ordering::Relaxed)) {
            return Ok(true);
        }
        self.finds_settings_in(config, state)
    }

    /// The same by looking each of them up, and noting the state in which they stand there.
    #[inline(never)]
    fn finds_settings_in(&self, config: &Bound<'_, PyDict>, state: Option<u64>) -> PyResult<bool> {
        let Some(settings) = settings(config)? else {
            return Ok(false);
        };
        let same = self.settings.iter().zip(&settings).all(|(a, b)| a.is(b));
        if same && let Some(state) = state {
            self.config.store(state, Ordering::Relaxed);
        }
        Ok(same)
    }
}

/// Whether something that shapes JSON was set on the provider object itself.
fn has_own_methods(json: &Bound<'_, PyAny>) -> PyResult<bool> {
    let attributes = attributes_of(json)?;
    // Flask's provider holds its application, from the beginning, and nothing else.
    if attributes.len() == 1 {
        return Ok(false);
    }
    shapes_json(&attributes)
}

#[cold]
fn shapes_json(attributes: &Bound<'_, PyDict>) -> PyResult<bool> {
    for name in JSON_ATTRIBUTES {
        if attributes.contains(name)? {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Plan {
    /// None where no plan can say when it would stop to hold: Flask answers.
    fn make(
        interface: &Bound<'_, PyAny>,
        app: &Bound<'_, PyAny>,
        App { config, json }: &App<'_>,
    ) -> PyResult<Option<Self>> {
        let py = app.py();
        let Some(settings) = settings(config)? else {
            return Ok(None);
        };
        if has_own_methods(json)? {
            return Ok(None);
        }
        let native = match Native::derive(interface, app, json, &settings) {
            Ok(native) => native,
            // It is the application's, and Flask's own code will raise it.
            Err(error) if is_ordinary(py, &error) => return Ok(None),
            Err(error) => return Err(error),
        };
        // Looking attributes up has given each class its number, where it had none.
        let seen = Seen::now(interface, app, json, &settings)?;
        Ok(Some(Self { seen, native }))
    }
}

impl Native {
    /// None where anything is customised beyond what native code covers.
    fn derive(
        interface: &Bound<'_, PyAny>,
        app: &Bound<'_, PyAny>,
        json: &Bound<'_, PyAny>,
        [secret_key, fallbacks, lifetime, cookie_name]: &[Bound<'_, PyAny>; 4],
    ) -> PyResult<Option<Self>> {
        let py = app.py();
        let stock = Stock::get(py)?;
        let attributes = attributes_of(interface)?;
        if !has_shipped_hooks(interface, &attributes)? {
            return Ok(None);
        }
        for name in VALUES {
            if !is_plain_value(interface, &attributes, name)? {
                return Ok(None);
            }
        }
        let serializer = interface.getattr("serializer")?;
        if !stock.app.unchanged_in(&app.get_type())?
            || !json.get_type().is(&stock.json_provider)
            || !stock.json.unchanged_in(&json.get_type())?
            || !stock.is_shipped_serializer(&serializer)?
        {
            return Ok(None);
        }
        let Some(keyring) = keyring(interface, stock, secret_key, fallbacks)? else {
            return Ok(None);
        };
        let threshold = interface
            .getattr("compress_threshold")?
            .extract::<usize>()?;
        if !lifetime.is_exact_instance_of::<PyDelta>() && !lifetime.is_exact_instance_of::<PyInt>()
        {
            return Ok(None);
        }
        let lifetime = app
            .getattr("permanent_session_lifetime")?
            .cast_into::<PyDelta>()?;
        Ok(Some(Self {
            codec: TokenCodec::from_parts(keyring, threshold),
            max_age: lifetime
                .call_method0("total_seconds")?
                .call_method0("__int__")?
                .extract()?,
            lifetime_us: microseconds(&lifetime),
            cookie_name: cookie_name
                .cast_exact::<PyString>()?
                .to_str()?
                .as_bytes()
                .into(),
            serializer: serializer.unbind(),
        }))
    }
}

/// The keys as `SecureCookieSessionInterface.get_signing_serializer` of Flask lists them. None for
/// no key, and for keys, salts, digests or derivations that native code does not know.
fn keyring(
    interface: &Bound<'_, PyAny>,
    stock: &Stock,
    secret_key: &Bound<'_, PyAny>,
    fallbacks: &Bound<'_, PyAny>,
) -> PyResult<Option<Keyring>> {
    if !secret_key.is_truthy()? {
        return Ok(None);
    }
    if !(fallbacks.is_none()
        || fallbacks.is_exact_instance_of::<PyList>()
        || fallbacks.is_exact_instance_of::<PyTuple>())
    {
        return Ok(None);
    }
    let mut keys: Vec<_> = items(fallbacks).collect();
    keys.push(secret_key.clone());
    let keys = keys.iter().map(octets).collect::<PyResult<Vec<_>>>()?;
    let digest_method = interface.getattr("digest_method")?;
    let digest = stock
        .digests
        .iter()
        .find(|(function, _)| function.is(&digest_method))
        .and_then(|(_, name)| digest_named(name));
    let derivation = interface.getattr("key_derivation")?;
    let derivation = derivation_named(derivation.cast_exact::<PyString>()?.to_str()?);
    let (Some(digest), Some(derivation)) = (digest, derivation) else {
        return Ok(None);
    };
    let salt = interface.getattr("salt")?;
    Ok(Keyring::derive(digest, derivation, octets(&salt)?, &keys))
}

/// The exact length of a timedelta.
pub(super) fn microseconds(delta: &Bound<'_, PyDelta>) -> i128 {
    let seconds = i128::from(delta.get_days()) * 86_400 + i128::from(delta.get_seconds());
    seconds * 1_000_000 + i128::from(delta.get_microseconds())
}
