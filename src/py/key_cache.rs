//! The keys of dicts that were decoded lately: sessions have the same few keys, and a string that is there already has its
//! hash, too.

use std::sync::{Mutex, MutexGuard};

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::text::{ascii, utf8};

/// Places, each for the last two keys that fell to it.
const PLACES: usize = 128;

/// Bytes of the longest key that is kept: so the whole takes some tens of kilobytes at most.
const LONGEST: usize = 32;

type Places = [[Option<Py<PyString>>; 2]; PLACES];

static PLACES_OF_ALL: Mutex<Places> = Mutex::new([const { [None, None] }; PLACES]);

/// The kept keys while one record is decoded. Whoever comes meanwhile, a finalizer in the same thread among them, does
/// without, so that nobody waits.
pub(super) struct KeyCache(Option<MutexGuard<'static, Places>>);

impl KeyCache {
    pub(super) fn take() -> Self {
        Self(PLACES_OF_ALL.try_lock().ok())
    }

    /// A string of ASCII, perhaps one that is in use elsewhere.
    pub(super) fn key<'py>(
        &mut self,
        py: Python<'py>,
        text: &[u8],
    ) -> PyResult<Bound<'py, PyString>> {
        let Some(places) = self.0.as_mut().filter(|_| text.len() <= LONGEST) else {
            return ascii(py, text);
        };
        let place = &mut places[place_of(text)];
        for kept in place.iter().flatten() {
            let kept = kept.bind(py);
            if utf8(kept)?.as_bytes() == text {
                return Ok(kept.clone());
            }
        }
        let key = ascii(py, text)?;
        place.swap(0, 1);
        // The older of the two goes. Strings run no code when they do.
        place[0] = Some(key.clone().unbind());
        Ok(key)
    }
}

/// The place of a key, by its length and its first and last four bytes: the keys of one application, which are few,
/// rarely share both ends.
fn place_of(text: &[u8]) -> usize {
    let end = |chunk: Option<&[u8; 4]>| chunk.map_or(0, |chunk| u32::from_le_bytes(*chunk));
    let (first, last) = match text {
        [_, _, _, _, ..] => (end(text.first_chunk()), end(text.last_chunk())),
        short => (
            short
                .iter()
                .fold(0, |all, byte| all << 8 | u32::from(*byte)),
            0,
        ),
    };
    // A multiplication mixes upwards: the place is in the upper bits.
    let mixed = (u64::from(first) << 32 | u64::from(last)).wrapping_add(text.len() as u64);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % PLACES
}
