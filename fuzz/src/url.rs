//! Any URL of a store: read or refused, and never with a word of the password.

use flask_session_rs::store::Endpoint;

const SCHEMES: [&str; 6] = ["redis", "rediss", "unix", "redis+unix", "valkey", "valkeys"];

/// Two passwords, which occur nowhere else.
const PASSWORDS: [&str; 2] = ["S3cretOne", "S3cretTwo"];

/// The first byte chooses a scheme and how the password stands in the URL, the rest is what stands around it.
pub fn check(data: &[u8]) {
    let (choice, data) = crate::choice(data);
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let _ = text.parse::<Endpoint>();
    if text.to_lowercase().contains("s3cret") {
        return;
    }
    let scheme = SCHEMES[choice % 6];
    let (before, after) = text.split_once('\n').unwrap_or(("", text));
    let around = |password: &str| match choice / 6 % 4 {
        0 => format!("{scheme}://{before}:{password}@{after}"),
        1 => format!("{scheme}://{before}:x{password}{after}"),
        2 => format!("{scheme}://{before}?password={password}{after}"),
        _ => format!("{before}{password}{after}"),
    };
    let urls = PASSWORDS.map(around);
    match urls.each_ref().map(|url| url.parse::<Endpoint>()) {
        [Err(one), Err(two)] => {
            assert_eq!(one, two, "it depends on the password");
            hides(&format!("{one} {one:?}"));
        }
        [Ok(one), Ok(two)] => {
            // It may be read as a host or a path; where it is none, it is shown nowhere.
            if one.address == two.address && one.username == two.username && one.tls == two.tls {
                // An option may be passed over, for what stands before the host wins.
                if choice / 6 % 4 == 0 && before.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                    assert_ne!(one, two, "the password is lost");
                }
                assert_eq!(format!("{one:?}"), format!("{two:?}"));
                hides(&format!("{one:?}"));
            }
        }
        [one, two] => panic!("it depends on the password: {one:?}, {two:?}"),
    }
}

fn hides(shown: &str) {
    assert!(!shown.to_lowercase().contains("s3cret"), "{shown}");
}
