//! JSON text as msgspec writes it: characters as they are, numbers in their shortest form.

use crate::plain::plain_len;

/// Appends a string in quotes. Escaped are quote, backslash and control characters up to U+001F; nothing else is.
pub fn write_str(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let plain = plain_len::<false, false>(rest);
        let (run, after) = rest.split_at(plain);
        out.extend_from_slice(run);
        let Some((special, after)) = after.split_first() else {
            break;
        };
        write_special(*special, out);
        rest = after;
    }
    out.push(b'"');
}

fn write_special(special: u8, out: &mut Vec<u8>) {
    let short = match special {
        b'"' | b'\\' => special,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        8 => b'b',
        12 => b'f',
        _ => {
            let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
            let (high, low) = (hex(special >> 4), hex(special & 0xf));
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Appends a float: the shortest digits that read back as the same one; with an exponent below 1e-5 and from 1e16 on,
/// else with a point and at least one digit after it. What is not finite becomes `null`.
pub fn write_f64(number: f64, out: &mut Vec<u8>) {
    if number.is_finite() {
        write_finite(number, out);
    } else {
        out.extend_from_slice(b"null");
    }
}

/// Appends a float as an object's key: in quotes, and `nan`, `inf`, `-inf` as such.
pub fn write_f64_key(number: f64, out: &mut Vec<u8>) {
    out.push(b'"');
    if number.is_finite() {
        write_finite(number, out);
    } else if number.is_nan() {
        out.extend_from_slice(b"nan");
    } else {
        out.extend_from_slice(if number > 0.0 { b"inf" } else { b"-inf" });
    }
    out.push(b'"');
}

/// zmij's form is msgspec's, but for a plus before large exponents: the two have it from one implementation of Ryu.
fn write_finite(number: f64, out: &mut Vec<u8>) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(number);
    let (digits, exponent) = match text.split_once("e+") {
        Some((digits, exponent)) => (digits, Some(exponent)),
        None => (text, None),
    };
    out.extend_from_slice(digits.as_bytes());
    if let Some(exponent) = exponent {
        out.push(b'e');
        out.extend_from_slice(exponent.as_bytes());
    }
}
