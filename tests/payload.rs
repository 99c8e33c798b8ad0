//! Payloads come back as they went, and what is no payload is refused.
#![allow(clippy::unwrap_used)]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flask_session_rs::payload::{INFLATE_CAP, Packing, may_mention_permanent, pack, unpack};
use flask_session_rs::token::TokenError;
use proptest::prelude::*;

fn packed(json: &[u8], threshold: usize) -> Vec<u8> {
    let mut payload = Vec::new();
    pack(json, threshold, &mut payload);
    payload
}

fn unpacked(payload: &[u8], cap: usize) -> Result<(Packing, Vec<u8>), TokenError> {
    // What an earlier call left must not matter.
    let mut scratch = b"left over".to_vec();
    let packing = unpack(payload, cap, &mut scratch)?;
    Ok((packing, scratch))
}

#[test]
fn deflates_only_from_the_threshold_on() {
    let json = vec![b'a'; 100];
    assert_eq!(packed(&json, 0)[0], b'.');
    assert_eq!(packed(&json, 100)[0], b'.');
    assert_eq!(
        packed(&json, 101),
        URL_SAFE_NO_PAD.encode(&json).into_bytes()
    );
}

#[test]
fn deflates_only_where_it_pays() {
    let mut deflated = 0;
    for length in 0..64_usize {
        // Runs of one letter, and next to them a text with nothing to find in it.
        let run = vec![b'a'; length];
        let varied: Vec<u8> = (0..=u8::MAX).cycle().step_by(37).take(length).collect();
        // Half of each: some of these deflate to as many bytes as they have, or to one less.
        let mixed = [&varied[length / 2..], &run[length / 2..]].concat();
        for json in [run, varied, mixed] {
            let payload = packed(&json, 0);
            if let Some(text) = payload.strip_prefix(b".") {
                let stream = URL_SAFE_NO_PAD.decode(text).unwrap();
                assert!(stream.len() < json.len() - 1, "{length}");
                deflated += 1;
            }
            assert_eq!(unpacked(&payload, INFLATE_CAP).unwrap().1, json);
        }
    }
    assert!(deflated > 35, "{deflated}");
}

#[test]
fn deflates_exactly_where_itsdangerous_does() {
    // With Python's zlib, {"a":"aaaaaaaaaaaa"} is the first of its kind that deflates to less than its length minus one.
    let object = |length| format!("{{\"a\":\"{}\"}}", "a".repeat(length));
    let first = (0..64).find(|length| packed(object(*length).as_bytes(), 0).starts_with(b"."));
    assert_eq!(first, Some(12));
}

#[test]
fn inflates_up_to_the_cap_and_no_further() {
    for length in [1000, 70_000, INFLATE_CAP] {
        let json = vec![b'a'; length];
        let payload = packed(&json, 0);
        assert_eq!(unpacked(&payload, length), Ok((Packing::Deflated, json)));
        assert_eq!(unpacked(&payload, length - 1), Err(TokenError::TooLarge));
        assert_eq!(unpacked(&payload, 0), Err(TokenError::TooLarge));
    }
}

#[test]
fn memory_follows_what_is_really_there() {
    let json = vec![b'a'; 3000];
    let mut scratch = Vec::new();
    unpack(&packed(&json, 0), usize::MAX, &mut scratch).unwrap();
    assert!(
        scratch.capacity() < 4 * json.len(),
        "{}",
        scratch.capacity()
    );

    // A bomb of 64 MiB is given up as soon as it passes the cap.
    let bomb = packed(&vec![b'a'; 64 << 20], 0);
    let mut scratch = Vec::new();
    assert_eq!(
        unpack(&bomb, INFLATE_CAP, &mut scratch),
        Err(TokenError::TooLarge)
    );
    assert!(
        scratch.capacity() <= 4 * INFLATE_CAP,
        "{}",
        scratch.capacity()
    );
}

#[test]
fn no_stream_that_is_cut() {
    let payload = packed(&b"{\"spam\":\"spam spam spam spam\"}".repeat(9), 0);
    let stream = URL_SAFE_NO_PAD.decode(&payload[1..]).unwrap();
    let bad = |stream: &[u8]| {
        let payload = format!(".{}", URL_SAFE_NO_PAD.encode(stream));
        assert_eq!(
            unpacked(payload.as_bytes(), INFLATE_CAP),
            Err(TokenError::BadPayload)
        );
    };
    for length in 0..stream.len() {
        bad(&stream[..length]);
    }
    let mut changed = stream.clone();
    *changed.last_mut().unwrap() ^= 1;
    bad(&changed);
    // The state that failed is the state that works next.
    assert!(unpacked(&payload, INFLATE_CAP).is_ok());
}

proptest! {
    #[test]
    fn comes_back(json: Vec<u8>, copies in 1..50_usize, threshold in 0..4096_usize) {
        let json = json.repeat(copies);
        let payload = packed(&json, threshold);
        let packing = if payload.starts_with(b".") { Packing::Deflated } else { Packing::Plain };
        prop_assert_eq!(unpacked(&payload, INFLATE_CAP), Ok((packing, json)));
    }

    #[test]
    fn no_input_panics(bytes: Vec<u8>, base64 in r"\.?eJ[A-Za-z0-9_-]{0,200}", cap in 0..2048_usize) {
        let _ = unpacked(&bytes, cap);
        let _ = unpacked(base64.as_bytes(), cap);
        let mut behind_a_dot = b".".to_vec();
        behind_a_dot.extend(URL_SAFE_NO_PAD.encode(&bytes).into_bytes());
        let _ = unpacked(&behind_a_dot, cap);
    }
}

/// A payload may begin anywhere in a header, and the key anywhere in a payload.
#[test]
fn a_permanent_session_is_never_overlooked() {
    for before in 0..40 {
        for padding in 0..8 {
            for key in [
                "_permanent",
                "\\u005fpermanent",
                "_p\\u0065rmanent",
                "_permanen\\u0074",
            ] {
                let json = format!("{{\"{}\":1,\"{key}\":true}}", "x".repeat(padding));
                let mut header = "a".repeat(before).into_bytes();
                header.push(b'=');
                pack(json.as_bytes(), usize::MAX, &mut header);
                assert!(may_mention_permanent(&header), "{before} {padding} {key}");
            }
        }
        let mut header = "a".repeat(before).into_bytes();
        header.extend_from_slice(b"=.");
        assert!(may_mention_permanent(&header));
    }
}

#[test]
fn most_sessions_are_seen_not_to_be_permanent() {
    assert!(!may_mention_permanent(b""));
    assert!(!may_mention_permanent(b"a=b"));
    let mut overlooked = 0;
    for number in 0..1000 {
        let json = format!("{{\"csrf_token\":\"{number:040x}\",\"user_id\":{number}}}");
        let mut header = b"session=".to_vec();
        pack(json.as_bytes(), usize::MAX, &mut header);
        overlooked += u32::from(may_mention_permanent(&header));
    }
    assert_eq!(overlooked, 0);
}
