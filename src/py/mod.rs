//! The extension module's table of contents: what Python sees of the crate.

mod backend;
mod base;
mod cache;
mod client_store;
mod clock;
mod codec;
mod cookie_settings;
mod decode;
mod encode;
mod errors;
mod headers;
mod key_cache;
mod msgspec_types;
mod null_sessions;
mod on_update;
mod plan;
mod record_codec;
mod record_decode;
mod record_encode;
mod record_ext;
mod record_sink;
mod record_time;
mod redis;
mod redis_save;
mod redis_session;
mod redis_settings;
mod redis_source;
mod secure_cookie;
mod session;
mod set_cookie;
mod states;
mod stock;
mod store;
mod tags;
mod text;
mod verdicts;
mod waiting;

use pyo3::prelude::pymodule;

/// The native half of `flask_session_rs`: an implementation detail, imported by the shim only.
#[pymodule(gil_used = false, name = "_native")]
mod native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::codec::TokenCodec;
    #[pymodule_export]
    use super::record_codec::RecordCodec;
    #[pymodule_export]
    use super::record_ext::Ext;
    #[pymodule_export]
    use super::redis::RedisInterface;
    #[pymodule_export]
    use super::redis_session::RedisSession;
    #[pymodule_export]
    use super::secure_cookie::SecureCookieInterface;
    #[pymodule_export]
    use super::session::Session;
    #[pymodule_export]
    use super::store::Store;

    /// Notes what Python, Flask, itsdangerous and werkzeug ship. Called once, when the package is imported.
    #[pyfunction]
    fn remember_shipped(py: Python<'_>) -> PyResult<()> {
        super::clock::remember(py)?;
        super::stock::Stock::get(py).map(|_| ())
    }

    /// Whether the objects that this JSON text decodes to are out of proportion to any session, when
    /// Python's decoder and Flask's build them: for text that came compressed.
    #[pyfunction]
    fn is_out_of_proportion(text: &[u8]) -> bool {
        super::codec::is_out_of_proportion(text)
    }

    /// The scripts by which a store's `replace`, `rotate` and `delete` look before they write: text and SHA-1 of each.
    #[pyfunction]
    fn store_scripts() -> [(String, String); 3] {
        crate::store::redis::scripts()
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        // The shim warns when it finds an unoptimised build, so that nobody benchmarks one.
        module.add("DEBUG_BUILD", cfg!(debug_assertions))?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
