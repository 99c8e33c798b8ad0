//! Base64 in the URL-safe alphabet without padding (RFC 4648, section 5), strict.

use base64_simd::{Out, URL_SAFE_NO_PAD};

/// The characters, by the six bits that they stand for.
pub(crate) const ALPHABET: [u8; 64] =
    *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The length of the text for so many bytes.
pub(crate) const fn text_len(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

/// Appends the text for `bytes`.
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    URL_SAFE_NO_PAD.encode_append(bytes, out);
}

/// The same into a slice that has room for it.
pub(crate) fn encode_slice<'r>(bytes: &[u8], room: &'r mut [u8]) -> &'r [u8] {
    URL_SAFE_NO_PAD.encode(bytes, Out::from_slice(room))
}

/// Appends what `text` stands for. `None` for a length, a character or bits left over at the end that no encoder
/// writes; `out` then holds something to be thrown away.
pub(crate) fn decode(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    URL_SAFE_NO_PAD.decode_append(text, out).ok()
}

/// The same into a slice; `None` too if that has another length than the bytes.
pub(crate) fn decode_slice(text: &[u8], out: &mut [u8]) -> Option<()> {
    if URL_SAFE_NO_PAD.decoded_length(text).ok()? != out.len() {
        return None;
    }
    URL_SAFE_NO_PAD
        .decode(text, Out::from_slice(out))
        .ok()
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = b"kept".to_vec();
        decode(text, &mut bytes)?;
        Some(bytes.split_off(4))
    }

    #[test]
    fn the_vectors_of_rfc_4648_without_padding() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
            ("\u{ff}\u{fe}>?", "w7_Dvj4_"),
        ] {
            let mut encoded = b"kept".to_vec();
            encode(bytes.as_bytes(), &mut encoded);
            assert_eq!(&encoded[4..], text.as_bytes());
            assert_eq!(text.len(), text_len(bytes.len()));
            assert_eq!(decoded(text.as_bytes()).as_deref(), Some(bytes.as_bytes()));
        }
    }

    #[test]
    fn nothing_that_no_encoder_writes() {
        for text in [
            "Z", "Zg==", "Zg=", "Zm9vYg==", "Zh", "Zm9", "Zm 9v", "Zm9v\n", "Zm+v", "Zm/v",
            "Zm9v\0",
        ] {
            assert_eq!(decoded(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn a_slice_takes_exactly_its_length() {
        for length in 0..40 {
            let mut room = vec![0; length];
            let decoded = decode_slice(&[b'A'; 27], &mut room);
            assert_eq!(decoded.is_some(), length == 20, "{length}");
        }
        assert_eq!(decode_slice(&[b'A'; 1000], &mut [0; 64]), None);
    }
}
