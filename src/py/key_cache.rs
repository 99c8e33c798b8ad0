//! The keys of dicts that were decoded lately: sessions have the same few keys, and a string that is there already has its
//! hash, too.

use std::sync::{Mutex, MutexGuard};

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::text::ascii;

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
            if kept.to_str(py).is_ok_and(|kept| kept.as_bytes() == text) {
                return Ok(kept.bind(py).clone());
            }
        }
        let key = ascii(py, text)?;
        place.swap(0, 1);
        // The older of the two goes. Strings run no code when they do.
        place[0] = Some(key.clone().unbind());
        Ok(key)
    }
}

/// The place of a key, by its FNV-1a hash.
fn place_of(text: &[u8]) -> usize {
    let hash = text.iter().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    });
    (hash ^ hash >> 16) as usize % PLACES
}
