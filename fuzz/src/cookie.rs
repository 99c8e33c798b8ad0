//! Any Cookie header: a cookie is found in time, is no longer than the header, and stays the one that is found.

use std::borrow::Cow;

use flask_session_rs::cookie::{Template, find};
use flask_session_rs::payload::may_mention_permanent;

/// What is looked for: the usual name, short ones that mutations soon make, and odd ones.
const NAMES: [&[u8]; 6] = [b"session", b"a", b"session_id", b"\xc3\xa9", b"", b" a"];

/// The input is a header.
pub fn check(header: &[u8]) {
    let _ = may_mention_permanent(header);
    for name in NAMES {
        look_for(name, header);
    }
    // Whatever stands in front, a cookie that is not there is not found by a longer name.
    assert_eq!(find(header, &[header, b"x"].concat()), None);

    // Any bytes are read back from a quoted value.
    let mut quoted = b"a=b; session=\"".to_vec();
    for byte in header {
        quoted.extend_from_slice(format!("\\{byte:03o}").as_bytes());
    }
    quoted.extend_from_slice(b"\" ; c=d");
    assert_eq!(find(&quoted, b"session").as_deref(), Some(header));

    if let Ok(sample) = std::str::from_utf8(header)
        && let Some(template) = Template::split(sample, "V", Some("E"))
    {
        let mut text = Vec::new();
        template.open(&mut text);
        text.extend_from_slice(b"V");
        template.close(Some(b"E"), &mut text);
        assert_eq!(text, header);
    }
}

fn look_for(name: &[u8], header: &[u8]) {
    let Some(value) = find(header, name) else {
        return;
    };
    // No key is empty or has a blank in it.
    assert!(!name.is_empty() && !name.contains(&b' '));
    assert!(value.len() + name.len() <= header.len());
    assert!(holds(header, name));
    match &value {
        Cow::Borrowed(value) => assert!(holds(header, value)),
        // Only what has backslashes is made anew.
        Cow::Owned(_) => assert!(header.contains(&b'\\')),
    }
    // What follows the first cookie of the name changes nothing.
    let longer = [header, b"; ", name, b"=another"].concat();
    assert_eq!(find(&longer, name), Some(value));
}

fn holds(header: &[u8], part: &[u8]) -> bool {
    part.is_empty() || header.windows(part.len()).any(|window| window == part)
}
