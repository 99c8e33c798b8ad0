//! What an application's settings come to for sessions in a store; read at each request, derived anew when they change.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDelta, PyDict, PyString};

use super::cache::Cache;
use super::codec::octets;
use super::cookie_settings::{CookieSettings, Settings as CookieTexts};
use super::plan::microseconds;
use super::redis::RedisInterface;
use super::states::{Class, attributes_of, dict_state, items, same_items};
use super::stock::Stock;
use super::verdicts::{Verdicts, has_own_hooks};
use crate::keyring::Keyring;
use crate::sid::signing_keys;
use crate::store::Ttl;

/// What one state of the settings came to.
pub(super) struct RedisSettings {
    /// The name of the cookie.
    pub cookie_name: Box<[u8]>,
    /// How long a record lives: `int(PERMANENT_SESSION_LIFETIME)`, at least a second.
    pub ttl: Ttl,
    /// The lifetime in microseconds, not rounded: how far ahead a permanent session's cookie expires.
    pub lifetime_us: i128,
    /// `SESSION_REFRESH_EACH_REQUEST`.
    pub refresh: bool,
    /// The keys that sign the id; None where ids are not signed.
    pub signer: Option<Keyring>,
    /// How the cookie looks; None where the application has its own ways, which are asked.
    pub cookie: Option<Arc<CookieTexts>>,
}

/// The settings of one interface object, by the application and the state that they were read in.
pub(super) struct RedisSettingsKept {
    kept: Cache<Kept>,
    cookies: CookieSettings,
    interfaces: Verdicts,
    apps: Verdicts,
}

struct Kept {
    interface: Class,
    app: Class,
    /// The state of `app.config`.
    config: u64,
    /// `SECRET_KEY_FALLBACKS` is a list: it can change in place. Nobody asks for it where ids are not signed.
    fallbacks: Vec<Py<PyAny>>,
    settings: Arc<RedisSettings>,
}

/// Whether the settings say that there can be no session: ids are to be signed, and there is no key.
pub(super) enum Current {
    Settings(Arc<RedisSettings>),
    NoSecretKey,
}

impl RedisSettingsKept {
    pub(super) const fn new() -> Self {
        Self {
            kept: Cache::new(),
            cookies: CookieSettings::new(),
            interfaces: Verdicts::new(),
            apps: Verdicts::new(),
        }
    }

    /// The settings of `app` at this moment.
    pub(super) fn current(
        &self,
        interface: &Bound<'_, RedisInterface>,
        app: &Bound<'_, PyAny>,
    ) -> PyResult<Current> {
        let py = app.py();
        let config = app.getattr(intern!(py, "config"))?;
        let config = config.cast::<PyDict>()?;
        let state = dict_state(config);
        let kept = self.kept.find(|kept| {
            Some(kept.config) == state
                && kept.interface.is_class_of(interface)
                && kept.app.is_class_of(app)
        });
        if let Some(kept) = kept
            && (kept.settings.signer.is_none() || same_fallbacks(&kept.fallbacks, config)?)
            && !has_own_hooks(&attributes_of(interface)?)
        {
            return Ok(Current::Settings(Arc::clone(&kept.settings)));
        }
        let shipped = self.is_shipped(interface, app, config)?;
        let Some(settings) = self.derive(interface, app, config, shipped)?.map(Arc::new) else {
            return Ok(Current::NoSecretKey);
        };
        // What an application reads in its own way may change without a trace in its `config`.
        if let Some(state) = state
            && shipped
        {
            let fallbacks = config.get_item(intern!(py, "SECRET_KEY_FALLBACKS"))?;
            let fallbacks = fallbacks.iter().flat_map(items);
            let kept = Kept {
                interface: Class::of(interface),
                app: Class::of(app),
                config: state,
                fallbacks: fallbacks.map(Bound::unbind).collect(),
                settings: Arc::clone(&settings),
            };
            if kept.interface.has_version() && kept.app.has_version() {
                self.kept.keep(Arc::new(kept));
            }
        }
        Ok(Current::Settings(settings))
    }

