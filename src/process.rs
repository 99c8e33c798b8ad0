//! Which process this is, without a system call each time it matters.
//!
//! A session's way to its store asks a dozen times, because whatever waits may wait across a fork; the C library has asked
//! the system each time since it stopped remembering the answer (glibc 2.25). Here, the answer is forgotten by the
//! handler that `fork` runs in each child, before anything else of it does. A child that is made past `fork`, by the bare
//! system call, has no handlers: no Python program goes on in one.

use std::process;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The process's id; 0 while it is not known.
static ID: AtomicU32 = AtomicU32::new(0);

/// Whether someone has set out to have it forgotten at each fork.
static CLAIMED: AtomicBool = AtomicBool::new(false);

/// Whether it will be.
static FORGOTTEN_AT_FORKS: AtomicBool = AtomicBool::new(false);

/// The id of this process.
#[inline]
pub(crate) fn id() -> u32 {
    match ID.load(Ordering::Relaxed) {
        0 => ask(),
        id => id,
    }
}

#[cold]
fn ask() -> u32 {
    if !CLAIMED.swap(true, Ordering::Relaxed) && forget_at_forks() {
        FORGOTTEN_AT_FORKS.store(true, Ordering::Release);
    }
    let id = process::id();
    // Until then (and for good, where the system had no memory for the handler), nothing is remembered.
    if FORGOTTEN_AT_FORKS.load(Ordering::Acquire) {
        ID.store(id, Ordering::Relaxed);
    }
    id
}

/// Whether the C library took the handler.
#[allow(unsafe_code)]
fn forget_at_forks() -> bool {
    extern "C" fn forget() {
        ID.store(0, Ordering::Relaxed);
    }
    // SAFETY: the handler does nothing but store to an atomic, which is allowed in a forked child. It stays where it is:
    // Python never unloads an extension module, and the C library drops the handlers of a library that is unloaded.
    unsafe { libc::pthread_atfork(None, None, Some(forget)) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a child says its id is, by the exit code: whether it is its own.
    #[allow(unsafe_code)]
    fn child_knows_itself() -> bool {
        let parent = id();
        // SAFETY: the child compares numbers and ends.
        unsafe {
            match libc::fork() {
                0 => {
                    let own = id();
                    let right = own == process::id() && own != parent && own == id();
                    libc::_exit(i32::from(!right))
                }
                child => {
                    let mut status = 0;
                    child > 0
                        && libc::waitpid(child, &raw mut status, 0) == child
                        && libc::WIFEXITED(status)
                        && libc::WEXITSTATUS(status) == 0
                }
            }
        }
    }

    #[test]
    fn each_process_knows_itself() {
        for _ in 0..3 {
            assert_eq!(id(), process::id());
            assert!(child_knows_itself());
        }
        // Another test's thread may be on its way to the handler.
        while ID.load(Ordering::Relaxed) == 0 {
            assert_eq!(id(), process::id());
        }
        assert_eq!(ID.load(Ordering::Relaxed), process::id());
        assert!(child_knows_itself());
    }
}
