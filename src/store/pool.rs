//! Which connection serves whom: idle ones are kept, new ones are opened where none is idle.
//!
//! No lock is held while anything is waited for. Every connection has a slot of its own with a lock of its own, which
//! is held for as long as it takes to move a pointer, and which is only ever tried: where another thread holds it, the
//! next slot is looked at. So a fork in the very moment when another thread holds one cannot hang the child. That slot
//! stays locked in the child, which goes on with one slot fewer.

use super::connection::Connection;
use super::{Call, Endpoint, StoreError, tls};
use crate::sync::{AtomicU32, Mutex, Ordering, TryLockError, process};

/// The connections to one endpoint.
pub(super) struct Pool {
    endpoint: Endpoint,
    tls: tls::Kept,
    slots: Box<[Slot]>,
    /// The process whose connections are in the slots.
    process: AtomicU32,
}

/// A connection, boxed: taking and putting it moves a pointer.
type Slot = Mutex<Option<Box<Connection>>>;

impl Pool {
    /// A pool that keeps up to `size` idle connections. Connects to nothing.
    pub(super) fn new(endpoint: Endpoint, size: usize) -> Self {
        Self {
            endpoint,
            tls: tls::Kept::default(),
            slots: (0..size).map(|_| Slot::default()).collect(),
            process: AtomicU32::new(process::id()),
        }
    }

    /// The endpoint.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// An idle connection that is fit to be used. Those that are not are closed.
    pub(super) fn take(&self) -> Option<Box<Connection>> {
        let process = process::id();
        if self.process.load(Ordering::Relaxed) != process {
            // A child closes what it inherited, all of it: as long as a copy is open, the server does not see an end.
            for slot in &self.slots {
                drop(with(slot, |kept| kept.take_if(|idle| !idle.is_own())));
            }
            self.process.store(process, Ordering::Relaxed);
        }
        for slot in &self.slots {
            // The inner call locks no longer than it takes: the look at the socket comes after it.
            if let Some(mut idle) = with(slot, Option::take)
                && idle.is_own()
                && idle.is_fit()
            {
                return Some(idle);
            }
        }
        None
    }

    /// A new connection.
    pub(super) fn open(&self, call: &Call<'_>) -> Result<Box<Connection>, StoreError> {
        Connection::open(&self.endpoint, &self.tls, call).map(Box::new)
    }

    /// Keeps a connection, if it can be used again and there is room.
    pub(super) fn put(&self, connection: Box<Connection>) {
        if !connection.is_clean() || !connection.is_own() {
            return;
        }
        let mut connection = Some(connection);
        for slot in &self.slots {
            with(slot, |kept| {
                if kept.is_none() {
                    *kept = connection.take();
                }
                None::<()>
            });
            if connection.is_none() {
                return;
            }
        }
    }
}

/// Looks into a slot that nobody else looks into at this moment.
fn with<T>(slot: &Slot, look: impl FnOnce(&mut Option<Box<Connection>>) -> Option<T>) -> Option<T> {
    match slot.try_lock() {
        Ok(mut kept) => look(&mut kept),
        Err(TryLockError::Poisoned(kept)) => look(&mut kept.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
