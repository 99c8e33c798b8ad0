//! Tokens are those of itsdangerous, and only those are opened.
#![allow(clippy::unwrap_used)]

mod common;

use common::{text, unhex, vectors};
use flask_session_rs::keyring::{Derivation, Digest, Keyring};
use flask_session_rs::payload::{INFLATE_CAP, Packing};
use flask_session_rs::token::{TokenError, open, payload_of, reseal, seal, verify};
use proptest::prelude::*;
use serde_json::Value;

/// A threshold that no text reaches.
const NEVER: usize = usize::MAX;
const NOW: u64 = 1_700_000_000;

fn flask(secrets: &[&str]) -> Keyring {
    Keyring::derive(Digest::Sha1, Derivation::Hmac, b"cookie-session", secrets).unwrap()
}

fn sealed(keyring: &Keyring, json: &[u8], now: u64, threshold: usize) -> Vec<u8> {
    let mut token = Vec::new();
    seal(keyring, json, now, threshold, &mut token);
    token
}

fn opened(keyring: &Keyring, token: &[u8], now: u64, max_age: i64) -> Result<Vec<u8>, TokenError> {
    let mut json = Vec::new();
    open(keyring, token, now, max_age, INFLATE_CAP, &mut json)?;
    Ok(json)
}

fn keyring_of(row: &Value, salt: &Value) -> Keyring {
    let digest = match text(&row["digest"]) {
        "sha1" => Digest::Sha1,
        "sha256" => Digest::Sha256,
        "sha512" => Digest::Sha512,
        other => panic!("{other}"),
    };
    let derivation = match text(&row["derivation"]) {
        "concat" => Derivation::Concat,
        "django-concat" => Derivation::DjangoConcat,
        "hmac" => Derivation::Hmac,
        "none" => Derivation::None,
        other => panic!("{other}"),
    };
    let secrets: Vec<_> = row["secrets"]
        .as_array()
        .unwrap()
        .iter()
        .map(unhex)
        .collect();
    Keyring::derive(digest, derivation, text(salt).as_bytes(), &secrets).unwrap()
}

#[test]
fn seals_and_opens_as_itsdangerous() {
    let vectors = vectors("tokens");
    for row in vectors["tokens"].as_array().unwrap() {
        let name = text(&row["name"]);
        let keyring = keyring_of(row, &vectors["salt"]);
        let (json, token) = (
            text(&row["json"]).as_bytes(),
            text(&row["token"]).as_bytes(),
        );
        let now = row["now"].as_u64().unwrap();

        assert_eq!(opened(&keyring, token, now, 0).unwrap(), json, "{name}");
        let ours = sealed(&keyring, json, now, 0);
        if row["compressed"] == true {
            // Another zlib, other bytes.
            assert_eq!(opened(&keyring, &ours, now, 0).unwrap(), json, "{name}");
            assert_eq!(ours[0], b'.', "{name}");
        } else {
            assert_eq!(ours, token, "{name}");
        }
        let mut resealed = Vec::new();
        reseal(&keyring, payload_of(token).unwrap(), now, &mut resealed);
        assert_eq!(resealed, token, "{name}");
    }
}

#[test]
fn accepts_what_the_table_says() {
    let table = vectors("leniency");
    let keyring = Keyring::derive(
        Digest::Sha1,
        Derivation::Hmac,
        text(&table["salt"]).as_bytes(),
        &[unhex(&table["secret"])],
    )
    .unwrap();
    let (now, max_age) = (
        table["now"].as_u64().unwrap(),
        table["max_age"].as_i64().unwrap(),
    );
    for row in table["rows"].as_array().unwrap() {
        let name = text(&row["name"]);
        let json = opened(&keyring, &unhex(&row["token"]), now, max_age).ok();
        assert_eq!(json.is_some(), row["accepted"] == true, "{name}");
        if let Some(json) = json {
            // A subset of what itsdangerous accepts, with the same result.
            assert_eq!(
                String::from_utf8(json).unwrap(),
                text(&row["itsdangerous"]),
                "{name}"
            );
        }
    }
}

#[test]
fn an_age_is_from_zero_to_max_age() {
    let keyring = flask(&["dev"]);
    let at = |issued: u64, now: u64, max_age: i64| {
        verify(
            &keyring,
            &sealed(&keyring, b"{}", issued, NEVER),
            now,
            max_age,
        )
        .err()
    };
    for (issued, now, max_age, error) in [
        (NOW, NOW, 0, None),
        (NOW, NOW + 1, 0, Some(TokenError::Expired)),
        (NOW, NOW + 60, 60, None),
        (NOW, NOW + 61, 60, Some(TokenError::Expired)),
        (NOW + 1, NOW, 60, Some(TokenError::Expired)),
        (NOW, NOW, -1, Some(TokenError::Expired)),
        (0, u64::MAX, i64::MAX, Some(TokenError::Expired)),
        (0, i64::MAX as u64, i64::MAX, None),
        (u64::MAX, 0, i64::MAX, Some(TokenError::Expired)),
        (u64::MAX, u64::MAX, i64::MIN, Some(TokenError::Expired)),
    ] {
        assert_eq!(at(issued, now, max_age), error, "{issued} {now} {max_age}");
    }
}

