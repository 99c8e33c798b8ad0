//! Commands as they are sent: RESP's arrays of bulk strings, one after the other.

use zeroize::Zeroize as _;

/// What a word takes besides its bytes: `$`, the digits of a length, two line ends. More of them make the buffer grow.
const FRAME: usize = 16;

/// Commands that leave in one go, each of which gets one reply.
///
/// Packed here, where the client library copies each word twice into buffers that grow: the words are copied once, into
/// a buffer that has their size from the start. With the decoding of short replies it is a microsecond of a save.
pub(super) struct Commands {
    bytes: Vec<u8>,
    count: usize,
}

impl Commands {
    /// One command: its name and its arguments.
    pub(super) fn new(words: &[&[u8]]) -> Self {
        let none = Self {
            bytes: Vec::new(),
            count: 0,
        };
        none.and(words)
    }

    /// The same commands, and this one after them.
    pub(super) fn and(mut self, words: &[&[u8]]) -> Self {
        let size = words.iter().map(|word| word.len() + FRAME).sum::<usize>();
        self.bytes.reserve(FRAME + size);
        self.append_length(b'*', words.len());
        for word in words {
            self.append_length(b'$', word.len());
            self.bytes.extend_from_slice(word);
            self.bytes.extend_from_slice(b"\r\n");
        }
        self.count += 1;
        self
    }

    #[inline]
    fn append_length(&mut self, mark: u8, length: usize) {
        let digit = |place: usize| b"0123456789"[length / place % 10];
        // Nearly all of them: a word is a command's name, a key, a number or a record.
        match length {
            ..10 => self
                .bytes
                .extend_from_slice(&[mark, digit(1), b'\r', b'\n']),
            10..100 => self
                .bytes
                .extend_from_slice(&[mark, digit(10), digit(1), b'\r', b'\n']),
            100..1000 => {
                let head = [mark, digit(100), digit(10), digit(1), b'\r', b'\n'];
                self.bytes.extend_from_slice(&head);
            }
            _ => {
                self.bytes.push(mark);
                let mut digits = itoa::Buffer::new();
                self.bytes
                    .extend_from_slice(digits.format(length).as_bytes());
                self.bytes.extend_from_slice(b"\r\n");
            }
        }
    }

    /// What is sent.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many replies there will be.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Overwrites the words: a password may be among them.
    pub(super) fn forget(mut self) {
        self.bytes.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Of any number of digits that a length has, up to four.
    fn word() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            8 => prop::collection::vec(any::<u8>(), 0..300),
            1 => (990..1100_usize).prop_map(|length| vec![b'x'; length]),
        ]
    }

    proptest! {
        /// As the client library packs them.
        #[test]
        fn commands_are_packed_as_by_redis(
            lists in prop::collection::vec(prop::collection::vec(word(), 1..12), 1..4)
        ) {
            let mut expected = Vec::new();
            let mut packed = Commands { bytes: Vec::new(), count: 0 };
            for words in &lists {
                let mut command = redis::Cmd::new();
                for word in words {
                    command.arg(word.as_slice());
                }
                command.write_packed_command(&mut expected);
                packed = packed.and(&words.iter().map(Vec::as_slice).collect::<Vec<_>>());
            }
            prop_assert_eq!(packed.bytes(), expected);
            prop_assert_eq!(packed.count(), lists.len());
        }
    }
}
