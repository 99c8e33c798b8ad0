//! A few values kept between requests, each found again by what it was derived from.

use std::sync::{Arc, Mutex, PoisonError};

/// Applications that share one interface object without deriving anew at each request.
const KEPT: usize = 8;

/// A short list of derived values, newest first. The lock is never held while Python code runs.
pub(super) struct Cache<T>(Mutex<Vec<Arc<T>>>);

impl<T> Cache<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// The first kept value of which `matches` holds. `matches` must only compare pointers and numbers.
    pub(super) fn find(&self, matches: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|value| matches(value)).map(Arc::clone)
    }

    /// The kept value at this place of the list, for a comparison that may run Python code.
    pub(super) fn get(&self, index: usize) -> Option<Arc<T>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(index).map(Arc::clone)
    }

    /// Keeps `value`, in place of the oldest one where the list is full.
    pub(super) fn keep(&self, value: Arc<T>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(0, value);
        // What falls out holds Python objects: dropping it may run Python code, so it is dropped
        // after the lock.
        let dropped = if kept.len() > KEPT { kept.pop() } else { None };
        drop(kept);
        drop(dropped);
    }
}

/// The last few findings, in place: for what is asked several times in every request. The lock is
/// never held while Python code runs.
pub(super) struct Recent<T>(Mutex<[Option<T>; 2]>);

impl<T> Recent<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new([None, None]))
    }

    /// What `read` says of the first finding that it knows. It must only compare pointers and numbers.
    pub(super) fn find<R>(&self, read: impl Fn(&T) -> Option<R>) -> Option<R> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().flatten().find_map(read)
    }

    /// Keeps `value`, in place of the older one.
    pub(super) fn keep(&self, value: T) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.swap(0, 1);
        let dropped = kept[0].replace(value);
        drop(kept);
        drop(dropped);
    }
}