#[test]
fn tells_why_a_token_is_refused() {
    let keyring = flask(&["dev"]);
    let sealed_text = |payload: &[u8]| {
        let mut token = Vec::new();
        reseal(&keyring, payload, NOW, &mut token);
        token
    };
    let bomb = sealed(&keyring, &vec![b'a'; INFLATE_CAP + 1], NOW, 0);
    for (token, error) in [
        (b"".to_vec(), TokenError::Malformed),
        (b"e30.ZVPxAA".to_vec(), TokenError::Malformed),
        (b"e30.ZVPxAA.AAAA".to_vec(), TokenError::BadSignature),
        (
            sealed(&flask(&["other"]), b"{}", NOW, NEVER),
            TokenError::BadSignature,
        ),
        (sealed(&keyring, b"{}", NOW - 2, NEVER), TokenError::Expired),
        (sealed_text(b"!"), TokenError::BadPayload),
        (sealed_text(b"."), TokenError::BadPayload),
        (bomb, TokenError::TooLarge),
    ] {
        assert_eq!(opened(&keyring, &token, NOW, 1), Err(error));
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn payload_of_takes_the_dot_along() {
    assert_eq!(payload_of(b".eJw.time.signature"), Some(&b".eJw"[..]));
    assert_eq!(payload_of(b"e30.time.signature"), Some(&b"e30"[..]));
    assert_eq!(payload_of(b"..signature"), Some(&b""[..]));
    assert_eq!(payload_of(b"time.signature"), None);
    assert_eq!(payload_of(b""), None);
}

#[test]
fn appends_to_what_is_there() {
    let keyring = flask(&["dev"]);
    let token = sealed(&keyring, b"{}", NOW, NEVER);
    let mut out = b"session=".to_vec();
    seal(&keyring, b"{}", NOW, NEVER, &mut out);
    assert_eq!(out, [b"session=", &token[..]].concat());
    let mut out = b"session=".to_vec();
    reseal(&keyring, b"e30", NOW, &mut out);
    assert_eq!(out, [b"session=", &token[..]].concat());
}

#[test]
fn no_byte_of_a_token_can_be_another() {
    let keyring = flask(&["oldest", "newest"]);
    for threshold in [NEVER, 0] {
        let token = sealed(&keyring, &b"{\"user\":7}".repeat(9), NOW, threshold);
        for at in 0..token.len() {
            for other in 0..=u8::MAX {
                if other == token[at] {
                    continue;
                }
                let mut tampered = token.clone();
                tampered[at] = other;
                assert!(verify(&keyring, &tampered, NOW, 0).is_err(), "{at} {other}");
            }
            assert!(verify(&keyring, &token[..at], NOW, 0).is_err());
            assert!(verify(&keyring, &token[at + 1..], NOW, 0).is_err());
        }
    }
}

proptest! {
    #[test]
    fn what_was_sealed_opens(
        json: Vec<u8>,
        secrets in prop::collection::vec(".*", 1..4),
        issued: u64,
        age in 0..1_000_000_u64,
        threshold in 0..512_usize,
    ) {
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let keyring = flask(&secrets);
        let issued = issued.min(u64::MAX - age);
        let token = sealed(&keyring, &json, issued, threshold);
        let mut scratch = b"left over".to_vec();
        let packing = open(&keyring, &token, issued + age, 1_000_000, INFLATE_CAP, &mut scratch)
            .map(|opened| opened.packing);
        let dot = payload_of(&token).unwrap().starts_with(b".");
        prop_assert_eq!(packing, Ok(if dot { Packing::Deflated } else { Packing::Plain }));
        prop_assert_eq!(&scratch, &json);

        let payload = verify(&keyring, &token, issued + age, 1_000_000).unwrap();
        prop_assert_eq!(Some(payload), payload_of(&token));
        let mut again = Vec::new();
        reseal(&keyring, payload, issued + age, &mut again);
        prop_assert_eq!(opened(&keyring, &again, issued + age, 0), Ok(json));
    }

    #[test]
    fn no_input_panics(
        bytes: Vec<u8>,
        dotted in r"[A-Za-z0-9_=.-]{0,80}",
        now: u64,
        max_age: i64,
    ) {
        let keyring = flask(&["dev"]);
        for token in [&bytes[..], dotted.as_bytes()] {
            let _ = opened(&keyring, token, now, max_age);
            let _ = payload_of(token);
            // With a right signature the rest is looked at too.
            let mut signed = token.to_vec();
            signed.push(b'.');
            keyring.sign(token, &mut signed);
            let _ = opened(&keyring, &signed, now, max_age);
            let mut resealed = Vec::new();
            reseal(&keyring, token, now, &mut resealed);
            let _ = opened(&keyring, &resealed, now, max_age);
        }
    }
}
