//! The five verbs in memory: the store of tests, and what the acceptance suite compares Redis with.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{
    Call, Created, Expected, Loaded, Replaced, SessionStore, StoreError, Ttl, Unreachable, occupied,
};

/// Records in the memory of this process. Expiry follows the monotonic clock.
#[derive(Default)]
pub struct MemoryStore {
    kept: Mutex<HashMap<Vec<u8>, Kept>>,
}

struct Kept {
    /// None stands for something that is no record.
    record: Option<Vec<u8>>,
    /// None for what never expires.
    expires: Option<Instant>,
}

impl MemoryStore {
    /// A store with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts something that is no record under `key`, as another program may have done in a shared server.
    pub fn place_foreign(&self, key: &[u8]) {
        let kept = Kept {
            record: None,
            expires: None,
        };
        self.lock().insert(key.to_vec(), kept);
    }

    /// The map, which is in order even after a panic elsewhere: every change is one call.
    fn lock(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The map without what has expired, if there is time left.
    fn live(&self, call: &Call<'_>) -> Result<MutexGuard<'_, HashMap<Vec<u8>, Kept>>, StoreError> {
        if call.deadline.remaining().is_none() {
            return Err(StoreError::Unreachable(Unreachable::TimedOut));
        }
        let mut kept = self.lock();
        let now = Instant::now();
        kept.retain(|_, kept| kept.expires.is_none_or(|expires| expires > now));
        Ok(kept)
    }
}

impl Kept {
    fn new(record: &[u8], ttl: Ttl) -> Self {
        Self {
            record: Some(record.to_vec()),
            expires: expiry(ttl),
        }
    }
}

/// When what lives so long from now on expires.
fn expiry(ttl: Ttl) -> Option<Instant> {
    Instant::now().checked_add(Duration::from_secs(ttl.as_seconds()))
}

/// Why a verb does not touch what stands there, if it does not.
fn objection(kept: Option<&Kept>, expected: Expected<'_>) -> Option<Replaced> {
    match (kept.and_then(|kept| kept.record.as_ref()), expected) {
        (None, _) => Some(Replaced::Gone),
        (Some(now), Expected::Exactly(bytes)) if now != bytes => {
            Some(Replaced::Changed(now.clone()))
        }
        (Some(_), _) => None,
    }
}

/// Whether exactly this record stands there.
fn stands(kept: Option<&Kept>, record: &[u8]) -> bool {
    kept.is_some_and(|kept| kept.record.as_deref() == Some(record))
}

impl SessionStore for MemoryStore {
    fn load(&self, key: &[u8], slide: Option<Ttl>, call: &Call<'_>) -> Result<Loaded, StoreError> {
        let mut live = self.live(call)?;
        Ok(match live.get_mut(key) {
            None => Loaded::Absent,
            Some(Kept { record: None, .. }) => Loaded::Foreign,
            Some(Kept {
                record: Some(record),
                expires,
            }) => {
                if let Some(ttl) = slide {
                    *expires = expiry(ttl);
                }
                Loaded::Record(record.clone())
            }
        })
    }

    fn create(
        &self,
        key: &[u8],
        record: &[u8],
        ttl: Ttl,
        call: &Call<'_>,
    ) -> Result<Created, StoreError> {
        let mut live = self.live(call)?;
        if live.contains_key(key) {
            return Ok(Created::Exists);
        }
        live.insert(key.to_vec(), Kept::new(record, ttl));
        Ok(Created::Done)
    }

    fn replace(
        &self,
        key: &[u8],
        expected: Expected<'_>,
        record: &[u8],
        ttl: Ttl,
        call: &Call<'_>,
    ) -> Result<Replaced, StoreError> {
        let mut live = self.live(call)?;
        let kept = live.get(key);
        if !stands(kept, record)
            && let Some(objection) = objection(kept, expected)
        {
            return Ok(objection);
        }
        live.insert(key.to_vec(), Kept::new(record, ttl));
        Ok(Replaced::Done)
    }

    fn rotate(
        &self,
        old: &[u8],
        new: &[u8],
        expected: Expected<'_>,
        record: &[u8],
        ttl: Ttl,
        call: &Call<'_>,
    ) -> Result<Replaced, StoreError> {
        let mut live = self.live(call)?;
        match objection(live.get(old), expected) {
            Some(Replaced::Gone) if stands(live.get(new), record) => return Ok(Replaced::Done),
            Some(objection) => return Ok(objection),
            None => {}
        }
        if live.contains_key(new) {
            return Err(occupied());
        }
        live.insert(new.to_vec(), Kept::new(record, ttl));
        live.remove(old);
        Ok(Replaced::Done)
    }

    fn delete(
        &self,
        key: &[u8],
        expected: Expected<'_>,
        call: &Call<'_>,
    ) -> Result<Replaced, StoreError> {
        let mut live = self.live(call)?;
        if let Some(objection) = objection(live.get(key), expected) {
            return Ok(objection);
        }
        live.remove(key);
        Ok(Replaced::Done)
    }
}
