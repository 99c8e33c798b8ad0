//! JSON text becomes a token's payload and comes back: base64, deflated when it pays, inflated up to a cap.

use std::cell::RefCell;
use std::sync::LazyLock;

use aho_corasick::packed::Searcher;
use libdeflater::{CompressionLvl, Compressor, DecompressionError, Decompressor};
use memchr::{memchr_iter, memmem};

use crate::base64url::{self, encode};
use crate::token::TokenError;

/// The inflated size in bytes beyond which a payload is refused, unless another cap is set.
pub const INFLATE_CAP: usize = 1 << 20;

/// libdeflate's level. Flask has zlib's 6; of 1 to 4 KB of JSON, 1 makes 0 to 4 % more in less than half the time.
pub const DEFLATE_LEVEL: i32 = 1;

/// Text of fewer bytes than this libdeflate does not deflate at that level, but does at [`SMALL_LEVEL`].
const SMALL: usize = 56;

/// The level at which nothing stays plain that zlib would make shorter: from 20 bytes on.
const SMALL_LEVEL: i32 = 9;

/// Buffers above this many bytes are given back after use; a cookie is far below it.
const KEPT_BUFFER: usize = 64 << 10;

/// How the JSON text was packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Packing {
    /// Base64 only.
    Plain,
    /// Deflated (zlib format), then base64, behind a dot.
    Deflated,
}

/// What a thread keeps between payloads: making a deflate state costs more than using it for a cookie's worth of JSON.
struct Scratch<S> {
    state: S,
    buffer: Vec<u8>,
}

impl<S> Scratch<S> {
    fn new(state: S) -> RefCell<Scratch<S>> {
        RefCell::new(Scratch {
            state,
            buffer: Vec::new(),
        })
    }

    fn shrink(&mut self) {
        self.buffer.clear();
        if self.buffer.capacity() > KEPT_BUFFER {
            self.buffer = Vec::new();
        }
    }
}

thread_local! {
    static DEFLATE: RefCell<Scratch<Compressor>> = Scratch::new(compressor(DEFLATE_LEVEL));
    static DEFLATE_SMALL: RefCell<Scratch<Compressor>> = Scratch::new(compressor(SMALL_LEVEL));
    static INFLATE: RefCell<Scratch<Decompressor>> = Scratch::new(Decompressor::new());
}

fn compressor(level: i32) -> Compressor {
    // The default is never taken: libdeflate has these levels.
    Compressor::new(CompressionLvl::new(level).unwrap_or_default())
}

/// Appends the payload for this JSON text to `out`, as itsdangerous' `URLSafeSerializerMixin.dump_payload` does.
///
/// Text of fewer than `threshold` bytes stays plain without trying; with 0 everything is tried, as in Flask. The
/// deflated form is taken only where it is shorter by more than the one byte that its dot costs. Plain payloads are
/// byte for byte those of itsdangerous; deflated ones are a few percent longer, and are read by any zlib.
pub fn pack(json: &[u8], threshold: usize, out: &mut Vec<u8>) {
    if json.len() >= threshold && pack_deflated(json, out) {
        return;
    }
    encode(json, out);
}

/// Appends the deflated payload if it is worth it, and tells whether it was.
fn pack_deflated(json: &[u8], out: &mut Vec<u8>) -> bool {
    // Shorter than the text by more than a byte, or it does not pay.
    let Some(room) = json.len().checked_sub(2) else {
        return false;
    };
    let scratch = if json.len() < SMALL {
        &DEFLATE_SMALL
    } else {
        &DEFLATE
    };
    // While the thread is being torn down there is no state any more: plain is right as well.
    scratch
        .try_with(|scratch| {
            let mut scratch = scratch.borrow_mut();
            let Scratch { state, buffer } = &mut *scratch;
            buffer.resize(room, 0);
            // An error says that the room was not enough.
            let deflated = state.zlib_compress(json, buffer).ok();
            let deflated = deflated.and_then(|length| buffer.get(..length));
            if let Some(deflated) = deflated {
                out.push(b'.');
                encode(deflated, out);
            }
            let pays = deflated.is_some();
            scratch.shrink();
            pays
        })
        .unwrap_or(false)
}

