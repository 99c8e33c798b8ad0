//! Whose turn it is to change a record, among the threads of one process.
//!
//! Compare-and-set keeps every change whoever makes it, but of many threads that try at the same moment all but one fail, and
//! try again. So they take turns. A turn is a courtesy and no lock: nobody is blocked by it, everybody looks again from time to
//! time in the program's own way of waiting, and who has looked for long enough goes on without.

use std::time::Duration;

use crate::store::{Call, StoreError};
use crate::sync::{Mutex, TryLockError, process, thread};

/// How long somebody else's turn is waited for. A change takes two round trips as a rule; whoever takes longer than this has
/// lost the server.
const PATIENCE: Duration = Duration::from_millis(250);

/// The pause between two looks.
const PAUSE: Duration = Duration::from_micros(300);

/// The keys whose turn is taken.
#[derive(Default)]
pub struct Turns(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    /// The process whose threads took them: in a fork they are nobody's.
    process: u32,
    keys: Vec<Box<[u8]>>,
}

/// A turn, given back when it is dropped.
pub struct Turn<'t> {
    turns: &'t Turns,
    key: Option<&'t [u8]>,
}

impl Turns {
    /// No turn is taken.
    pub fn new() -> Self {
        Self(Mutex::new(Taken {
            process: 0,
            keys: Vec::new(),
        }))
    }

    /// Takes the turn to change the record under `key`, as soon as nobody else has it; or goes on without it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Interrupted`] of the pauses.
    pub fn take<'t>(&'t self, key: &'t [u8], call: &Call<'_>) -> Result<Turn<'t>, StoreError> {
        let mut waited = Duration::ZERO;
        while waited < PATIENCE {
            match self.with(|taken| taken.add(key)) {
                Some(true) => {
                    return Ok(Turn {
                        turns: self,
                        key: Some(key),
                    });
                }
                // Looked into at this very moment; or for good, in a child that was forked in such a moment.
                None if waited > PATIENCE / 10 => break,
                Some(false) | None => {}
            }
            if call.deadline.remaining().is_none() {
                break;
            }
            call.pause(PAUSE)?;
            waited += PAUSE;
        }
        Ok(Turn {
            turns: self,
            key: None,
        })
    }

    fn with<T>(&self, look: impl FnOnce(&mut Taken) -> T) -> Option<T> {
        let mut taken = match self.0.try_lock() {
            Ok(taken) => taken,
            Err(TryLockError::Poisoned(taken)) => taken.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        if taken.process != process::id() {
            taken.process = process::id();
            taken.keys.clear();
        }
        Some(look(&mut taken))
    }

    fn give_back(&self, key: &[u8]) {
        // Held for no longer than a look takes: not worth a pause.
        for _ in 0..1000 {
            let given = self.with(|taken| taken.keys.retain(|taken| **taken != *key));
            if given.is_some() {
                return;
            }
            thread::yield_now();
        }
    }
}

impl Taken {
    fn add(&mut self, key: &[u8]) -> bool {
        let free = !self.keys.iter().any(|taken| **taken == *key);
        if free {
            self.keys.push(key.into());
        }
        free
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.turns.give_back(key);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::{Deadline, PollWaiter};

    fn call(milliseconds: u64) -> Call<'static> {
        Call {
            deadline: Deadline::after(Duration::from_millis(milliseconds)),
            waiter: &PollWaiter,
        }
    }

    #[test]
    fn a_turn_is_taken_once_and_given_back() {
        let turns = Turns::new();
        let first = turns.take(b"a", &call(1000)).unwrap();
        assert!(first.key.is_some());
        assert!(turns.take(b"b", &call(1000)).unwrap().key.is_some());
        assert!(turns.take(b"a", &call(5)).unwrap().key.is_none());
        drop(first);
        assert!(turns.take(b"a", &call(1000)).unwrap().key.is_some());
        assert!(turns.0.lock().unwrap().keys.is_empty());
    }

    #[test]
    fn who_waits_for_long_goes_on_without() {
        let turns = Turns::new();
        let _kept = turns.take(b"a", &call(1000)).unwrap();
        assert!(turns.take(b"a", &call(60_000)).unwrap().key.is_none());
    }

    #[test]
    fn a_forks_parent_has_no_turns_in_it() {
        let turns = Turns::new();
        {
            let mut taken = turns.0.lock().unwrap();
            taken.process = process::id() + 1;
            taken.keys.push(b"a"[..].into());
        }
        assert!(turns.take(b"a", &call(1000)).unwrap().key.is_some());
    }
}