    /// Whether settings are read, and cookies described, as Flask's own classes do it.
    fn is_shipped(
        &self,
        interface: &Bound<'_, RedisInterface>,
        app: &Bound<'_, PyAny>,
        config: &Bound<'_, PyDict>,
    ) -> PyResult<bool> {
        let stock = Stock::get(app.py())?;
        Ok(config.get_type().is(&stock.config)
            && self.apps.holds(app, &stock.app)?
            && self.has_shipped_hooks(interface)?)
    }

    /// Whether none of the interface's hooks is overridden.
    fn has_shipped_hooks(&self, interface: &Bound<'_, RedisInterface>) -> PyResult<bool> {
        let stock = Stock::get(interface.py())?;
        Ok(self.interfaces.holds(interface, &stock.redis_interface)?
            && !has_own_hooks(&attributes_of(interface)?))
    }

    /// None where ids are to be signed and there is no key.
    fn derive(
        &self,
        interface: &Bound<'_, RedisInterface>,
        app: &Bound<'_, PyAny>,
        config: &Bound<'_, PyDict>,
        shipped: bool,
    ) -> PyResult<Option<RedisSettings>> {
        let py = app.py();
        let signer = if interface.get().options()?.use_signer {
            let Some(keyring) = signer(app, config)? else {
                return Ok(None);
            };
            Some(keyring)
        } else {
            None
        };
        let name = interface.call_method1(intern!(py, "get_cookie_name"), (app,))?;
        let lifetime = app.getattr(intern!(py, "permanent_session_lifetime"))?;
        let lifetime_us = microseconds(&lifetime.cast_into::<PyDelta>()?);
        // A lifetime of a timedelta is below 1e14 seconds.
        let seconds = i64::try_from(lifetime_us.div_euclid(1_000_000)).unwrap_or(i64::MAX);
        let refresh = config
            .as_any()
            .get_item(intern!(py, "SESSION_REFRESH_EACH_REQUEST"))?;
        Ok(Some(RedisSettings {
            cookie_name: name.cast::<PyString>()?.to_str()?.as_bytes().into(),
            ttl: Ttl::seconds(seconds),
            lifetime_us,
            refresh: refresh.is_truthy()?,
            signer,
            cookie: if shipped {
                self.cookies
                    .current(config)?
                    .map(|settings| Arc::clone(&settings))
            } else {
                None
            },
        }))
    }
}

fn same_fallbacks(kept: &[Py<PyAny>], config: &Bound<'_, PyDict>) -> PyResult<bool> {
    Ok(
        match config.get_item(intern!(config.py(), "SECRET_KEY_FALLBACKS"))? {
            Some(found) => same_items(kept, &found),
            None => kept.is_empty(),
        },
    )
}

/// The keys that sign ids: `SECRET_KEY`, and those of `SECRET_KEY_FALLBACKS`, which only verify.
fn signer(app: &Bound<'_, PyAny>, config: &Bound<'_, PyDict>) -> PyResult<Option<Keyring>> {
    let py = app.py();
    let secret_key = app.getattr(intern!(py, "secret_key"))?;
    if !secret_key.is_truthy()? {
        return Ok(None);
    }
    let mut keys = Vec::new();
    let fallbacks = config.as_any().call_method1(
        intern!(py, "get"),
        (intern!(py, "SECRET_KEY_FALLBACKS"), py.None()),
    )?;
    if fallbacks.is_truthy()? {
        for key in fallbacks.try_iter()? {
            keys.push(key?);
        }
    }
    keys.push(secret_key);
    let keys = keys
        .iter()
        .map(|key| octets(key).map_err(|_| PyTypeError::new_err("a secret key is a str or bytes")))
        .collect::<PyResult<Vec<_>>>()?;
    Ok(signing_keys(&keys))
}
