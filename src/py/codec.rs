//! One keyring and one compression rule: dicts to signed tokens and back.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use super::clock;
use super::decode::{Decoded, Decoder, Items, Proportion};
use super::encode::{self, Coverage};
use super::stock::Stock;
use super::text::ascii;
use crate::json;
use crate::keyring::{Derivation, Digest, Keyring};
use crate::payload::{INFLATE_CAP, Packing};
use crate::token::{self, Opened};

/// Bytes of Python objects that a deflated payload may decode to. A text within the inflation cap
/// can be written so that its objects take 25 times its size; a session is far below this.
const DECODED_CAP: usize = 14 << 20;

/// The same for Flask's decoder, which builds everything twice.
const DECODED_CAP_FLASK: usize = DECODED_CAP / 2;

/// The tokens of Flask's signed-cookie sessions: what `URLSafeTimedSerializer` of itsdangerous does
/// for Flask, natively.
///
/// The interfaces use it inside; it is exposed for tests and benchmarks.
#[pyclass(frozen, module = "flask_session_rs._native")]
pub(crate) struct TokenCodec {
    keyring: Keyring,
    compress_threshold: usize,
}

/// What a token holds.
pub(super) struct Contents<'py, 't> {
    pub items: Items<'py>,
    /// Its payload, if that is what [`TokenCodec::seal`] would write of a dict with these items for as long as that is in
    /// this very state.
    pub payload: Option<&'t [u8]>,
}

impl TokenCodec {
    pub(super) fn from_parts(keyring: Keyring, compress_threshold: usize) -> Self {
        Self {
            keyring,
            compress_threshold,
        }
    }

    pub(super) fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Appends the token for `data` to `out`, unless Flask's serializer has to write it.
    pub(super) fn seal(
        &self,
        data: &Bound<'_, PyDict>,
        now: u64,
        out: &mut Vec<u8>,
    ) -> PyResult<Coverage> {
        let mut text = Vec::with_capacity(512);
        let coverage = encode::encode(data, &mut text)?;
        if coverage == Coverage::Native {
            token::seal(&self.keyring, &text, now, self.compress_threshold, out);
        }
        Ok(coverage)
    }

    /// What a token holds. None for one that is not accepted, for whatever reason.
    pub(super) fn open<'py, 't>(
        &self,
        py: Python<'py>,
        token: &'t [u8],
        now: u64,
        max_age: i64,
        decoder: &Decoder<'_, 'py>,
    ) -> PyResult<Option<Contents<'py, 't>>> {
        let mut text = Vec::new();
        let opened = token::open(&self.keyring, token, now, max_age, INFLATE_CAP, &mut text);
        let Ok(Opened { payload, packing }) = opened else {
            return Ok(None);
        };
        let (proportion, stays_plain) = match packing {
            Packing::Plain => (Proportion::Kept, text.len() < self.compress_threshold),
            Packing::Deflated => {
                let bound = json::decoded_size_bound(&text);
                if bound > DECODED_CAP {
                    return Ok(None);
                }
                if bound > DECODED_CAP_FLASK {
                    (Proportion::KeptByNative, false)
                } else {
                    (Proportion::Kept, false)
                }
            }
        };
        let opened = decoder.decode(py, &text, proportion)?;
        Ok(opened.map(|Decoded { items, is_flat }| {
            let is_what_we_write = stays_plain && is_flat;
            let payload = is_what_we_write.then_some(payload);
            Contents { items, payload }
        }))
    }
}

#[pymethods]
impl TokenCodec {
    /// `secret_keys` from the oldest to the newest, which signs; `digest` one of "sha1", "sha256",
    /// "sha512"; `derivation` one of "hmac", "concat", "django-concat", "none".
    #[new]
    #[pyo3(signature = (secret_keys, *, salt = None, digest = "sha1", derivation = "hmac", compress_threshold = 1024))]
    #[allow(clippy::needless_pass_by_value)] // pyo3 hands out owned arguments
    fn new(
        secret_keys: Vec<Bound<'_, PyAny>>,
        salt: Option<Bound<'_, PyAny>>,
        digest: &str,
        derivation: &str,
        compress_threshold: usize,
    ) -> PyResult<Self> {
        let refuse = |what: &str| PyValueError::new_err(format!("{what} not known to native code"));
        let digest = digest_named(digest).ok_or_else(|| refuse("digest"))?;
        let derivation = derivation_named(derivation).ok_or_else(|| refuse("derivation"))?;
        let salt = match &salt {
            Some(salt) => octets(salt)?,
            None => b"cookie-session",
        };
        let keys = secret_keys
            .iter()
            .map(octets)
            .collect::<PyResult<Vec<_>>>()?;
        let keyring = Keyring::derive(digest, derivation, salt, &keys)
            .ok_or_else(|| PyValueError::new_err("no secret key"))?;
        Ok(Self::from_parts(keyring, compress_threshold))
    }

