//! The core's hot paths, one for each run, so that callgrind can count the instructions of each.
//!
//! `paths about` prints what the counts depend on, as `name: value` lines; `paths list` the names of the paths;
//! `paths NAME` goes one of them [`ROUNDS`] times, inside of `counted` and after a few times outside of it.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // It talks to tests/counts/count.py alone, which shows any failure.

use std::hint::black_box;

use flask_session_rs::cookie::{self, Template};
use flask_session_rs::keyring::{Derivation, Digest, Keyring};
use flask_session_rs::payload::{self, INFLATE_CAP};
use flask_session_rs::record::{self, Record};
use flask_session_rs::sid::Sid;
use flask_session_rs::{json, json_plain, json_reader, msgpack, token};

/// How often a counted path is gone: the count is divided by it.
const ROUNDS: usize = 100;
/// How often before that, so that what is made once (tables, thread locals, a buffer's room) is not counted.
const WARM_UP: usize = 3;

const NOW: u64 = 1_700_000_000;
const MAX_AGE: i64 = 31 * 86_400;
const NEVER_DEFLATED: usize = usize::MAX;

/// A value of a session, as the two encoders in `src/py/` would meet it.
enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'static str),
    List(&'static [Value]),
    Map(&'static [(&'static str, Value)]),
}

use Value::{Bool, Float, Int, List, Map, Null, Text};

/// About 250 bytes of JSON, as the benchmarks' session; with an escape, a character beyond ASCII and a float.
const SESSION: Value = Map(&[
    ("_fresh", Bool(true)),
    (
        "_id",
        Text("d5b9c1f04d7a4b52a93a0f6c7b8e1d2c3f4a5b6c7d8e9f00"),
    ),
    ("_permanent", Bool(true)),
    ("_user_id", Text("4711")),
    (
        "cart",
        List(&[
            Map(&[("id", Int(1042)), ("n", Int(2)), ("price", Float(19.95))]),
            Map(&[("id", Int(7)), ("n", Int(1)), ("price", Float(4.5))]),
        ]),
    ),
    ("csrf_token", Text("ImY3ZDk0ZTQyYjQ3YjQ1OWM4Ig")),
    ("locale", Text("de_DE")),
    ("name", Text("Jürgen \"J\"")),
    ("next", Null),
]);

fn write_json(value: &Value, out: &mut Vec<u8>, write_str: fn(&str, &mut Vec<u8>)) {
    match value {
        Null => out.extend_from_slice(b"null"),
        Bool(true) => out.extend_from_slice(b"true"),
        Bool(false) => out.extend_from_slice(b"false"),
        Int(number) => json::write_i64(*number, out),
        Float(number) => json::write_f64(*number, out),
        Text(text) => write_str(text, out),
        List(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_json(item, out, write_str);
            }
            out.push(b']');
        }
        Map(entries) => {
            out.push(b'{');
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_str(key, out);
                out.push(b':');
                write_json(value, out, write_str);
            }
            out.push(b'}');
        }
    }
}

fn write_msgpack(value: &Value, out: &mut Vec<u8>) {
    match value {
        Null => msgpack::write_nil(out),
        Bool(value) => msgpack::write_bool(*value, out),
        Int(number) => msgpack::write_i64(*number, out),
        Float(number) => msgpack::write_f64(*number, out),
        Text(text) => msgpack::write_str(text.as_bytes(), out).unwrap(),
        List(items) => {
            msgpack::write_array(items.len(), out).unwrap();
            for item in *items {
                write_msgpack(item, out);
            }
        }
        Map(entries) => {
            msgpack::write_map(entries.len(), out).unwrap();
            for (key, value) in *entries {
                msgpack::write_str(key.as_bytes(), out).unwrap();
                write_msgpack(value, out);
            }
        }
    }
}

/// Every value of a JSON text, as a decoder asks for them.
fn read_json(reader: &mut json_reader::Reader<'_>, unescaped: &mut String) {
    use json_reader::{Next, Text, Token};
    let text = |text: Text<'_>, unescaped: &mut String| match text {
        Text::Escaped(raw) => {
            unescaped.clear();
            json_reader::unescape(raw, unescaped).unwrap();
            black_box(&*unescaped);
        }
        other => {
            black_box(other);
        }
    };
    match reader.value().unwrap() {
        Token::Array => {
            let mut index = 0;
            while reader.item(index).unwrap() != Next::End {
                read_json(reader, unescaped);
                index += 1;
            }
        }
        Token::Object => {
            let mut index = 0;
            while let Next::One(key) = reader.key(index).unwrap() {
                text(key, unescaped);
                read_json(reader, unescaped);
                index += 1;
            }
        }
        Token::Str(found) => text(found, unescaped),
        other => {
            black_box(other);
        }
    }
}

