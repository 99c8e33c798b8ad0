//! The verbs that look before they write, as Lua scripts: the server runs each as one step.
//!
//! They answer 1 for done, 0 for a record that is gone, 2 for a new key that is taken, or with the record that stands
//! there instead of the expected one.

use std::fmt::Write as _;

use sha1::{Digest as _, Sha1};

/// A script and the name by which a server that has seen it knows it.
pub(super) struct Script {
    pub(super) text: String,
    pub(super) digest: String,
}

/// The scripts. Made with the store, so that there is nothing left to initialise when a process forks.
pub(super) struct Scripts {
    /// `KEYS`: the key. `ARGV`: what is expected (`any`, or `exactly` the third), the record, the expected one, its
    /// seconds.
    pub(super) replace: Script,
    /// `KEYS`: the old key, the new one. `ARGV`: as above.
    pub(super) rotate: Script,
    /// `KEYS`: the key. `ARGV`: what is expected (`any`, or `exactly` the second), the expected record, a last word.
    pub(super) delete: Script,
}

/// The record under a key, `false` where there is none, `true` for something that is no record. (An error's text is a
/// string in the servers, and an object that becomes one in fakeredis.)
const STANDING: &str = "\
local function standing(key)
  local value = redis.pcall('GET', key)
  if type(value) ~= 'table' then return value end
  if string.find(tostring(value.err), 'WRONGTYPE', 1, true) then return true end
  return redis.call('GET', key)
end
";

/// What comes first where a record is replaced: as a rule it is the expected one, which needs none of what follows. A
/// twentieth of the script's time.
const REPLACE_AT_ONCE: &str = "\
if redis.pcall('GET', KEYS[1]) == ARGV[3] then
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[4])
  return 1
end
";

/// A record that is the new one already was written by this very change, sent a second time; or makes no difference.
const REPLACE: &str = "\
local now = standing(KEYS[1])
if type(now) ~= 'string' then return 0 end
if ARGV[1] ~= 'any' and now ~= ARGV[3] and now ~= ARGV[2] then return now end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[4])
return 1
";

/// Written before it is deleted: what fails (memory, permissions) leaves the old record as it was.
const ROTATE: &str = "\
local old, new = standing(KEYS[1]), standing(KEYS[2])
if type(old) ~= 'string' then
  if new == ARGV[2] then return 1 end
  return 0
end
if ARGV[1] ~= 'any' and old ~= ARGV[3] then return old end
if new then return 2 end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[4])
redis.call('DEL', KEYS[1])
return 1
";

const DELETE: &str = "\
local now = standing(KEYS[1])
if type(now) ~= 'string' then return 0 end
if ARGV[1] ~= 'any' and now ~= ARGV[2] then return now end
redis.call('DEL', KEYS[1])
return 1
";

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            replace: Script::new(&[REPLACE_AT_ONCE, STANDING, REPLACE]),
            rotate: Script::new(&[STANDING, ROTATE]),
            delete: Script::new(&[STANDING, DELETE]),
        }
    }
}

impl Script {
    fn new(parts: &[&str]) -> Self {
        let text = parts.concat();
        let mut digest = String::with_capacity(40);
        for byte in Sha1::digest(&text) {
            // Writing to a string does not fail.
            let _ = write!(digest, "{byte:02x}");
        }
        Self { text, digest }
    }
}
