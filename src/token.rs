//! A session token is sealed and opened: payload, time and signature in one text.

use std::fmt;

use crate::base64url;
use crate::keyring::Keyring;
use crate::payload::{self, Packing};

/// Why a token was not opened. Never holds anything of the token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenError {
    /// It has not the three parts of a token, or its time is not a number of up to 64 bits.
    Malformed,
    /// None of the keys signed it.
    BadSignature,
    /// It is older than `max_age`, or from the future.
    Expired,
    /// Its payload inflates to more than the cap.
    TooLarge,
    /// Its payload is not base64, or not a complete zlib stream.
    BadPayload,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TokenError::Malformed => "the token has not the parts of a token",
            TokenError::BadSignature => "the token's signature matches none of the keys",
            TokenError::Expired => "the token's age is out of bounds",
            TokenError::TooLarge => "the token's payload inflates to more than the cap",
            TokenError::BadPayload => "the token's payload cannot be decoded",
        })
    }
}

impl std::error::Error for TokenError {}

/// Appends the token for this JSON text to `out`, as `URLSafeTimedSerializer.dumps` of itsdangerous does.
///
/// `now` is in seconds since 1970. For `threshold` see [`payload::pack`].
pub fn seal(keyring: &Keyring, json: &[u8], now: u64, threshold: usize, out: &mut Vec<u8>) {
    out.reserve(
        json.len().saturating_mul(4) / 3 + 1 + TIMESTAMP_TEXT + 2 + keyring.signature_len(),
    );
    let start = out.len();
    payload::pack(json, threshold, out);
    stamp_and_sign(keyring, start, now, out);
}

/// Appends the token with this payload text, sealed again at `now`, to `out`.
///
/// The payload text is what [`verify`] or [`payload_of`] gave, its leading dot included; nothing of it is decoded.
pub fn reseal(keyring: &Keyring, payload: &[u8], now: u64, out: &mut Vec<u8>) {
    out.reserve(payload.len() + TIMESTAMP_TEXT + 2 + keyring.signature_len());
    let start = out.len();
    out.extend_from_slice(payload);
    stamp_and_sign(keyring, start, now, out);
}

/// What a token was opened to, besides its JSON text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Opened<'t> {
    /// The payload text, its leading dot included.
    pub payload: &'t [u8],
    /// How the JSON text is packed in it.
    pub packing: Packing,
}

/// Leaves the JSON text of a token in `scratch`: [`verify`], then [`payload::unpack`].
///
/// # Errors
///
/// Those of the two.
pub fn open<'t>(
    keyring: &Keyring,
    token: &'t [u8],
    now: u64,
    max_age: i64,
    cap: usize,
    scratch: &mut Vec<u8>,
) -> Result<Opened<'t>, TokenError> {
    let payload = verify(keyring, token, now, max_age)?;
    let packing = payload::unpack(payload, cap, scratch)?;
    Ok(Opened { payload, packing })
}

/// The payload text of a token that one of the keys signed no more than `max_age` seconds before `now`.
///
/// Signature, time and age are judged in that order, as `TimestampSigner.unsign` of itsdangerous does. A negative age
/// (a clock that ran ahead) counts as expired there too.
///
/// # Errors
///
/// [`TokenError::Malformed`], [`TokenError::BadSignature`], [`TokenError::Expired`].
pub fn verify<'t>(
    keyring: &Keyring,
    token: &'t [u8],
    now: u64,
    max_age: i64,
) -> Result<&'t [u8], TokenError> {
    let (signed, signature) = split_last(token).ok_or(TokenError::Malformed)?;
    let (payload, timestamp) = split_last(signed).ok_or(TokenError::Malformed)?;
    if !keyring.verify(signed, signature) {
        return Err(TokenError::BadSignature);
    }
    let issued = read_timestamp(timestamp).ok_or(TokenError::Malformed)?;
    // Any difference of two 64-bit numbers fits.
    let age = i128::from(now) - i128::from(issued);
    if age < 0 || age > i128::from(max_age) {
        return Err(TokenError::Expired);
    }
    Ok(payload)
}

/// The payload text of a token, its leading dot included. Nothing is verified: only for a token already known as good.
pub fn payload_of(token: &[u8]) -> Option<&[u8]> {
    let (signed, _) = split_last(token)?;
    let (payload, _) = split_last(signed)?;
    Some(payload)
}

/// The length in bytes of the longest time: eight bytes in base64.
const TIMESTAMP_TEXT: usize = base64url::text_len(8);

/// Appends time and signature to the payload that begins at `start`.
fn stamp_and_sign(keyring: &Keyring, start: usize, now: u64, out: &mut Vec<u8>) {
    out.push(b'.');
    write_timestamp(now, out);
    keyring.append_signature(start, out);
}

/// Appends a time as itsdangerous' `int_to_bytes` gives it, in base64: no leading zero bytes, so nothing at all for 0.
fn write_timestamp(seconds: u64, out: &mut Vec<u8>) {
    let bytes = seconds.to_be_bytes();
    let zeros = (seconds.leading_zeros() / 8) as usize;
    base64url::encode(&bytes[zeros..], out);
}

/// The time of a token: up to eight big-endian bytes. Leading zero bytes are allowed, as in itsdangerous.
fn read_timestamp(text: &[u8]) -> Option<u64> {
    let mut bytes = [0; 8];
    let bytes = bytes.get_mut(..text.len() * 3 / 4)?;
    base64url::decode_slice(text, bytes)?;
    Some(
        bytes
            .iter()
            .fold(0, |seconds, byte| seconds << 8 | u64::from(*byte)),
    )
}

/// What stands before and after the last dot, which in a token is not far from the end.
fn split_last(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = text.iter().rposition(|byte| *byte == b'.')?;
    Some((&text[..dot], &text[dot + 1..]))
}
