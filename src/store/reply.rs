//! Where a reply ends, told before it is decoded: no byte of another one is taken for it, and no length is believed.

use redis::Value;

use super::RECORD_CAP;

/// The most bytes that a reply may have: the largest record, and what is around it.
pub(super) const REPLY_CAP: usize = RECORD_CAP + (1 << 16);

/// How deep a reply may be nested. The answer to HELLO, the deepest that is ever asked for, has three levels.
const DEPTH_CAP: usize = 8;

/// How many elements all the arrays of a reply may have together. The answer to HELLO has some dozens.
const ELEMENTS_CAP: usize = 4096;

/// The longest line: a status, an error or a number.
const LINE_CAP: usize = 16 << 10;

/// One pass over the bytes of a reply (RESP2 and RESP3), which goes on where it stopped as more of them arrive.
#[derive(Default)]
pub(super) struct Scan {
    /// Where the next element begins.
    at: usize,
    /// How many elements are missing in each open array, the outermost first.
    missing: [usize; DEPTH_CAP],
    depth: usize,
    elements: usize,
}

/// What a scan found.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Progress {
    /// The reply is there, and has this many bytes.
    Whole(usize),
    /// It has at least this many bytes, which are not all there yet.
    More(usize),
}

impl Scan {
    /// Scans what is there of a reply: all the bytes from its first one on.
    ///
    /// # Errors
    ///
    /// What is wrong with it: it is no RESP, a message that nobody asked for, or out of bounds.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<Progress, &'static str> {
        loop {
            let Some((line, next)) = line(&bytes[self.at..])? else {
                return Ok(Progress::More(bytes.len() + 1));
            };
            let next = self.at + next;
            let (kind, digits) = (line[0], &line[1..]);
            let inner = match kind {
                b'$' | b'!' | b'=' => {
                    if let Some(length) = count(digits, kind == b'$')? {
                        // No overflow: `count` ends at the cap.
                        let end = next + length + 2;
                        if end > REPLY_CAP {
                            return Err(TOO_LONG);
                        }
                        match bytes.get(end - 2..end) {
                            None => return Ok(Progress::More(end)),
                            Some(b"\r\n") => self.at = end,
                            Some(_) => return Err("a string that does not end where it should"),
                        }
                    } else {
                        self.at = next;
                    }
                    0
                }
                b'*' | b'~' | b'%' => {
                    self.at = next;
                    let pairs = count(digits, kind == b'*')?.unwrap_or(0);
                    if kind == b'%' { 2 * pairs } else { pairs }
                }
                _ => {
                    self.at = next;
                    0
                }
            };
            if inner > 0 {
                self.open(inner)?;
            } else if self.close() {
                return Ok(Progress::Whole(self.at));
            }
        }
    }

    /// An array of so many elements begins.
    fn open(&mut self, elements: usize) -> Result<(), &'static str> {
        self.elements += elements;
        if self.elements > ELEMENTS_CAP {
            return Err("a reply of too many elements");
        }
        *self
            .missing
            .get_mut(self.depth)
            .ok_or("a reply that is nested too deep")? = elements;
        self.depth += 1;
        Ok(())
    }

    /// An element has ended, and the arrays whose last one it is. Whether that was the reply.
    fn close(&mut self) -> bool {
        while let Some(outer) = self.depth.checked_sub(1) {
            self.missing[outer] -= 1;
            if self.missing[outer] > 0 {
                return false;
            }
            self.depth = outer;
        }
        true
    }
}

const TOO_LONG: &str = "a reply of more than 64 MiB";

/// The line at the beginning of these bytes, never empty, and where the next one begins. None while it is incomplete.
fn line(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, &'static str> {
    match bytes.first() {
        None => return Ok(None),
        Some(
            b'+' | b'-' | b':' | b'$' | b'*' | b'_' | b'#' | b',' | b'(' | b'!' | b'=' | b'%'
            | b'~',
        ) => {}
        // Nothing is ever subscribed to, nor tracked: who gets such a message has somebody else's connection.
        Some(b'>') => return Err("a push message, though nothing was subscribed to"),
        Some(b'|') => return Err("attributes, though none were asked for"),
        Some(_) => return Err("no RESP"),
    }
    let within = &bytes[..bytes.len().min(LINE_CAP)];
    match memchr::memchr(b'\n', within) {
        Some(end) if within[end - 1] == b'\r' => Ok(Some((&bytes[..end - 1], end + 1))),
        Some(_) => Err("a line that does not end as it should"),
        None if within.len() < LINE_CAP => Ok(None),
        None => Err("a line of more than 16 KiB"),
    }
}

/// A length in decimal digits; None for -1, where that may stand for nothing.
fn count(digits: &[u8], or_nil: bool) -> Result<Option<usize>, &'static str> {
    if or_nil && digits == b"-1" {
        return Ok(None);
    }
    if digits.is_empty() {
        return Err(NO_LENGTH);
    }
    let mut length = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(NO_LENGTH);
        }
        length = 10 * length + usize::from(digit - b'0');
        if length > REPLY_CAP {
            return Err(TOO_LONG);
        }
    }
    Ok(Some(length))
}

const NO_LENGTH: &str = "a length that is no number";

