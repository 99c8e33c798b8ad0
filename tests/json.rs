//! JSON text is Python's, and what is told of one without decoding it is true.
#![allow(clippy::unwrap_used)]

mod common;

use common::{text, unhex, vectors};
use flask_session_rs::json::{
    Flag, decoded_size_bound, top_level_flag, write_f64, write_i64, write_str, write_u64,
};
use proptest::prelude::*;
use serde_json::Value;

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = b"before ".to_vec();
    write(&mut out);
    String::from_utf8(out)
        .unwrap()
        .strip_prefix("before ")
        .unwrap()
        .to_owned()
}

#[test]
fn strings_as_python_writes_them() {
    for row in vectors("strings").as_array().unwrap() {
        let string = String::from_utf8(unhex(&row[0])).unwrap();
        assert_eq!(written(|out| write_str(&string, out)), text(&row[1]));
    }
}

#[test]
fn floats_as_python_writes_them() {
    for row in vectors("floats").as_array().unwrap() {
        let bits = u64::from_str_radix(text(&row[0]), 16).unwrap();
        let number = f64::from_bits(bits);
        assert_eq!(
            written(|out| write_f64(number, out)),
            text(&row[1]),
            "{bits:x}"
        );
    }
}

/// Session keys under which the flag can hide.
const KEYS: [&str; 9] = [
    "_permanent",
    "_permanen",
    "_permanentx",
    "permanent",
    "\"_permanent\"",
    "_PERMANENT",
    "é_permanent",
    "\\_permanent",
    "",
];

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        Just(Value::from("{\"_permanent\":true}")),
        Just(Value::from("\\\"_permanent\":true,\"")),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            json_object(inner),
        ]
    })
}

fn json_object(value: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    prop::collection::vec((prop::sample::select(&KEYS), value), 0..5).prop_map(|entries| {
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    })
}

