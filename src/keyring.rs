//! Keys are derived once; signing and verifying then cost one cloned HMAC state.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::block_api::EagerHash;
use hmac::digest::{FixedOutput, Output, OutputSizeUser};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;

/// The length in bytes of the longest signature, that of SHA-512.
const LONGEST_MAC: usize = 64;
/// The same as base64 text without padding.
const LONGEST_TEXT: usize = (LONGEST_MAC * 4).div_ceil(3);

/// The hash under key derivation and signature: itsdangerous' `digest_method`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Digest {
    /// Flask's default.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How a signing key is made of secret and salt: itsdangerous' `key_derivation`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Derivation {
    /// `"concat"`: hash(salt, secret).
    Concat,
    /// `"django-concat"`: hash(salt, `"signer"`, secret).
    DjangoConcat,
    /// `"hmac"`, Flask's default: HMAC keyed with the secret, of the salt.
    Hmac,
    /// `"none"`: the secret as it is.
    None,
}

/// The keys of one application: signs with the newest, verifies with all.
pub struct Keyring(Keys);

/// Keyed states from the oldest to the newest, never empty.
enum Keys {
    Sha1(Vec<Hmac<Sha1>>),
    Sha256(Vec<Hmac<Sha256>>),
    Sha512(Vec<Hmac<Sha512>>),
}

/// The same expression for whichever hash the keys are for.
macro_rules! with_keys {
    ($self:expr, $keys:ident => $body:expr) => {
        match &$self.0 {
            Keys::Sha1($keys) => $body,
            Keys::Sha256($keys) => $body,
            Keys::Sha512($keys) => $body,
        }
    };
}

impl Keyring {
    /// Derives one key for each secret, as `itsdangerous.Signer.derive_key` does.
    ///
    /// `secrets` go from the oldest to the newest. `None` if there is none.
    pub fn derive<K: AsRef<[u8]>>(
        digest: Digest,
        derivation: Derivation,
        salt: &[u8],
        secrets: &[K],
    ) -> Option<Keyring> {
        if secrets.is_empty() {
            return None;
        }
        Some(Keyring(match digest {
            Digest::Sha1 => Keys::Sha1(contexts(derivation, salt, secrets)),
            Digest::Sha256 => Keys::Sha256(contexts(derivation, salt, secrets)),
            Digest::Sha512 => Keys::Sha512(contexts(derivation, salt, secrets)),
        }))
    }

    /// Appends the newest key's signature of `message` to `out`, as unpadded URL-safe base64.
    pub fn sign(&self, message: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(self.signature(message).as_ref());
    }

    /// Signs what `out` holds from `start` on, and appends a dot and the signature.
    pub(crate) fn append_signature(&self, start: usize, out: &mut Vec<u8>) {
        let signature = self.signature(&out[start..]);
        out.push(b'.');
        out.extend_from_slice(signature.as_ref());
    }

    fn signature(&self, message: &[u8]) -> SignatureText {
        let mut text = [0; LONGEST_TEXT];
        let length = with_keys!(self, keys => {
            let newest = keys.last().expect("`derive` makes no keyring without a key");
            URL_SAFE_NO_PAD.encode_slice(mac(newest, message), &mut text)
        })
        .expect("the array has the length of the longest signature");
        SignatureText { text, length }
    }

    /// Whether `signature` is that of `message` by any of the keys, tried from the newest to the oldest.
    ///
    /// The text must be exactly what [`sign`](Keyring::sign) writes: padding, foreign characters and stray bits in the
    /// last character, all of which itsdangerous lets pass, are refused. Signatures are compared in constant time.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        if signature.len() != self.signature_len() {
            return false;
        }
        let mut claimed = [0; LONGEST_MAC + 2];
        let Ok(length) = URL_SAFE_NO_PAD.decode_slice(signature, &mut claimed) else {
            return false;
        };
        let claimed = &claimed[..length];
        with_keys!(self, keys => keys.iter().rev().any(|key| mac(key, message).ct_eq(claimed).into()))
    }

    /// The length in bytes of every signature's text.
    pub fn signature_len(&self) -> usize {
        let mac = match self.0 {
            Keys::Sha1(_) => <Sha1 as OutputSizeUser>::output_size(),
            Keys::Sha256(_) => <Sha256 as OutputSizeUser>::output_size(),
            Keys::Sha512(_) => <Sha512 as OutputSizeUser>::output_size(),
        };
        (mac * 4).div_ceil(3)
    }
}

impl fmt::Debug for Keyring {
    /// Tells the number of keys and nothing about them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = with_keys!(self, keys => keys.len());
        f.debug_struct("Keyring").field("keys", &count).finish()
    }
}

/// A signature as base64 text, on the stack.
struct SignatureText {
    text: [u8; LONGEST_TEXT],
    length: usize,
}

impl AsRef<[u8]> for SignatureText {
    fn as_ref(&self) -> &[u8] {
        &self.text[..self.length]
    }
}

/// One keyed state for each secret.
fn contexts<D, K>(derivation: Derivation, salt: &[u8], secrets: &[K]) -> Vec<Hmac<D>>
where
    D: EagerHash + sha2::Digest,
    K: AsRef<[u8]>,
{
    secrets
        .iter()
        .map(|secret| context(derivation, salt, secret.as_ref()))
        .collect()
}

fn context<D>(derivation: Derivation, salt: &[u8], secret: &[u8]) -> Hmac<D>
where
    D: EagerHash + sha2::Digest,
{
    let hash = || D::new().chain_update(salt);
    match derivation {
        Derivation::Concat => keyed_once(&mut hash().chain_update(secret).finalize()),
        Derivation::DjangoConcat => keyed_once(
            &mut hash()
                .chain_update(b"signer")
                .chain_update(secret)
                .finalize(),
        ),
        Derivation::Hmac => keyed_once(&mut mac(&keyed::<D>(secret), salt)),
        Derivation::None => keyed(secret),
    }
}

/// The state keyed with a derived key, of which no other trace stays in memory.
fn keyed_once<D: EagerHash>(derived: &mut [u8]) -> Hmac<D> {
    let context = keyed(derived);
    derived.zeroize();
    context
}

fn keyed<D: EagerHash>(key: &[u8]) -> Hmac<D> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104, section 3)")
}

/// The HMAC of `message`, from a copy of a keyed state.
fn mac<D: EagerHash>(key: &Hmac<D>, message: &[u8]) -> Output<Hmac<D>> {
    let mut context = key.clone();
    context.update(message);
    context.finalize_fixed()
}
