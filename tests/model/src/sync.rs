//! Stands in for the crate's `sync`: loom's types, of which the ones that could block have no way to.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use loom::sync::Condvar;
use loom::sync::atomic::AtomicBool;

pub use loom::sync::atomic::AtomicU32;
pub use std::sync::TryLockError;
pub use std::sync::atomic::Ordering;

loom::thread_local! {
    static HELD: Cell<usize> = Cell::new(0);
    /// What `RELEASES` was when this thread's last try ended.
    static SEEN: Cell<usize> = Cell::new(0);
}

/// How often a lock was released, and how many threads wait for that. No steps of the model: see `thread::yield_now`.
static RELEASES: AtomicUsize = AtomicUsize::new(0);
static WAITING: AtomicUsize = AtomicUsize::new(0);

loom::lazy_static! {
    static ref BED: (loom::sync::Mutex<()>, Condvar) = (loom::sync::Mutex::new(()), Condvar::new());
}

/// A lock that can be tried and not be waited for: `lock` would not compile, for the sake of a child that is forked
/// while a thread holds it. Like the standard library's, it is an atomic. (Loom's lock is never seen taken by a thread
/// that has no other step while it holds it.)
#[derive(Default)]
pub struct Mutex<T> {
    taken: AtomicBool,
    /// Safe Rust's way to the value: free whenever `taken` was.
    value: std::sync::Mutex<T>,
}

pub struct Guard<'m, T> {
    taken: &'m AtomicBool,
    value: Option<std::sync::MutexGuard<'m, T>>,
}

impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Self {
            taken: AtomicBool::new(false),
            value: std::sync::Mutex::new(value),
        }
    }

    pub fn try_lock(&self) -> Result<Guard<'_, T>, TryLockError<Guard<'_, T>>> {
        let acquire = Ordering::Acquire;
        let free = (self.taken).compare_exchange(false, true, acquire, Ordering::Relaxed);
        if free.is_err() {
            see();
            return Err(TryLockError::WouldBlock);
        }
        HELD.with(|held| held.set(held.get() + 1));
        Ok(Guard {
            taken: &self.taken,
            value: Some(self.value.try_lock().unwrap()),
        })
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.value = None;
        HELD.with(|held| held.set(held.get() - 1));
        self.taken.store(false, Ordering::Release);
        RELEASES.fetch_add(1, Ordering::SeqCst);
        see();
        if WAITING.load(Ordering::SeqCst) > 0 {
            drop(BED.0.lock());
            BED.1.notify_all();
        }
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().unwrap()
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().unwrap()
    }
}

fn see() {
    SEEN.with(|seen| seen.set(RELEASES.load(Ordering::SeqCst)));
}

/// The ways to let others go on.
pub mod thread {
    use super::{BED, Ordering, RELEASES, SEEN, WAITING};

    pub use loom::thread::spawn;

    /// Sleeps until another thread has released a lock: any shorter sleep changes nothing that the sleeper could see.
    /// One that would never end is what loom calls a deadlock.
    pub fn yield_now() {
        WAITING.fetch_add(1, Ordering::SeqCst);
        let mut bed = BED.0.lock().unwrap();
        while SEEN.with(|seen| seen.get() == RELEASES.load(Ordering::SeqCst)) {
            bed = BED.1.wait(bed).unwrap();
        }
        WAITING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Fails if this thread holds a lock.
pub fn no_lock_is_held(during: &str) {
    assert_eq!(HELD.with(Cell::get), 0, "a lock is held while {during}");
}

/// The process, which forks when it is told to.
pub mod process {
    use std::sync::atomic::{AtomicU32, Ordering};

    static ID: AtomicU32 = AtomicU32::new(0);

    pub fn id() -> u32 {
        ID.load(Ordering::Relaxed)
    }

    /// From here on, this is another process. What the parent's threads did before it is done.
    pub fn fork() {
        ID.fetch_add(1, Ordering::Relaxed);
    }
}

/// Runs the program in every order of its threads' steps, or in those with so many preemptions; how many that were.
pub fn in_every_order(preemptions: Option<usize>, program: fn()) -> usize {
    let orders = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&orders);
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions;
    model.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        program();
    });
    orders.load(Ordering::Relaxed)
}
