//! Every corpus through its target, and some seconds of seeded mutations of it, without a fuzzing engine.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::time::{Duration, Instant};

use fuzz::TARGETS;

/// How long each target is given mutations. `FUZZ_MILLIS` in the environment says otherwise.
const MILLIS: u64 = 2000;

/// The longest that one input may take.
const LIMIT: Duration = Duration::from_secs(5);

/// The longest input that mutations make.
const LONGEST: usize = 4096;

/// Numbers without end, the same on each machine: xorshift64*.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % end.max(1)
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}

/// One change more.
fn mutate(input: &mut Vec<u8>, corpus: &[Vec<u8>], chance: &mut Chance) {
    let at = chance.below(input.len() + 1);
    let end = (at + 1 + chance.below(8)).min(input.len());
    match chance.below(8) {
        0 if at < input.len() => input[at] ^= 1 << chance.below(8),
        1 if at < input.len() => input[at] = chance.byte(),
        2 => input.insert(at, chance.byte()),
        3 => drop(input.drain(at.min(end)..end)),
        4 => input.truncate(at),
        5 => {
            let piece = input[at.min(end)..end].to_vec();
            for _ in 0..=chance.below(4) {
                input.splice(at..at, piece.iter().copied());
            }
        }
        // The beginning of this, the end of another.
        6 => {
            let other = &corpus[chance.below(corpus.len())];
            input.truncate(at);
            input.extend_from_slice(&other[chance.below(other.len() + 1)..]);
        }
        _ => {
            let edges = [0, 1, 0x7f, 0x80, 0xff, b'"', b'\\', b'\n', b'.', b'-'];
            input.insert(at, edges[chance.below(edges.len())]);
        }
    }
    input.truncate(LONGEST);
}

fn run(name: &str, check: fn(&[u8]), input: &[u8]) {
    let start = Instant::now();
    let ended = panic::catch_unwind(AssertUnwindSafe(|| check(input)));
    let fault = match ended {
        Err(_) => "fails",
        Ok(()) if start.elapsed() >= LIMIT => "takes too long",
        Ok(()) => return,
    };
    // Beside the finds of libFuzzer, and under such a name.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts");
    let mut hash = DefaultHasher::new();
    input.hash(&mut hash);
    let file = folder.join(format!("{name}-{:016x}", hash.finish()));
    fs::create_dir_all(folder).unwrap();
    fs::write(&file, input).unwrap();
    panic!(
        "{name} {fault} on b\"{}\", which is in {}",
        input.escape_ascii(),
        file.display()
    );
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

fn replay(name: &str) {
    let (_, check) = *TARGETS.iter().find(|(other, _)| *other == name).unwrap();
    let corpus = corpus(name);
    assert!(corpus.len() >= 20, "{name}: {} files", corpus.len());
    run(name, check, b"");
    for input in &corpus {
        run(name, check, input);
    }
    let millis = std::env::var("FUZZ_MILLIS").map_or(MILLIS, |millis| millis.parse().unwrap());
    let end = Instant::now() + Duration::from_millis(millis);
    let mut chance = Chance(1);
    let mut count = 0_u64;
    while Instant::now() < end {
        let mut input = corpus[chance.below(corpus.len())].clone();
        for _ in 0..=chance.below(4) {
            mutate(&mut input, &corpus, &mut chance);
        }
        run(name, check, &input);
        count += 1;
    }
    println!("{name}: {} files, {count} mutations", corpus.len());
}

#[test]
fn cookie() {
    replay("cookie");
}

#[test]
fn token() {
    replay("token");
}

#[test]
fn json() {
    replay("json");
}

#[test]
fn msgpack() {
    replay("msgpack");
}

#[test]
fn reply() {
    replay("reply");
}

#[test]
fn url() {
    replay("url");
}
