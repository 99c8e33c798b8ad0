//! A session id: drawn, checked, signed.

use std::fmt;
use std::sync::Arc;

use crate::base64url;
use crate::keyring::{Derivation, Digest, Keyring};

/// The salt of Flask-Session's signer: `itsdangerous.Signer(secret_key, salt="flask-session", key_derivation="hmac")`.
pub const SALT: &[u8] = b"flask-session";

/// Characters of the shortest id that is looked up.
const SHORTEST: usize = 16;

/// Characters of the longest one.
const LONGEST: usize = 256;

/// The id of one session: 16 to 256 characters out of letters, digits, `-` and `_`.
///
/// Nothing else can be one, so whoever holds a `Sid` may send it to a store. Whoever holds its text holds the session:
/// it is shown by nothing but [`as_str`](Sid::as_str).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Sid(Arc<str>);

/// Whether a byte may stand in an id.
const OF_IDS: [bool; 256] = {
    let mut of_ids = [false; 256];
    let mut index = 0;
    while index < base64url::ALPHABET.len() {
        of_ids[base64url::ALPHABET[index] as usize] = true;
        index += 1;
    }
    of_ids
};

impl Sid {
    /// The id that stands for these random bytes, as `secrets.token_urlsafe` writes them: unpadded URL-safe base64.
    ///
    /// `None` for fewer than 12 bytes or more than 192, whose text would be no id.
    pub fn from_entropy(bytes: &[u8]) -> Option<Self> {
        if !(SHORTEST..=LONGEST).contains(&base64url::text_len(bytes.len())) {
            return None;
        }
        let mut text = Vec::with_capacity(base64url::text_len(bytes.len()));
        base64url::encode(bytes, &mut text);
        Self::parse(&text)
    }

    /// The id that this text is, if it has the shape of one: 43 characters as Flask-Session draws them, the 36 of a UUID
    /// as its older versions did, or any other length that its settings allow.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let shaped = (SHORTEST..=LONGEST).contains(&text.len())
            && text.iter().all(|byte| OF_IDS[usize::from(*byte)]);
        // Such bytes are ASCII.
        let text = std::str::from_utf8(text).ok().filter(|_| shaped)?;
        Some(Self(text.into()))
    }

    /// The id in a text `id.signature` that one of the keys signed, as `itsdangerous.Signer.unsign` gives it.
    pub fn parse_signed(text: &[u8], keyring: &Keyring) -> Option<Self> {
        let dot = text.iter().rposition(|byte| *byte == b'.')?;
        // The shape first: it costs less than a signature, and bounds what is hashed.
        let sid = Self::parse(&text[..dot])?;
        keyring
            .verify(sid.0.as_bytes(), &text[dot + 1..])
            .then_some(sid)
    }

    /// The text `id.signature` under the newest key, as `itsdangerous.Signer.sign` writes it.
    pub fn signed(&self, keyring: &Keyring) -> String {
        let mut text = Vec::with_capacity(self.0.len() + 1 + keyring.signature_len());
        text.extend_from_slice(self.0.as_bytes());
        keyring.append_signature(0, &mut text);
        // An id, a dot and base64 are ASCII.
        String::from_utf8(text).unwrap_or_default()
    }

    /// The text, as it stands in a cookie without signature and behind the prefix in a store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of this session's record in a store.
    pub fn store_key(&self, prefix: &str) -> Vec<u8> {
        [prefix.as_bytes(), self.0.as_bytes()].concat()
    }
}

impl fmt::Debug for Sid {
    /// Shows nothing of the id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sid").finish_non_exhaustive()
    }
}

/// The keys by which Flask-Session signs ids, from the oldest secret to the newest. `None` if there is no secret.
///
/// Flask-Session knows one secret; that older ones verify, too, is as with Flask's own cookies.
pub fn signing_keys<K: AsRef<[u8]>>(secrets: &[K]) -> Option<Keyring> {
    Keyring::derive(Digest::Sha1, Derivation::Hmac, SALT, secrets)
}