/// The JSON text of a payload, left in `scratch` (whatever was there is gone, also after an error).
///
/// Stricter than itsdangerous, which lets foreign characters, padding and stray bits in the last character pass; nothing
/// that itsdangerous writes has any of them. Bytes after the deflated stream are ignored, as there. Whether it is JSON
/// is not looked at. Memory follows the real size, not the cap.
///
/// # Errors
///
/// [`TokenError::TooLarge`] if it inflates to more than `cap` bytes, [`TokenError::BadPayload`] if it is not base64
/// or not a complete zlib stream.
pub fn unpack(payload: &[u8], cap: usize, scratch: &mut Vec<u8>) -> Result<Packing, TokenError> {
    scratch.clear();
    let Some(deflated) = payload.strip_prefix(b".") else {
        decode(payload, scratch)?;
        return Ok(Packing::Plain);
    };
    INFLATE
        .try_with(|kept| {
            let mut kept = kept.borrow_mut();
            let Scratch { state, buffer } = &mut *kept;
            buffer.clear();
            let inflated =
                decode(deflated, buffer).and_then(|()| inflate(state, buffer, cap, scratch));
            kept.shrink();
            inflated
        })
        // The thread is being torn down.
        .unwrap_or_else(|_| {
            let mut buffer = Vec::new();
            decode(deflated, &mut buffer)?;
            inflate(&mut Decompressor::new(), &buffer, cap, scratch)
        })?;
    Ok(Packing::Deflated)
}

/// Inflates a zlib stream into `out`, which is empty.
fn inflate(
    state: &mut Decompressor,
    input: &[u8],
    cap: usize,
    out: &mut Vec<u8>,
) -> Result<(), TokenError> {
    // JSON shrinks to about a third or a quarter. Where that is not enough it is done over with four times the room: all
    // rounds together take a third more than the last one.
    let mut room = input.len().saturating_mul(5).clamp(64, cap.max(64));
    loop {
        out.resize(room, 0);
        match state.zlib_decompress(input, out) {
            Ok(length) if length <= cap => {
                out.truncate(length);
                return Ok(());
            }
            Err(DecompressionError::InsufficientSpace) if room < cap => {
                room = room.saturating_mul(4).min(cap);
            }
            Ok(_) | Err(DecompressionError::InsufficientSpace) => {
                return Err(TokenError::TooLarge);
            }
            Err(DecompressionError::BadData) => return Err(TokenError::BadPayload),
        }
    }
}

/// Whether a Cookie header can hold a payload with the key `_permanent`, judged by its text alone.
///
/// Three bytes are four characters of base64, so a word looks in one of three ways, by where it begins. The key may be
/// written with escapes for some of its letters, a payload may be deflated (it begins with a dot then) and a value may be
/// quoted or stand behind blanks: whatever may be any of these is answered with yes.
pub fn may_mention_permanent(header: &[u8]) -> bool {
    // None where the processor has no instructions for it.
    static SEARCHER: LazyLock<Option<Searcher>> = LazyLock::new(|| Searcher::new(LOOKS));
    let looks = match &*SEARCHER {
        Some(searcher) => searcher.find(header).is_some(),
        None => LOOKS
            .iter()
            .any(|look| memmem::find(header, look).is_some()),
    };
    looks
        || memchr_iter(b'=', header)
            .any(|at| matches!(header.get(at + 1), Some(b'.' | b'"' | b' ' | b'\t')))
}

/// Characters that are looked for: few enough for the fastest search, and enough to be rare.
const LOOK: usize = 4;

/// How `_permanent` and the beginning of an escape for a letter look, by where they begin.
const LOOKS: [[u8; LOOK]; 6] = [
    inner_text(b"_perm", 0),
    inner_text(b"_perm", 1),
    inner_text(b"_perm", 2),
    inner_text(b"\\u00", 0),
    inner_text(b"\\u00", 1),
    inner_text(b"\\u00", 2),
];

/// The first base64 characters that depend on nothing but `word`, when it begins `shift` bytes into a group of three.
const fn inner_text<const N: usize>(word: &[u8; N], shift: usize) -> [u8; LOOK] {
    // A character is six bits, a byte eight.
    let skipped = (8 * shift).div_ceil(6) * 6 - 8 * shift;
    assert!(skipped + 6 * LOOK <= 8 * N);
    let mut bits = 0_u64;
    let mut at = 0;
    while at < N {
        bits = bits << 8 | word[at] as u64;
        at += 1;
    }
    let bits = bits >> (8 * N - skipped - 6 * LOOK);
    let mut text = [0; LOOK];
    let mut at = 0;
    while at < LOOK {
        text[at] = base64url::ALPHABET[(bits >> (6 * (LOOK - 1 - at)) & 0x3f) as usize];
        at += 1;
    }
    text
}

/// Appends what strict, unpadded URL-safe base64 stands for.
fn decode(text: &[u8], out: &mut Vec<u8>) -> Result<(), TokenError> {
    base64url::decode(text, out).ok_or(TokenError::BadPayload)
}
