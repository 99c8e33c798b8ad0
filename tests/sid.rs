//! Session ids: drawn as `secrets.token_urlsafe` writes them, signed as itsdangerous does, and nothing else let through.

#![allow(clippy::unwrap_used)]

use flask_session_rs::sid::{Sid, signing_keys};
use proptest::prelude::*;

const DRAWN: &str = "abcdefghijklmnopqrstuvwxyz012345-_ABCDEFGHI";
/// `itsdangerous.Signer("a key", salt="flask-session", key_derivation="hmac").sign(DRAWN)`
const SIGNED: &str = "abcdefghijklmnopqrstuvwxyz012345-_ABCDEFGHI.bDyP_Lg5e5HwSzPY7VVFXyb200U";
/// The same with the key `b"\xff\x00k"`.
const OTHER: &str = "abcdefghijklmnopqrstuvwxyz012345-_ABCDEFGHI.HBTckulLyyCYQuNKZjwzhQlJ7mc";

const KEY: &[u8] = b"a key";
const OTHER_KEY: &[u8] = b"\xff\x00k";

#[test]
fn drawn_as_python_does() {
    // secrets.token_urlsafe is base64.urlsafe_b64encode(...).rstrip(b"=")
    let sid = Sid::from_entropy(&[0xfb; 32]).unwrap();
    assert_eq!(sid.as_str(), "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s");
    assert_eq!(
        Sid::from_entropy(&[0; 16]).unwrap().as_str(),
        "A".repeat(22)
    );
    for length in 0..300 {
        let sid = Sid::from_entropy(&vec![7; length]);
        assert_eq!(sid.is_some(), (12..=192).contains(&length), "{length}");
    }
}

#[test]
fn shapes() {
    for (text, is_one) in [
        (DRAWN.to_owned(), true),
        ("0b7d9f0e-2f4f-4a8e-9d5c-0f5c0a6b1a2d".to_owned(), true),
        ("a".repeat(15), false),
        ("a".repeat(16), true),
        ("a".repeat(256), true),
        ("a".repeat(257), false),
        ("a".repeat(100_000), false),
        (String::new(), false),
    ] {
        assert_eq!(Sid::parse(text.as_bytes()).is_some(), is_one, "{text}");
    }
    for byte in 0..=255_u8 {
        let mut text = DRAWN.as_bytes().to_vec();
        text[20] = byte;
        let allowed = byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        assert_eq!(Sid::parse(&text).is_some(), allowed, "{byte}");
    }
}

#[test]
fn signed_as_itsdangerous_does() {
    let sid = Sid::parse(DRAWN.as_bytes()).unwrap();
    let (old, new) = (
        signing_keys(&[KEY]).unwrap(),
        signing_keys(&[KEY, OTHER_KEY]).unwrap(),
    );
    assert_eq!(sid.signed(&old), SIGNED);
    // The newest signs, all of them verify.
    assert_eq!(sid.signed(&new), OTHER);
    assert_eq!(
        Sid::parse_signed(SIGNED.as_bytes(), &new).as_ref(),
        Some(&sid)
    );
    assert_eq!(
        Sid::parse_signed(OTHER.as_bytes(), &new).as_ref(),
        Some(&sid)
    );
    assert_eq!(Sid::parse_signed(OTHER.as_bytes(), &old), None);
    assert!(signing_keys::<&[u8]>(&[]).is_none());
}

#[test]
fn nothing_else_is_a_signed_id() {
    let keys = signing_keys(&[KEY]).unwrap();
    for text in [
        "",
        ".",
        DRAWN,
        "abcdefghijklmnopqrstuvwxyz.",
        ".bDyP_Lg5e5HwSzPY7VVFXyb200U",
    ] {
        assert_eq!(Sid::parse_signed(text.as_bytes(), &keys), None, "{text}");
    }
    for at in 0..SIGNED.len() {
        for bit in 0..8 {
            let mut text = SIGNED.as_bytes().to_vec();
            text[at] ^= 1 << bit;
            assert_eq!(Sid::parse_signed(&text, &keys), None, "{at} {bit}");
        }
        assert_eq!(
            Sid::parse_signed(&SIGNED.as_bytes()[..at], &keys),
            None,
            "{at}"
        );
    }
    // Signed, and yet no id: what was signed for another purpose, with dots of its own.
    let mut text = b"a.b.c.d.e.f.g.h.i.j.k".to_vec();
    let mut signature = Vec::new();
    keys.sign(&text, &mut signature);
    text.push(b'.');
    text.extend_from_slice(&signature);
    assert_eq!(Sid::parse_signed(&text, &keys), None);
}

#[test]
fn debug_shows_nothing() {
    let sid = Sid::parse(DRAWN.as_bytes()).unwrap();
    assert_eq!(format!("{sid:?}"), "Sid { .. }");
    assert_eq!(
        sid.store_key("session:"),
        format!("session:{DRAWN}").into_bytes()
    );
}

proptest! {
    #[test]
    fn any_bytes(text: Vec<u8>) {
        let keys = signing_keys(&[KEY]).unwrap();
        prop_assert_eq!(Sid::parse_signed(&text, &keys), None);
        if let Some(sid) = Sid::parse(&text) {
            prop_assert_eq!(sid.as_str().as_bytes(), &text[..]);
        }
    }

    #[test]
    fn drawn_ids_are_ids(bytes in prop::collection::vec(any::<u8>(), 12..=192)) {
        let keys = signing_keys(&[KEY]).unwrap();
        let sid = Sid::from_entropy(&bytes).unwrap();
        prop_assert_eq!(Sid::parse(sid.as_str().as_bytes()), Some(sid.clone()));
        prop_assert_eq!(Sid::parse_signed(sid.signed(&keys).as_bytes(), &keys), Some(sid));
    }
}
