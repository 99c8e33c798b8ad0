//! Any token: nothing is believed that no key signed, and what is sealed is opened.

use flask_session_rs::json::{Flag, top_level_flag};
use flask_session_rs::keyring::{Derivation, Digest, Keyring};
use flask_session_rs::payload::{INFLATE_CAP, may_mention_permanent};
use flask_session_rs::token::{TokenError, open, payload_of, reseal, seal, verify};

const NOW: u64 = 1_700_000_000;
const MAX_AGE: i64 = 1000;

const DIGESTS: [Digest; 3] = [Digest::Sha1, Digest::Sha256, Digest::Sha512];
const DERIVATIONS: [Derivation; 4] = [
    Derivation::Hmac,
    Derivation::Concat,
    Derivation::DjangoConcat,
    Derivation::None,
];

/// The first byte chooses digest and derivation. The rest is a token, then a payload, then JSON text.
pub fn check(data: &[u8]) {
    let (choice, data) = crate::choice(data);
    let keyring = |secrets: &[&str]| {
        Keyring::derive(
            DIGESTS[choice % 3],
            DERIVATIONS[choice / 3 % 4],
            b"cookie-session",
            secrets,
        )
    };
    let (Some(keyring), Some(strange)) = (keyring(&["older", "a key"]), keyring(&["a stranger"]))
    else {
        unreachable!("there are secrets");
    };
    as_token(&keyring, data);
    as_signed(&keyring, data);
    // Of a token, what was signed.
    if let Some(dot) = data.iter().rposition(|byte| *byte == b'.') {
        as_signed(&keyring, &data[..dot]);
    }
    as_payload(&keyring, &strange, data);
    as_json(&keyring, data);
}

fn as_token(keyring: &Keyring, token: &[u8]) {
    let mut json = Vec::new();
    let opened = open(keyring, token, NOW, MAX_AGE, INFLATE_CAP, &mut json);
    if let Ok(payload) = verify(keyring, token, NOW, MAX_AGE) {
        assert_eq!(payload_of(token), Some(payload));
        // The signature is over every byte: with any other first one there is none.
        let mut forged = token.to_vec();
        forged[0] ^= 1;
        assert!(verify(keyring, &forged, NOW, MAX_AGE).is_err());
    } else {
        assert!(opened.is_err());
    }
    assert!(json.len() <= INFLATE_CAP.max(token.len()));
}

/// Any bytes under a good signature: what a key signed for another purpose is no token without payload and time.
fn as_signed(keyring: &Keyring, signed: &[u8]) {
    let mut token = [signed, b"."].concat();
    keyring.sign(signed, &mut token);
    for now in [NOW, 0, u64::MAX] {
        match verify(keyring, &token, now, MAX_AGE) {
            Err(TokenError::Malformed | TokenError::Expired) => {}
            Err(error) => panic!("{error:?}"),
            Ok(payload) => {
                assert_eq!(signed.get(..payload.len()), Some(payload));
                assert_eq!(payload_of(&token), Some(payload));
                // Sealed again at that time, it is the same but for leading zeros of the time.
                let mut again = Vec::new();
                reseal(keyring, payload, now, &mut again);
                assert_eq!(verify(keyring, &again, now, 0), Ok(payload));
                assert!(verify(keyring, &token, now, -1).is_err());
            }
        }
    }
}

fn as_payload(keyring: &Keyring, strange: &Keyring, payload: &[u8]) {
    let mut token = Vec::new();
    reseal(keyring, payload, NOW, &mut token);
    assert_eq!(verify(keyring, &token, NOW, MAX_AGE), Ok(payload));
    assert_eq!(verify(keyring, &token, NOW + 1000, MAX_AGE), Ok(payload));
    for now in [NOW - 1, NOW + 1001] {
        let expired = verify(keyring, &token, now, MAX_AGE);
        assert_eq!(expired, Err(TokenError::Expired));
    }
    let stranger = verify(strange, &token, NOW, MAX_AGE);
    assert_eq!(stranger, Err(TokenError::BadSignature));

    let mut json = Vec::new();
    if open(keyring, &token, NOW, MAX_AGE, INFLATE_CAP, &mut json).is_ok() {
        assert!(json.len() <= INFLATE_CAP.max(payload.len()));
        as_json(keyring, &json);
    }

    // A bit of each part, turned.
    let bit = payload.len() % 8;
    for at in [0, payload.len(), payload.len() + 1, token.len() - 1] {
        let mut forged = token.clone();
        forged[at] ^= 1 << bit;
        assert!(verify(keyring, &forged, NOW, MAX_AGE).is_err());
    }
}

fn as_json(keyring: &Keyring, json: &[u8]) {
    for threshold in [0, usize::MAX] {
        let mut token = Vec::new();
        seal(keyring, json, NOW, threshold, &mut token);
        let mut opened = Vec::new();
        let packing = open(keyring, &token, NOW, 0, INFLATE_CAP, &mut opened);
        if json.len() <= INFLATE_CAP {
            assert!(packing.is_ok());
            assert_eq!(opened, json);
        }
        // A session that may be permanent is never passed over.
        if top_level_flag(json, "_permanent") != Flag::Absent {
            let header = [b"session=", &token[..]].concat();
            assert!(may_mention_permanent(&header));
        }
    }
}
