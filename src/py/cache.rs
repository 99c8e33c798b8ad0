//! A few values kept between requests, each found again by what it was derived from.
//!
//! The first ones stay where they are put and are read without a lock, which a request would take and give back half a
//! dozen times, each time waiting for whatever is still being stored. An application has one or two of a kind; only where
//! there are more, the later ones take turns behind a lock.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Values of a kind that are read without a lock.
const FIRST: usize = 2;

/// Further ones: with these, eight applications share one interface object without deriving anew at each request.
const LATER: usize = 6;

/// A short list of derived values. The lock is never held while Python code runs.
pub(super) struct Cache<T> {
    first: [OnceLock<Arc<T>>; FIRST],
    /// The newest in front.
    later: Mutex<Vec<Arc<T>>>,
}

/// A value that was kept.
pub(super) enum Kept<'a, T> {
    /// For good.
    First(&'a Arc<T>),
    /// Until newer ones take its place.
    Later(Arc<T>),
}

impl<T> Deref for Kept<'_, T> {
    type Target = Arc<T>;

    fn deref(&self) -> &Arc<T> {
        match self {
            Self::First(value) => value,
            Self::Later(value) => value,
        }
    }
}

impl<T> Cache<T> {
    pub(super) const fn new() -> Self {
        Self {
            first: [const { OnceLock::new() }; FIRST],
            later: Mutex::new(Vec::new()),
        }
    }

    /// The first kept value of which `matches` holds. `matches` must only compare pointers and numbers.
    pub(super) fn find(&self, matches: impl Fn(&T) -> bool) -> Option<Kept<'_, T>> {
        let mut first = self.first.iter().map_while(OnceLock::get);
        if let Some(value) = first.find(|value| matches(value)) {
            return Some(Kept::First(value));
        }
        self.find_later(matches)
    }

    #[cold]
    fn find_later(&self, matches: impl Fn(&T) -> bool) -> Option<Kept<'_, T>> {
        let later = self.later();
        let value = later.iter().find(|value| matches(value))?;
        Some(Kept::Later(Arc::clone(value)))
    }

    /// The kept value at this place of the list, for a comparison that may run Python code.
    pub(super) fn get(&self, index: usize) -> Option<Kept<'_, T>> {
        match index.checked_sub(FIRST) {
            None => self.first[index].get().map(Kept::First),
            Some(index) => self.get_later(index),
        }
    }

    #[cold]
    fn get_later(&self, index: usize) -> Option<Kept<'_, T>> {
        self.later().get(index).map(Arc::clone).map(Kept::Later)
    }

    /// Keeps `value`, in place of the oldest later one where the list is full.
    pub(super) fn keep(&self, value: Arc<T>) {
        let Some(value) = keep_first(&self.first, value) else {
            return;
        };
        let mut later = self.later();
        later.insert(0, value);
        // What falls out holds Python objects: dropping it may run Python code, so it is dropped
        // after the lock.
        let dropped = if later.len() > LATER {
            later.pop()
        } else {
            None
        };
        drop(later);
        drop(dropped);
    }

    fn later(&self) -> MutexGuard<'_, Vec<Arc<T>>> {
        self.later.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first findings and the last few, in place: for what is asked several times in every request. The lock is
/// never held while Python code runs.
pub(super) struct Findings<T> {
    first: [OnceLock<T>; FIRST],
    later: Mutex<[Option<T>; 2]>,
}

impl<T> Findings<T> {
    pub(super) const fn new() -> Self {
        Self {
            first: [const { OnceLock::new() }; FIRST],
            later: Mutex::new([None, None]),
        }
    }

    /// What `read` says of the first finding that it knows. It must only compare pointers and numbers.
    pub(super) fn find<R>(&self, read: impl Fn(&T) -> Option<R>) -> Option<R> {
        let mut first = self.first.iter().map_while(OnceLock::get);
        first.find_map(&read).or_else(|| self.find_later(read))
    }

    #[cold]
    fn find_later<R>(&self, read: impl Fn(&T) -> Option<R>) -> Option<R> {
        let later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
        later.iter().flatten().find_map(read)
    }

    /// Keeps `value`, in place of the oldest later one where there is no room.
    pub(super) fn keep(&self, value: T) {
        let Some(value) = keep_first(&self.first, value) else {
            return;
        };
        let mut later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
        later.swap(0, 1);
        let dropped = later[0].replace(value);
        drop(later);
        drop(dropped);
    }
}

/// Puts `value` into the first free place, or gives it back where there is none.
fn keep_first<T>(first: &[OnceLock<T>; FIRST], mut value: T) -> Option<T> {
    for place in first {
        match place.set(value) {
            Ok(()) => return None,
            Err(refused) => value = refused,
        }
    }
    Some(value)
}