/// Every value of a record, as a decoder asks for them.
fn read_msgpack(reader: &mut msgpack::Reader<'_>) {
    match reader.value().unwrap() {
        msgpack::Token::Array(items) => (0..items).for_each(|_| read_msgpack(reader)),
        msgpack::Token::Map(entries) => (0..2 * entries).for_each(|_| read_msgpack(reader)),
        other => {
            black_box(other);
        }
    }
}

/// The session with another value for one key, without another, and with one more.
fn changed_record() -> Vec<u8> {
    let Map(entries) = SESSION else {
        unreachable!("a session is a map");
    };
    let mut record = Vec::new();
    msgpack::write_map(entries.len(), &mut record).unwrap();
    for (key, value) in entries {
        if *key == "next" {
            continue;
        }
        msgpack::write_str(key.as_bytes(), &mut record).unwrap();
        write_msgpack(if *key == "cart" { &List(&[]) } else { value }, &mut record);
    }
    msgpack::write_str(b"flashes", &mut record).unwrap();
    write_msgpack(&Int(1), &mut record);
    record
}

/// A path with all that it needs, made before anything is counted.
type Path = Box<dyn FnMut()>;

/// Makes one.
type Make = fn() -> Path;

/// Every path under its name, made when it is asked for.
const PATHS: &[(&str, Make)] = &[
    ("cookie_find", cookie_find),
    ("mac_verify", mac_verify),
    ("open", open),
    ("unpack", unpack),
    ("mac_sign", mac_sign),
    ("seal", seal),
    ("set_cookie", set_cookie),
    ("permanent_in_header", permanent_in_header),
    ("permanent_in_json", permanent_in_json),
    ("json_write", json_write),
    ("json_plain_write", json_plain_write),
    ("json_read", json_read),
    ("msgpack_write", msgpack_write),
    ("msgpack_read", msgpack_read),
    ("record_permanence", record_permanence),
    ("record_difference", record_difference),
    ("json_record_difference", json_record_difference),
    ("record_apply", record_apply),
    ("sid_parse", sid_parse),
];

fn keyring() -> Keyring {
    Keyring::derive(
        Digest::Sha1,
        Derivation::Hmac,
        b"cookie-session",
        &["secret"],
    )
    .unwrap()
}

fn session_json() -> Vec<u8> {
    let mut text = Vec::new();
    write_json(&SESSION, &mut text, json::write_str);
    text
}

fn session_record() -> Vec<u8> {
    let mut record = Vec::new();
    write_msgpack(&SESSION, &mut record);
    record
}

fn session_token() -> Vec<u8> {
    let mut token = Vec::new();
    token::seal(&keyring(), &session_json(), NOW, NEVER_DEFLATED, &mut token);
    token
}

/// What a browser sends, the session last.
fn header() -> Vec<u8> {
    let mut header =
        b"_ga=GA1.1.1234567890.1700000000; theme=dark; consent=\"a b\"; session=".to_vec();
    header.extend_from_slice(&session_token());
    header
}

/// A token's signed part and its signature.
fn signed() -> (Vec<u8>, Vec<u8>) {
    let token = session_token();
    let dot = token.iter().rposition(|byte| *byte == b'.').unwrap();
    (token[..dot].to_vec(), token[dot + 1..].to_vec())
}

fn cookie_find() -> Path {
    let header = header();
    Box::new(move || {
        black_box(cookie::find(black_box(&header), b"session"));
    })
}

fn mac_verify() -> Path {
    let (keyring, (message, signature)) = (keyring(), signed());
    Box::new(move || assert!(keyring.verify(black_box(&message), &signature)))
}

/// The whole of it; count.py takes the MAC off it, which would hide everything else.
fn open() -> Path {
    let (keyring, token, mut json) = (keyring(), session_token(), Vec::new());
    Box::new(move || {
        token::open(
            &keyring,
            black_box(&token),
            NOW,
            MAX_AGE,
            INFLATE_CAP,
            &mut json,
        )
        .unwrap();
    })
}

fn unpack() -> Path {
    let (token, mut json) = (session_token(), Vec::new());
    Box::new(move || {
        let payload = token::payload_of(black_box(&token)).unwrap();
        payload::unpack(payload, INFLATE_CAP, &mut json).unwrap();
    })
}

fn mac_sign() -> Path {
    let (keyring, (message, _), mut out) = (keyring(), signed(), Vec::new());
    Box::new(move || {
        out.clear();
        keyring.sign(black_box(&message), &mut out);
    })
}

/// The whole of it, as with `open`.
fn seal() -> Path {
    let (keyring, json, mut out) = (keyring(), session_json(), Vec::new());
    Box::new(move || {
        out.clear();
        token::seal(&keyring, black_box(&json), NOW, NEVER_DEFLATED, &mut out);
    })
}

