//! Base64 in the URL-safe alphabet without padding (RFC 4648, section 5), strict and small.
//!
//! A token is base64 in three places, each a few hundred bytes at most, in the middle of a request that has just pushed
//! everything else out of the processor's caches. There the 64 and 256 bytes of these two tables, and loops of a few
//! instructions, cost a third of a general engine's time.

pub(crate) const ALPHABET: [u8; 64] =
    *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What no character stands for: a bit that six bits do not reach.
const FOREIGN: u8 = 0x80;

/// The six bits of each character.
const VALUES: [u8; 256] = {
    let mut values = [FOREIGN; 256];
    let mut value = 0;
    while value < 64 {
        values[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// The length of the text for so many bytes.
pub(crate) const fn text_len(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

/// Appends the text for `bytes`.
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + text_len(bytes.len()), 0);
    let (groups, rest) = bytes.as_chunks::<3>();
    let (texts, rest_text) = out[start..].as_chunks_mut::<4>();
    for (text, group) in texts.iter_mut().zip(groups) {
        *text = characters([0, group[0], group[1], group[2]]);
    }
    let last = match *rest {
        [a] => characters([0, a, 0, 0]),
        [a, b] => characters([0, a, b, 0]),
        _ => return,
    };
    rest_text.copy_from_slice(&last[..rest_text.len()]);
}

fn characters(group: [u8; 4]) -> [u8; 4] {
    let bits = u32::from_be_bytes(group);
    [bits >> 18, bits >> 12, bits >> 6, bits].map(|bits| ALPHABET[(bits & 0x3f) as usize])
}

/// Appends what `text` stands for. `None` for a length, a character or bits left over at the end that no encoder
/// writes; `out` then holds something to be thrown away.
pub(crate) fn decode(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    out.resize(start + text.len() * 3 / 4, 0);
    decode_slice(text, &mut out[start..])
}

/// The same into a slice; `None` too if that has another length than the bytes.
pub(crate) fn decode_slice(text: &[u8], out: &mut [u8]) -> Option<()> {
    if out.len() != text.len() * 3 / 4 {
        return None;
    }
    let (groups, rest_text) = text.as_chunks::<4>();
    let (bytes, rest) = out.as_chunks_mut::<3>();
    // Looked at once, at the end.
    let mut seen = 0;
    for (bytes, group) in bytes.iter_mut().zip(groups) {
        let [a, b, c, d] = group.map(|character| VALUES[usize::from(character)]);
        seen |= a | b | c | d;
        *bytes = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
    }
    let left_over = match (rest_text, rest) {
        ([], []) => 0,
        ([a, b], [out]) => {
            let [a, b] = [a, b].map(|character| VALUES[usize::from(*character)]);
            seen |= a | b;
            *out = a << 2 | b >> 4;
            b << 4
        }
        ([a, b, c], [first, second]) => {
            let [a, b, c] = [a, b, c].map(|character| VALUES[usize::from(*character)]);
            seen |= a | b | c;
            *first = a << 2 | b >> 4;
            *second = b << 4 | c >> 2;
            c << 6
        }
        _ => return None,
    };
    (seen & FOREIGN == 0 && left_over == 0).then_some(())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    fn decoded(text: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = b"kept".to_vec();
        decode(text, &mut bytes)?;
        Some(bytes.split_off(4))
    }

    proptest! {
        #[test]
        fn encodes_as_the_library_does(bytes: Vec<u8>) {
            let mut text = b"kept".to_vec();
            encode(&bytes, &mut text);
            let expected = URL_SAFE_NO_PAD.encode(&bytes);
            prop_assert_eq!(&text[4..], expected.as_bytes());
            prop_assert_eq!(text.len() - 4, text_len(bytes.len()));
            prop_assert_eq!(decoded(&text[4..]), Some(bytes));
        }

        #[test]
        fn decodes_as_the_library_does(text in "[A-Za-z0-9_=+/.-]{0,24}") {
            prop_assert_eq!(decoded(text.as_bytes()), URL_SAFE_NO_PAD.decode(&text).ok());
        }

        #[test]
        fn decodes_any_bytes_as_the_library_does(text: Vec<u8>) {
            prop_assert_eq!(decoded(&text), URL_SAFE_NO_PAD.decode(&text).ok());
        }
    }

    #[test]
    fn a_slice_of_another_length_is_refused() {
        for length in 0..40 {
            let mut room = vec![0; length];
            let decoded = decode_slice(&[b'A'; 27], &mut room);
            assert_eq!(decoded.is_some(), length == 20, "{length}");
        }
    }

    #[test]
    fn every_text_of_up_to_three_bytes_of_the_alphabet_and_around_it() {
        let characters = [ALPHABET.as_slice(), b"=+/.\0\xff"].concat();
        for a in &characters {
            assert_eq!(decoded(&[*a]), None);
            for b in &characters {
                let text = [*a, *b];
                assert_eq!(decoded(&text), URL_SAFE_NO_PAD.decode(text).ok());
                for c in &characters {
                    let text = [*a, *b, *c];
                    assert_eq!(decoded(&text), URL_SAFE_NO_PAD.decode(text).ok());
                }
            }
        }
    }
}
