//! Keys and signatures are those of the RFCs and of itsdangerous.
#![allow(clippy::unwrap_used)]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flask_session_rs::keyring::{Derivation, Digest, Keyring};
use proptest::prelude::*;

const DIGESTS: [Digest; 3] = [Digest::Sha1, Digest::Sha256, Digest::Sha512];

fn plain(digest: Digest, key: &[u8]) -> Keyring {
    Keyring::derive(digest, Derivation::None, b"", &[key]).unwrap()
}

fn signature(keyring: &Keyring, message: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    keyring.sign(message, &mut text);
    text
}

fn hmac_hex(digest: Digest, key: &[u8], message: &[u8]) -> String {
    let mac = URL_SAFE_NO_PAD
        .decode(signature(&plain(digest, key), message))
        .unwrap();
    mac.iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// The key of the fourth test case of both: 1, 2, 3 and so on.
const COUNTING: &[u8] = b"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19";

/// RFC 2202, section 3.
#[test]
fn rfc_2202() {
    let cases: [(&[u8], &[u8], &str); 7] = [
        (
            &[0x0b; 20],
            b"Hi There",
            "b617318655057264e28bc0b6fb378c8ef146be00",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
        ),
        (
            &[0xaa; 20],
            &[0xdd; 50],
            "125d7342b9ac11cd91a39af48aa17b4f63f175d3",
        ),
        (
            COUNTING,
            &[0xcd; 50],
            "4c9007f4026250c6bc8414f9bf50c86c2d7235da",
        ),
        (
            &[0x0c; 20],
            b"Test With Truncation",
            "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04",
        ),
        (
            &[0xaa; 80],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "aa4ae5e15272d00e95705637ce8a3b55ed402112",
        ),
        (
            &[0xaa; 80],
            b"Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data",
            "e8e99d0f45237d786d6bbaa7965c7808bbff1a91",
        ),
    ];
    for (key, data, mac) in cases {
        assert_eq!(hmac_hex(Digest::Sha1, key, data), mac);
    }
}

/// RFC 4231, section 4, but for the truncated case.
#[test]
fn rfc_4231() {
    let cases: [(&[u8], &[u8], &str, &str); 6] = [
        (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"),
        (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"),
        (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe", "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb"),
        (COUNTING, &[0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b", "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3dba91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd"),
        (&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First", "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"),
        (&[0xaa; 131], b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.", "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2", "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58"),
    ];
    for (key, data, sha256, sha512) in cases {
        assert_eq!(hmac_hex(Digest::Sha256, key, data), sha256);
        assert_eq!(hmac_hex(Digest::Sha512, key, data), sha512);
    }
}

#[test]
fn no_secret_no_keyring() {
    let none: [&str; 0] = [];
    assert!(Keyring::derive(Digest::Sha1, Derivation::Hmac, b"salt", &none).is_none());
}

#[test]
fn every_key_verifies_and_the_newest_signs() {
    for digest in DIGESTS {
        let derive =
            |secrets: &[&str]| Keyring::derive(digest, Derivation::Hmac, b"salt", secrets).unwrap();
        let all = derive(&["oldest", "middle", "newest"]);
        for secret in ["oldest", "middle", "newest"] {
            assert!(all.verify(b"message", &signature(&derive(&[secret]), b"message")));
        }
        let newest = derive(&["newest"]);
        assert_eq!(signature(&all, b"message"), signature(&newest, b"message"));
        assert!(!all.verify(b"message", &signature(&derive(&["other"]), b"message")));
        assert!(!newest.verify(b"message", &signature(&derive(&["oldest"]), b"message")));
    }
}

#[test]
fn debug_tells_nothing_but_the_number_of_keys() {
    let keyring = Keyring::derive(Digest::Sha1, Derivation::None, b"salt", &["hush", "hush"]);
    assert_eq!(format!("{:?}", keyring.unwrap()), "Keyring { keys: 2 }");
}

proptest! {
    #[test]
    fn signs_and_verifies(key: Vec<u8>, message: Vec<u8>, bit: usize, noise: Vec<u8>) {
        for digest in DIGESTS {
            let keyring = plain(digest, &key);
            let text = signature(&keyring, &message);
            prop_assert_eq!(text.len(), keyring.signature_len());
            prop_assert!(keyring.verify(&message, &text));
            prop_assert!(!keyring.verify(&message, &noise));
            prop_assert!(!keyring.verify(&message, &text[1..]));

            let mut tampered = text.clone();
            tampered[bit / 8 % text.len()] ^= 1 << (bit % 8);
            prop_assert!(!keyring.verify(&message, &tampered));
        }
    }
}
