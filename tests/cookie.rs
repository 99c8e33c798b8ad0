//! Cookies are found, and headers built, as werkzeug does it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{text, vectors};
use flask_session_rs::cookie::{Template, find, http_date};
use proptest::prelude::*;

#[test]
fn finds_what_werkzeug_finds() {
    let rows = vectors("cookies");
    let mut found = 0;
    for row in rows.as_array().unwrap() {
        let (header, name) = (text(&row["header"]), text(&row["name"]));
        // As werkzeug does with what is no text once it is unquoted.
        let value = find(header.as_bytes(), name.as_bytes())
            .map(|value| String::from_utf8_lossy(&value).into_owned());
        assert_eq!(value.as_deref(), row["value"].as_str(), "{header:?}");
        found += usize::from(value.is_some());
    }
    assert!(found > 400, "{found} of the vectors hold a cookie");
}

#[test]
fn takes_linear_time() {
    // Of each a megabyte: what takes quadratic time would run for minutes.
    let headers = [
        "a=\"",
        "a=\"\\",
        "a=\";",
        "a=\"x;",
        "a=\"\\\";",
        "a=\"\\\n;",
        "a=\"\" ;",
        "\"",
        "\\",
        "=",
        ";",
        " ",
        "\t",
        "a",
        "a ",
        "a=",
        "a= ",
        "a=b ",
        "session",
        "session=",
        "session=\"",
        "=\"",
        "session=\"\\;",
        "session ",
        "session= ;\"",
        " \"",
        "; \"",
    ];
    for piece in headers {
        let mut header = piece.repeat((1 << 20) / piece.len());
        let _ = find(header.as_bytes(), b"session");
        header.insert_str(0, "session=\"");
        let _ = find(header.as_bytes(), b"session");
        header.insert_str(0, "a=");
        header.push_str("; session=x");
        let _ = find(header.as_bytes(), b"session");
    }
}

#[test]
fn writes_what_werkzeug_writes() {
    for row in vectors("set_cookies").as_array().unwrap() {
        let expires = row["expires"].as_str();
        let marker = expires.map(|_| "EXPIRES-MARKER");
        let template = Template::split(text(&row["sample"]), "VALUE-MARKER", marker).unwrap();
        let value = text(&row["value"]).as_bytes();
        let mut header = Vec::new();
        template.open(&mut header);
        header.extend_from_slice(value);
        template.close(expires.map(str::as_bytes), &mut header);
        assert_eq!(String::from_utf8(header).unwrap(), text(&row["header"]));
    }
}

#[test]
fn splits_only_what_is_clear() {
    let split = Template::split;
    assert!(split("s=V; Path=/", "V", None).is_some());
    assert!(split("s=V; Expires=E; Path=/", "V", Some("E; ")).is_some());
    for (sample, expires, why) in [
        ("s=; Path=/", None, "no value marker"),
        ("s=V; Path=/V", None, "two value markers"),
        ("s=V; Path=/", Some("E"), "no expires marker"),
        ("s=V; Expires=E; Path=/E", Some("E"), "two expires markers"),
        (
            "E=V; Until=E",
            Some("E"),
            "an expires marker before the value",
        ),
        (
            "E=V; Path=/",
            Some("E"),
            "the expires marker before the value",
        ),
        ("s=V; Path=/", Some(""), "an empty marker"),
        ("s=V; Path=/\r", None, "a carriage return"),
        ("s=V; Path=/\nSet-Cookie: a=b", None, "a newline"),
        ("é=V; Path=/", None, "not ASCII"),
    ] {
        assert_eq!(split(sample, "V", expires), None, "{why}");
    }
    assert_eq!(split("s=V; Path=/", "", None), None);
    assert_eq!(split("s=VVV", "VV", None), None, "overlapping markers");
}

#[test]
fn template_without_a_date_ignores_one() {
    let template = Template::split("s=V; Path=/", "V", None).unwrap();
    let mut header = Vec::new();
    template.open(&mut header);
    template.close(Some(b"never"), &mut header);
    assert_eq!(header, b"s=; Path=/");
}

#[test]
fn dates_as_werkzeug_writes_them() {
    for row in vectors("dates").as_array().unwrap() {
        let second = row[0].as_i64().unwrap();
        let date = http_date(second).map(|date| String::from_utf8(date.to_vec()).unwrap());
        assert_eq!(date.as_deref(), row[1].as_str(), "{second}");
    }
}

proptest! {
    #[test]
    fn no_input_panics(
        header: Vec<u8>,
        nasty in r#"[a=" ;\\\t\n017é]{0,60}"#,
        name: Vec<u8>,
        sample: String,
        marker in ".{0,2}",
        second: i64,
    ) {
        let _ = find(&header, &name);
        let _ = find(nasty.as_bytes(), b"a");
        let _ = Template::split(&sample, &marker, Some(&marker));
        let _ = http_date(second);
    }
}
