//! Stands in for the crate's `store`: what the pool and the turns use of it, without sockets and clocks.

mod lending;
#[path = "../../../src/store/pool.rs"]
#[allow(dead_code)]
mod pool;

pub use lending::CLAIMS;

use std::time::Duration;

use crate::sync::thread;

#[derive(Default)]
pub struct Endpoint;

#[derive(Debug)]
pub struct StoreError;

/// A call whose deadline is far. Its pauses are counted.
#[derive(Default)]
pub struct Call<'a> {
    pub deadline: Far,
    pub pauses: std::cell::Cell<usize>,
    lifetime: std::marker::PhantomData<&'a ()>,
}

#[derive(Default)]
pub struct Far;

impl Far {
    #[allow(clippy::unused_self)]
    pub fn remaining(&self) -> Option<Duration> {
        Some(Duration::from_secs(1))
    }
}

impl Call<'_> {
    /// Lets the other threads do something.
    #[allow(clippy::unnecessary_wraps)]
    pub fn pause(&self, _time: Duration) -> Result<(), StoreError> {
        crate::sync::no_lock_is_held("time passes");
        self.pauses.set(self.pauses.get() + 1);
        thread::yield_now();
        Ok(())
    }
}

mod tls {
    #[derive(Default)]
    pub struct Kept(());
}

mod connection {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use loom::cell::UnsafeCell;

    use super::{Call, Endpoint, StoreError, tls};
    use crate::sync::{no_lock_is_held, process};

    /// How many are open. No step of the model: nothing waits for it, nothing is decided by it.
    static OPEN: AtomicUsize = AtomicUsize::new(0);

    pub struct Connection {
        process: u32,
        /// Whether the last reply was read to its end.
        pub clean: bool,
        /// Whether nothing has come since.
        pub quiet: bool,
        /// Loom fails when two threads are in there at once, or one after the other with nothing that orders them.
        stream: UnsafeCell<u32>,
    }

    impl Connection {
        #[allow(clippy::unnecessary_wraps)]
        pub fn open(_: &Endpoint, _: &tls::Kept, _: &Call<'_>) -> Result<Self, StoreError> {
            no_lock_is_held("a connection is opened");
            OPEN.fetch_add(1, Ordering::Relaxed);
            Ok(Self {
                process: process::id(),
                clean: true,
                quiet: true,
                stream: UnsafeCell::new(0),
            })
        }

        pub fn is_own(&self) -> bool {
            self.process == process::id()
        }

        pub fn is_clean(&self) -> bool {
            self.clean
        }

        pub fn is_fit(&mut self) -> bool {
            no_lock_is_held("the system is asked");
            self.clean && self.quiet
        }

        /// What a borrower does: fails where the connection must not have been lent.
        pub fn exchange(&mut self) {
            assert!(self.is_own(), "lent: a connection of the parent");
            assert!(self.clean, "lent: a connection that is not in step");
            assert!(self.quiet, "lent: a connection with stray bytes");
            self.stream.with_mut(|_| ());
        }
    }

    impl Drop for Connection {
        fn drop(&mut self) {
            no_lock_is_held("a connection is closed");
            OPEN.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub fn open_now() -> usize {
        OPEN.load(Ordering::Relaxed)
    }
}
