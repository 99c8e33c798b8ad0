//! Keys are derived once; signing and verifying then cost one cloned HMAC state.

use std::fmt;

use hmac::digest::block_api::EagerHash;
use hmac::digest::{FixedOutput, Output, OutputSizeUser};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;

use crate::base64url;

/// The length in bytes of the longest signature's text, that of SHA-512.
const LONGEST_SIGNATURE: usize = base64url::text_len(64);

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
        with_keys!(self, keys => base64url::encode(&mac(newest(keys), message), out));
    }

    /// Signs what `out` holds from `start` on, and appends a dot and the signature.
    pub(crate) fn append_signature(&self, start: usize, out: &mut Vec<u8>) {
        with_keys!(self, keys => {
            let signature = mac(newest(keys), &out[start..]);
            out.push(b'.');
            base64url::encode(&signature, out);
        });
    }

    /// Whether `signature` is that of `message` by any of the keys, tried from the newest to the oldest.
    ///
    /// The text must be exactly what [`sign`](Keyring::sign) writes: padding, foreign characters and stray bits in the
    /// last character, all of which itsdangerous lets pass, are refused. Signatures are compared in constant time.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        if signature.len() != self.signature_len() {
            return false;
        }
        let mut room = [0; LONGEST_SIGNATURE];
        with_keys!(self, keys => keys.iter().rev().any(|key| {
            is_same(base64url::encode_slice(&mac(key, message), &mut room), signature)
        }))
    }

    /// The length in bytes of every signature's text.
    pub fn signature_len(&self) -> usize {
        base64url::text_len(self.mac_len())
    }

    fn mac_len(&self) -> usize {
        match self.0 {
            Keys::Sha1(_) => <Sha1 as OutputSizeUser>::output_size(),
            Keys::Sha256(_) => <Sha256 as OutputSizeUser>::output_size(),
            Keys::Sha512(_) => <Sha512 as OutputSizeUser>::output_size(),
        }
    }
}

impl fmt::Debug for Keyring {
    /// Tells the number of keys and nothing about them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = with_keys!(self, keys => keys.len());
        f.debug_struct("Keyring").field("keys", &count).finish()
    }
}

/// Whether two signatures are the same, in a time that does not tell how much of them is.
fn is_same(computed: &[u8], claimed: &[u8]) -> bool {
    // All bytes first, then one `ct_eq`: that of slices has the compiler look at each byte by itself.
    let pairs = computed.iter().zip(claimed);
    let difference = pairs.fold(0, |all, (a, b)| all | (a ^ b));
    computed.len() == claimed.len() && difference.ct_eq(&0_u8).into()
}

/// The key that signs.
fn newest<D: EagerHash>(keys: &[Hmac<D>]) -> &Hmac<D> {
    keys.last()
        .expect("`derive` makes no keyring without a key")
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
#[inline(never)] // See `plain_len`.
fn mac<D: EagerHash>(key: &Hmac<D>, message: &[u8]) -> Output<Hmac<D>> {
    let mut context = key.clone();
    context.update(message);
    context.finalize_fixed()
}
