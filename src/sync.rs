//! What threads share, of the standard library. `tests/model` has a module of the same name, in which they are loom's:
//! it compiles `store/pool.rs` and `turns.rs` with that one, and tries every order of their threads' steps.

pub(crate) use crate::process;
pub(crate) use std::sync::atomic::{AtomicU32, Ordering};
pub(crate) use std::sync::{Mutex, TryLockError};
pub(crate) use std::thread;