#[test]
fn flags() {
    for (json, flag) in [
        ("{}", Flag::Absent),
        (" { } ", Flag::Absent),
        (r#"{"a":1}"#, Flag::Absent),
        (r#"{"_permanent":true}"#, Flag::True),
        (r#"{"_permanent":false}"#, Flag::False),
        (" {\t\"_permanent\"\n:\r true } ", Flag::True),
        (r#"{"_permanent":true,"a":1}"#, Flag::True),
        (r#"{"a":"\"","_permanent":true}"#, Flag::True),
        (r#"{"a":[{"b":["]","}"]}],"_permanent":true}"#, Flag::True),
        // The last one counts, as in Python.
        (r#"{"_permanent":true,"_permanent":false}"#, Flag::False),
        (r#"{"_permanent":false,"_permanent":true}"#, Flag::True),
        // Not at the top level, or no key.
        (r#"{"a":{"_permanent":true}}"#, Flag::Absent),
        (r#"{"a":[{"_permanent":true}]}"#, Flag::Absent),
        (r#"{"a":"_permanent"}"#, Flag::Absent),
        (r#"{"a":"\"_permanent\":true"}"#, Flag::Absent),
        (r#"{"a":"\\","b":"\",\"_permanent\":true"}"#, Flag::Absent),
        (r#"{"_permanent_":true}"#, Flag::Absent),
        (r#"{"x_permanent":true}"#, Flag::Absent),
        // Escapes in other places, and of other characters.
        (r#"{"a":"\u005f","_permanent":true}"#, Flag::True),
        (r#"{"\u00e9":1,"_permanent":true}"#, Flag::True),
        (r#"{"a":"\u005fpermanent"}"#, Flag::Absent),
        // Only a decoder can tell.
        (r#"{"\u005fpermanent":true}"#, Flag::Unclear),
        (
            r#"{"_permanent":false,"\u005Fpermanent":true}"#,
            Flag::Unclear,
        ),
        (r#"{"_permanen\u0074":true}"#, Flag::Unclear),
        (r#"{"_permanent":1}"#, Flag::Unclear),
        (r#"{"_permanent":null}"#, Flag::Unclear),
        (r#"{"_permanent":"true"}"#, Flag::Unclear),
        (r#"{"_permanent":[true]}"#, Flag::Unclear),
        (r#"{"_permanent":truee}"#, Flag::Unclear),
        (r#"{"_permanent":tru}"#, Flag::Unclear),
        // No objects.
        (r#"["_permanent"]"#, Flag::Unclear),
        (r#""_permanent""#, Flag::Unclear),
        ("_permanent", Flag::Unclear),
        (r#"{"_permanent":true"#, Flag::Unclear),
        (r#"{"_permanent":true,}"#, Flag::Unclear),
        (r#"{"_permanent":true}}"#, Flag::Unclear),
        (r#"{"_permanent":true} x"#, Flag::Unclear),
        (r#"{"_permanent" true}"#, Flag::Unclear),
        (r#"{"_permanent":}"#, Flag::Unclear),
        (r#"{"_permanent":true "a":1}"#, Flag::Unclear),
        (r#"{"a":[,"_permanent":true}"#, Flag::Unclear),
        (r#"{"a":],"_permanent":true}"#, Flag::Unclear),
        (r#"{"_permanent\"#, Flag::Unclear),
    ] {
        assert_eq!(
            top_level_flag(json.as_bytes(), "_permanent"),
            flag,
            "{json}"
        );
    }
    for key in ["", "é", "a b", "\"", "\\", "a1"] {
        assert_eq!(top_level_flag(b"{}", key), Flag::Unclear, "{key}");
    }
    assert_eq!(top_level_flag(br#"{"FLAG":true}"#, "FLAG"), Flag::True);
    assert_eq!(
        top_level_flag(br#"{"\u0046LAG":true}"#, "FLAG"),
        Flag::Unclear
    );
}

#[test]
fn size_bounds() {
    for row in vectors("sizes").as_array().unwrap() {
        let (name, json) = (text(&row["name"]), text(&row["json"]).as_bytes());
        let bound = decoded_size_bound(json) as u64;
        for (version, size) in row["sizes"].as_object().unwrap() {
            let size = size.as_u64().unwrap();
            assert!(
                bound >= size,
                "{name}: {bound} is below the {size} of Python {version}"
            );
            if row["typical"] == true {
                assert!(
                    bound <= 2 * size,
                    "{name}: {bound} for the {size} of Python {version}"
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn strings_come_back(string: String, ascii in "[ -~]{0,200}") {
        for string in [string, ascii] {
            let json = written(|out| write_str(&string, out));
            prop_assert!(json.is_ascii());
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), string);
        }
    }

    #[test]
    fn integers_in_decimal(signed: i64, unsigned: u64, small in -1000..1000_i64) {
        for number in [signed, small, 0, i64::MIN, i64::MAX] {
            prop_assert_eq!(written(|out| write_i64(number, out)), number.to_string());
        }
        for number in [unsigned, 0, 9, 10, u64::MAX] {
            prop_assert_eq!(written(|out| write_u64(number, out)), number.to_string());
        }
    }

    #[test]
    fn floats_come_back(bits: u64) {
        let number = f64::from_bits(bits);
        let json = written(|out| write_f64(number, out));
        if number.is_finite() {
            prop_assert_eq!(json.parse::<f64>().unwrap().to_bits(), bits);
        }
    }

    #[test]
    fn flags_as_a_decoder_finds_them(object in json_object(json_value()), pretty: bool, ascii: bool) {
        let json = match (pretty, ascii) {
            (true, _) => serde_json::to_string_pretty(&object).unwrap(),
            (false, true) => python_json(&object),
            (false, false) => object.to_string(),
        };
        let expected = match object.get("_permanent") {
            None => Flag::Absent,
            Some(Value::Bool(true)) => Flag::True,
            Some(Value::Bool(false)) => Flag::False,
            Some(_) => Flag::Unclear,
        };
        prop_assert_eq!(top_level_flag(json.as_bytes(), "_permanent"), expected, "{}", json);
    }

    #[test]
    fn no_input_panics(
        bytes: Vec<u8>,
        nasty in r#"\{?("_permanent"|\\u00|\\ud8|[\[\]{},:"\\\\ tru0é]){0,40}"#,
        key: String,
    ) {
        for json in [&bytes[..], nasty.as_bytes()] {
            let _ = top_level_flag(json, "_permanent");
            let _ = top_level_flag(json, &key);
            let _ = decoded_size_bound(json);
        }
    }
}

/// The object with its strings as Python writes them.
fn python_json(value: &Value) -> String {
    let joined = |items: Vec<String>| items.join(",");
    match value {
        Value::String(string) => written(|out| write_str(string, out)),
        Value::Array(items) => format!("[{}]", joined(items.iter().map(python_json).collect())),
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| {
                format!(
                    "{}:{}",
                    written(|out| write_str(key, out)),
                    python_json(value)
                )
            };
            format!("{{{}}}", joined(entries.iter().map(entry).collect()))
        }
        other => other.to_string(),
    }
}
