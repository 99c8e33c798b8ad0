//! How far a text goes before a byte that JSON has a special form for.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x80 * ONES;

/// How many bytes at the front are neither quote nor backslash nor control character up to U+001F; nor, where asked for,
/// part of a character beyond ASCII (`NON_ASCII`) or DEL (`DEL`).
///
/// Called, never copied into its callers: a request finds next to nothing of this crate in the instruction cache, and each
/// copy of a function has to be fetched anew. So are the other functions that are not inlined and are called often.
#[inline(never)]
pub(crate) fn plain_len<const NON_ASCII: bool, const DEL: bool>(text: &[u8]) -> usize {
    let mut at = 0;
    // Most keys and many values end within the first word.
    if let Some(first) = text.first_chunk::<8>() {
        if let Some(place) = first_special::<NON_ASCII, DEL>(u64::from_le_bytes(*first)) {
            return place;
        }
        at = 8;
    }
    // Without an early way out, so that the compiler can test a stride at once.
    let (strides, _) = text[at..].as_chunks::<16>();
    let plain_strides = strides.iter().take_while(|stride| {
        !stride
            .iter()
            .fold(false, |hit, byte| hit | is_special::<NON_ASCII, DEL>(*byte))
    });
    at += plain_strides.count() * 16;
    let (words, rest) = text[at..].as_chunks::<8>();
    for word in words {
        if let Some(place) = first_special::<NON_ASCII, DEL>(u64::from_le_bytes(*word)) {
            return at + place;
        }
        at += 8;
    }
    if rest.is_empty() {
        return at;
    }
    // The last bytes together with some before them, which are known to be plain.
    if let Some(last) = text.last_chunk::<8>() {
        let place = first_special::<NON_ASCII, DEL>(u64::from_le_bytes(*last));
        return place.map_or(text.len(), |place| text.len() - 8 + place);
    }
    let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) else {
        let special = text
            .iter()
            .position(|byte| is_special::<NON_ASCII, DEL>(*byte));
        return special.unwrap_or(text.len());
    };
    // Of a hit in both, the first is found first.
    let word = u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32;
    match first_special::<NON_ASCII, DEL>(word) {
        Some(place @ ..4) => place,
        Some(place) => text.len() + place - 8,
        None => text.len(),
    }
}

fn is_special<const NON_ASCII: bool, const DEL: bool>(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\' || NON_ASCII && byte >= 0x80 || DEL && byte == 0x7f
}

/// The place of the first special byte in a word, counted from its lowest.
fn first_special<const NON_ASCII: bool, const DEL: bool>(word: u64) -> Option<usize> {
    // A byte below `limit` borrows from its own high bit. What a borrow does to the bytes above cannot matter, since
    // only the lowest hit is looked at.
    let below = |word: u64, limit: u64| word.wrapping_sub(limit * ONES) & !word;
    let is = |byte: u8| below(word ^ (u64::from(byte) * ONES), 1);
    let mut hit = is(b'"') | is(b'\\') | below(word, 0x20);
    if NON_ASCII {
        hit |= word;
    }
    if DEL {
        hit |= is(0x7f);
    }
    hit &= HIGH;
    (hit != 0).then_some(hit.trailing_zeros() as usize / 8)
}

#[cfg(test)]
mod tests {
    use super::{is_special, plain_len};

    fn slow<const NON_ASCII: bool, const DEL: bool>(text: &[u8]) -> usize {
        let special = |byte: &u8| is_special::<NON_ASCII, DEL>(*byte);
        text.iter().position(special).unwrap_or(text.len())
    }

    /// Every byte at every place of texts of every length up to three strides, and two specials in one text.
    #[test]
    fn as_byte_by_byte() {
        for length in 0..50_usize {
            for place in 0..length {
                for byte in 0..=255 {
                    let mut text = vec![b'x'; length];
                    text[place] = byte;
                    for second in [None, Some(place / 2), Some(length - 1)] {
                        if let Some(second) = second {
                            text[second] = b'"';
                        }
                        assert_eq!(plain_len::<true, true>(&text), slow::<true, true>(&text));
                        assert_eq!(plain_len::<true, false>(&text), slow::<true, false>(&text));
                        assert_eq!(
                            plain_len::<false, false>(&text),
                            slow::<false, false>(&text)
                        );
                    }
                }
            }
        }
    }
}
