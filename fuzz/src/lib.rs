//! What holds for any bytes, one body for each target: libFuzzer and the replay of the corpora run the same.

pub mod cookie;
pub mod json;
pub mod msgpack;
pub mod reply;
pub mod token;
pub mod url;

/// A target: its name, which is its corpus', and its body.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 6] = [
    ("cookie", cookie::check),
    ("token", token::check),
    ("json", json::check),
    ("msgpack", msgpack::check),
    ("reply", reply::check),
    ("url", url::check),
];

/// The first byte, as a choice, and the rest.
fn choice(data: &[u8]) -> (usize, &[u8]) {
    data.split_first()
        .map_or((0, data), |(first, rest)| (usize::from(*first), rest))
}