/// The value of a reply whose end [`Scan::advance`] found.
pub(super) fn decode(whole: &[u8]) -> Result<Value, &'static str> {
    // A record: copied once where the library, which knows no end in advance, copies twice (3 us in place of 7 for
    // 100 KB).
    if whole[0] == b'$'
        && let Some((line, next)) = line(whole)?
        && let Some(length) = count(&line[1..], true)?
        && let Some(string) = whole.get(next..next + length)
    {
        return Ok(Value::BulkString(string.to_vec()));
    }
    // What a save is answered. The library clears 8 KB for each reply that it decodes.
    if whole == b"+OK\r\n" {
        return Ok(Value::Okay);
    }
    if let Some(digits) = whole.strip_prefix(b":")
        && let Some(digits) = digits.strip_suffix(b"\r\n")
        && let Ok(digits) = std::str::from_utf8(digits)
        && let Ok(number) = digits.parse()
    {
        return Ok(Value::Int(number));
    }
    redis::parse_redis_value(whole).map_err(|_| "a reply that cannot be decoded")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn whole(bytes: &[u8]) -> Result<Progress, &'static str> {
        Scan::default().advance(bytes)
    }

    const REPLIES: [&[u8]; 20] = [
        b"+OK\r\n",
        b"-ERR no\r\n",
        b":-12\r\n",
        b"$-1\r\n",
        b"$0\r\n\r\n",
        b"$5\r\n\r\n$1\r\r\n",
        b"*-1\r\n",
        b"*0\r\n",
        b"*2\r\n*0\r\n$1\r\na\r\n",
        b"*3\r\n:1\r\n*2\r\n+a\r\n+b\r\n_\r\n",
        b"_\r\n",
        b"#t\r\n",
        b",1.5\r\n",
        b"(123456789012345678901234567890\r\n",
        b"!5\r\nERR x\r\n",
        b"=5\r\ntxt:a\r\n",
        b"%0\r\n",
        b"%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n%1\r\n+c\r\n+d\r\n",
        b"~2\r\n+a\r\n+b\r\n",
        b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
    ];

    #[test]
    fn ends_where_the_reply_ends_whatever_follows() {
        for reply in REPLIES {
            let length = reply.len();
            assert_eq!(
                whole(reply),
                Ok(Progress::Whole(length)),
                "{}",
                reply.escape_ascii()
            );
            for stray in [&b"+"[..], b"\r\n", b"$3\r\nabc\r\n", b"x", b"\0"] {
                let both = [reply, stray].concat();
                assert_eq!(
                    whole(&both),
                    Ok(Progress::Whole(length)),
                    "{}",
                    both.escape_ascii()
                );
            }
            let value = redis::parse_redis_value(reply).map_err(|_| "the library refuses it");
            assert_eq!(decode(reply), value, "{}", reply.escape_ascii());
        }
    }

    #[test]
    fn a_part_of_a_reply_is_no_reply_and_the_scan_goes_on_from_it() {
        for reply in REPLIES {
            let mut scan = Scan::default();
            for cut in 0..reply.len() {
                let Ok(Progress::More(least)) = scan.advance(&reply[..cut]) else {
                    panic!("{} is no whole reply", reply[..cut].escape_ascii());
                };
                assert!(
                    least > cut && least <= reply.len(),
                    "{cut} of {}",
                    reply.escape_ascii()
                );
            }
            assert_eq!(scan.advance(reply), Ok(Progress::Whole(reply.len())));
        }
    }

    #[test]
    fn what_is_no_reply_is_refused_as_soon_as_it_shows() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request"[..],
            b"\r\n",
            b"\0",
            b">2\r\n+invalidate\r\n_\r\n",
            b"|1\r\n+a\r\n+b\r\n+OK\r\n",
            b"+OK\n",
            b"$\r\n",
            b"$-2\r\n",
            b"$+1\r\n",
            b"$ 1\r\n",
            b"$1x\r\n",
            b"$67174401\r\n",
            b"$67174400\r\n",
            b"$99999999999999999999999999\r\n",
            b"$18446744073709551615\r\n",
            b"$1\r\nabc",
            b"*99999999999\r\n",
            b"*4097\r\n",
            b"%2049\r\n",
            b"%-1\r\n",
            b"~-1\r\n",
            b"!-1\r\n",
            b"=-1\r\n",
            b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
            b"*2\r\n:1\r\n>0\r\n",
        ] {
            assert!(whole(bytes).is_err(), "{}", bytes.escape_ascii());
        }
        assert!(whole(&[b'+'; LINE_CAP]).is_err());
        assert!(whole(&b"*1\r\n".repeat(100_000)).is_err());
        assert!(whole(&b"*4000\r\n".repeat(2)).is_err());
    }

    proptest! {
        /// What the scan calls a whole reply, the library decodes from exactly these bytes or refuses.
        #[test]
        fn any_bytes_have_an_answer(bytes in proptest::collection::vec(
            prop_oneof![
                proptest::sample::select(&b"+-:$*_#,(!=%~>|\r\n0123456789atfOK"[..]).prop_map(|b| vec![b]),
                Just(b"\r\n".to_vec()), Just(b"$2\r\n".to_vec()), Just(b"*2\r\n".to_vec()), any::<u8>().prop_map(|b| vec![b]),
            ], 0..40).prop_map(|parts| parts.concat())) {
            if let Ok(Progress::Whole(length)) = whole(&bytes) {
                prop_assert!(length <= bytes.len());
                let value = redis::parse_redis_value(&bytes[..length]).ok();
                prop_assert_eq!(decode(&bytes[..length]).ok(), value);
            }
        }
    }
}
