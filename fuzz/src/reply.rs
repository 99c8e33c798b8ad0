//! Any bytes of a server, cut anywhere: a reply ends in one place, however its bytes arrive.

#[path = "../../src/store/reply.rs"]
#[allow(clippy::pedantic)] // judged with the crate
mod scan;

use scan::{Progress, Scan};

/// The crate's, which is not public: bytes of the largest record.
const RECORD_CAP: usize = 64 << 20;

/// The first byte says how many bytes arrive at a time, 0 standing for all; the rest is the stream.
pub fn check(data: &[u8]) {
    let (step, stream) = crate::choice(data);
    let at_once = Scan::default().advance(stream);
    let in_parts = arriving(stream, step);
    match (&at_once, &in_parts) {
        (Ok(one), Ok(two)) => assert_eq!(one, two),
        // The words may differ: in a part, an earlier fault may show first.
        (Err(_), Err(_)) => {}
        _ => panic!("at once {at_once:?}, in parts {in_parts:?}"),
    }
    match at_once {
        Ok(Progress::Whole(length)) => {
            let whole = &stream[..length];
            assert_eq!(end(stream), Some(length), "it ends elsewhere");
            // What comes after it changes nothing, and nothing less is a reply.
            assert_eq!(Scan::default().advance(whole), Ok(Progress::Whole(length)));
            let less = Scan::default().advance(&whole[..length - 1]);
            assert!(matches!(less, Ok(Progress::More(_))), "{less:?}");
            let library = redis::parse_redis_value(whole).ok();
            assert_eq!(scan::decode(whole).ok(), library);
        }
        Ok(Progress::More(least)) => {
            assert!(least > stream.len());
            assert!(least <= stream.len() + scan::REPLY_CAP);
        }
        Err(_) => {}
    }
}

/// Where a reply ends by the letter of the protocol, without bounds and without a state.
fn end(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|two| two == b"\r\n")?;
    let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<i64>().ok();
    let mut at = line + 2;
    let elements = match bytes[0] {
        b'$' | b'!' | b'=' => {
            if let Ok(length) = usize::try_from(number(&bytes[1..line])?) {
                at += length + 2;
            }
            0
        }
        b'*' | b'~' => number(&bytes[1..line])?,
        b'%' => 2 * number(&bytes[1..line])?,
        _ => 0,
    };
    for _ in 0..elements {
        at += end(bytes.get(at..)?)?;
    }
    Some(at)
}

/// One scan over a stream of which so many bytes arrive at a time.
fn arriving(stream: &[u8], step: usize) -> Result<Progress, &'static str> {
    let step = if step == 0 { stream.len().max(1) } else { step };
    let mut scan = Scan::default();
    let mut there = 0;
    loop {
        there = (there + step).min(stream.len());
        match scan.advance(&stream[..there])? {
            Progress::More(least) if there < stream.len() => assert!(least > there),
            end => return Ok(end),
        }
    }
}