    /// The token for `obj`, sealed at `now` (seconds since 1970; the present time if not given).
    #[pyo3(signature = (obj, now = None))]
    fn dumps<'py>(
        &self,
        py: Python<'py>,
        obj: &Bound<'_, PyDict>,
        now: Option<u64>,
    ) -> PyResult<Bound<'py, PyString>> {
        let now = now_or(py, now)?;
        let mut token = Vec::with_capacity(512);
        if self.seal(obj, now, &mut token)? == Coverage::Flask {
            let serializer = Stock::get(py)?.session_serializer.bind(py);
            let text = serializer.call_method1("dumps", (obj,))?;
            let text = text.cast::<PyString>()?.to_str()?;
            let threshold = self.compress_threshold;
            token::seal(&self.keyring, text.as_bytes(), now, threshold, &mut token);
        }
        ascii(py, &token)
    }

    /// What `token` holds if it was sealed with one of the keys at most `max_age` seconds before
    /// `now`, else None.
    #[pyo3(signature = (token, max_age, now = None))]
    fn loads<'py>(
        &self,
        py: Python<'py>,
        token: &Bound<'py, PyAny>,
        max_age: i64,
        now: Option<u64>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let now = now_or(py, now)?;
        let decoder = Decoder {
            serializer: Stock::get(py)?.session_serializer.bind(py),
            tags: None,
        };
        match octets(token) {
            Ok(token) => {
                let Some(Contents { items, .. }) = self.open(py, token, now, max_age, &decoder)?
                else {
                    return Ok(None);
                };
                let data = PyDict::new(py);
                put(&data, items)?;
                Ok(Some(data))
            }
            // Lone surrogates: no token has any.
            Err(_) if token.is_instance_of::<PyString>() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Puts the items of a decoded text into a dict.
pub(super) fn put(dict: &Bound<'_, PyDict>, items: Items<'_>) -> PyResult<()> {
    items
        .into_iter()
        .try_for_each(|(key, value)| dict.set_item(key, value))
}

/// Whether Flask's decoder may need more memory for this text than a session is worth.
pub(super) fn is_out_of_proportion(text: &[u8]) -> bool {
    json::decoded_size_bound(text) > DECODED_CAP_FLASK
}

fn now_or(py: Python<'_>, now: Option<u64>) -> PyResult<u64> {
    match now {
        Some(now) => Ok(now),
        None => clock::timestamp(clock::now(py)?)
            .ok_or_else(|| PyValueError::new_err("the clock stands before 1970")),
    }
}

pub(super) fn digest_named(name: &str) -> Option<Digest> {
    match name {
        "sha1" => Some(Digest::Sha1),
        "sha256" => Some(Digest::Sha256),
        "sha512" => Some(Digest::Sha512),
        _ => None,
    }
}

pub(super) fn derivation_named(name: &str) -> Option<Derivation> {
    match name {
        "hmac" => Some(Derivation::Hmac),
        "concat" => Some(Derivation::Concat),
        "django-concat" => Some(Derivation::DjangoConcat),
        "none" => Some(Derivation::None),
        _ => None,
    }
}

/// The bytes of exactly a str (as UTF-8) or bytes: `want_bytes` of itsdangerous.
pub(super) fn octets<'a>(value: &'a Bound<'_, PyAny>) -> PyResult<&'a [u8]> {
    if let Ok(text) = value.cast_exact::<PyString>() {
        return Ok(text.to_str()?.as_bytes());
    }
    match value.cast_exact::<PyBytes>() {
        Ok(bytes) => Ok(bytes.as_bytes()),
        Err(_) => Err(PyTypeError::new_err("expected str or bytes")),
    }
}
