//! Flask's sessions in Rust, signed cookies and records in Redis: the same answers, sooner.
//!
//! This crate is the part that knows bytes and nothing of Python. With the feature `python` it is also the extension
//! module `flask_session_rs._native`.
//!
//! # The token
//!
//! What Flask's `SecureCookieSessionInterface` writes through itsdangerous' `URLSafeTimedSerializer`:
//!
//! ```text
//! eyJ1c2VyIjo3fQ . VicHgA . X1yvf9ymbUIwdPJDdu1UV6Yqbm8
//! │                │        └ HMAC by the newest key over everything before the last dot
//! │                └ seconds since 1970, big-endian, without leading zero bytes
//! └ JSON; with a dot of its own in front where it is deflated (zlib format)
//! ```
//!
//! All three parts are base64 in the URL-safe alphabet, without padding.
//!
//! # The way of the data
//!
//! ```text
//! open   Cookie header -> cookie::find -> token::open ┬ keyring: signature, newest key first
//!                                                     ├ age
//!                                                     └ payload::unpack -> JSON text
//! save   JSON text -> token::seal ┬ payload::pack
//!                                 ├ time
//!                                 └ keyring: signature -> cookie::Template -> Set-Cookie
//!        untouched, refresh due -> token::reseal: the same payload, a new time, no JSON read or written
//! ```
//!
//! In a store:
//!
//! ```text
//! open   Cookie header -> cookie::find -> Sid::parse -> SessionStore::load -> a record (msgpack or JSON)
//! save   record -> commit ┬ create | replace | rotate | delete
//!                         └ another was faster -> record::difference, applied to its record -> again
//! ```
//!
//! The clock is an argument (`now`, in seconds since 1970) of every function that needs it.
//!
//! # Modules
//!
//! - [`cookie`]: one cookie found in a Cookie header, one Set-Cookie text built
//! - [`keyring`]: keys derived once; signs with the newest, verifies from the newest to the oldest
//! - [`payload`]: JSON text to base64 and back, deflated when it pays, inflated up to a cap
//! - [`token`]: sealing and opening
//! - [`store`]: where records are kept under a key, with an expiry: in Redis, or in memory for tests
//! - [`json`]: JSON text as Python writes it, and what can be told of it without decoding
//! - [`json_plain`]: JSON text as msgspec writes it
//! - [`json_reader`]: JSON text read value by value
//! - [`msgpack`]: msgpack as msgspec writes it, and read value by value
//! - [`civil`]: dates, times and durations as text, and as seconds since 1970
//! - [`sid`]: a session id: drawn, checked, signed
//! - [`record`]: a stored record as its top-level entries: the difference of two, applied to a third
//! - [`store`]: what a session store does: five verbs over keys and bytes
//! - [`commit`]: what a save does to a store
//! - [`turns`]: whose turn it is to change a record

mod base64url;
pub mod civil;
pub mod commit;
pub mod cookie;
pub mod json;
pub mod json_plain;
pub mod json_reader;
pub mod keyring;
pub mod msgpack;
pub mod payload;
mod plain;
mod process;
pub mod record;
pub mod sid;
pub mod store;
mod sync;
pub mod token;
pub mod turns;

#[cfg(feature = "python")]
mod py;