fn set_cookie() -> Path {
    let sample = "session=VALUE; Expires=DATE; HttpOnly; Path=/; SameSite=Lax";
    let template = Template::split(sample, "VALUE", Some("DATE")).unwrap();
    let (token, mut out) = (session_token(), Vec::new());
    Box::new(move || {
        out.clear();
        let date = cookie::http_date(black_box(1_702_678_400)).unwrap();
        template.open(&mut out);
        out.extend_from_slice(&token);
        template.close(Some(&date), &mut out);
    })
}

fn permanent_in_header() -> Path {
    let header = header();
    Box::new(move || {
        black_box(payload::may_mention_permanent(black_box(&header)));
    })
}

fn permanent_in_json() -> Path {
    let json = session_json();
    Box::new(move || {
        black_box(json::top_level_flag(black_box(&json), "_permanent"));
    })
}

fn json_write() -> Path {
    let mut out = Vec::new();
    Box::new(move || {
        out.clear();
        write_json(black_box(&SESSION), &mut out, json::write_str);
    })
}

fn json_plain_write() -> Path {
    let mut out = Vec::new();
    Box::new(move || {
        out.clear();
        write_json(black_box(&SESSION), &mut out, json_plain::write_str);
    })
}

fn json_read() -> Path {
    let (json, mut unescaped) = (session_json(), String::new());
    Box::new(move || {
        read_json(
            &mut json_reader::Reader::new(black_box(&json)),
            &mut unescaped,
        );
    })
}

fn msgpack_write() -> Path {
    let mut out = Vec::new();
    Box::new(move || {
        out.clear();
        write_msgpack(black_box(&SESSION), &mut out);
    })
}

fn msgpack_read() -> Path {
    let record = session_record();
    Box::new(move || read_msgpack(&mut msgpack::Reader::new(black_box(&record))))
}

fn record_permanence() -> Path {
    let record = session_record();
    Box::new(move || {
        black_box(record::permanence(black_box(&record)).unwrap());
    })
}

fn record_difference() -> Path {
    difference(session_record(), changed_record())
}

fn json_record_difference() -> Path {
    let base = session_json();
    let new = String::from_utf8(base.clone())
        .unwrap()
        .replace("4711", "4712");
    difference(base, new.into_bytes())
}

fn difference(base: Vec<u8>, new: Vec<u8>) -> Path {
    Box::new(move || {
        let base = Record::parse(black_box(&base)).unwrap();
        let new = Record::parse(black_box(&new)).unwrap();
        black_box(record::difference(&base, &new).unwrap().is_empty());
    })
}

/// With the difference, which it needs.
fn record_apply() -> Path {
    let (base, new) = (session_record(), changed_record());
    Box::new(move || {
        let parsed = Record::parse(black_box(&base)).unwrap();
        let new = Record::parse(black_box(&new)).unwrap();
        let changes = record::difference(&parsed, &new).unwrap();
        black_box(changes.apply(&base).unwrap());
    })
}

fn sid_parse() -> Path {
    let sid = Sid::from_entropy(&[0x5a; 32]).unwrap().as_str().to_owned();
    Box::new(move || {
        let sid = Sid::parse(black_box(sid.as_bytes())).unwrap();
        black_box(sid.store_key("session:"));
    })
}

/// What callgrind collects: it is told so by this name.
#[inline(never)]
fn counted(path: &mut dyn FnMut()) {
    for _ in 0..ROUNDS {
        path();
    }
}

/// What the code under valgrind sees of the processor, in so far as anything in the core asks for it.
fn features() -> String {
    let mut seen = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! ask {
            ($($feature:tt)*) => {
                $(if std::arch::is_x86_feature_detected!($feature) {
                    seen.push($feature);
                })*
            };
        }
        ask!("sse4.1" "sse4.2" "ssse3" "avx" "avx2" "avx512f" "bmi1" "bmi2" "popcnt" "lzcnt" "fma" "sha" "pclmulqdq");
        ask!("aes" "rdrand" "f16c" "movbe");
    }
    #[cfg(target_arch = "aarch64")]
    {
        macro_rules! ask {
            ($($feature:tt)*) => {
                $(if std::arch::is_aarch64_feature_detected!($feature) {
                    seen.push($feature);
                })*
            };
        }
        ask!("neon" "sha2" "sha3" "aes" "crc" "lse");
    }
    format!("{} {}", std::env::consts::ARCH, seen.join(" "))
}

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    match name.as_str() {
        "about" => println!("processor: {}\nrounds: {ROUNDS}", features()),
        "list" => PATHS.iter().for_each(|(name, _)| println!("{name}")),
        _ => {
            let (_, make) = PATHS.iter().find(|(known, _)| *known == name).unwrap();
            let mut path = make();
            (0..WARM_UP).for_each(|_| path());
            counted(&mut *path);
        }
    }
}
