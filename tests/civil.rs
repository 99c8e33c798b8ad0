//! The calendar of Python's `datetime`, day by day, and its texts as msgspec writes them.

#![allow(clippy::unwrap_used)]

use flask_session_rs::civil::{self, Civil};
use proptest::prelude::*;

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn every_day_of_ten_thousand_years() {
    let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    // datetime(1, 1, 1, tzinfo=timezone.utc).timestamp()
    let mut seconds = -62_135_596_800;
    assert_eq!(Civil::from_epoch(seconds - 1), None);
    for year in 1..=9999 {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        for (month, length) in (1..).zip(lengths) {
            for day in 1..=length + u8::from(leap && month == 2) {
                let midnight = Civil {
                    year,
                    month,
                    day,
                    hour: 0,
                    minute: 0,
                    second: 0,
                };
                assert_eq!(midnight.to_epoch(), seconds);
                assert_eq!(Civil::from_epoch(seconds), Some(midnight));
                let late = Civil {
                    hour: 23,
                    minute: 59,
                    second: 59,
                    ..midnight
                };
                assert_eq!(Civil::from_epoch(seconds + 86_399), Some(late));
                seconds += 86_400;
            }
        }
    }
    assert_eq!(seconds, 253_402_300_800);
    assert_eq!(Civil::from_epoch(seconds), None);
}

proptest! {
    #[test]
    fn any_second(seconds: i64, shift in 0_u32..64) {
        let seconds = seconds >> shift;
        if let Some(civil) = Civil::from_epoch(seconds) {
            prop_assert_eq!(civil.to_epoch(), seconds);
        }
    }

    #[test]
    fn any_duration(days: i32, seconds in 0..86_400, micros in 0..1_000_000) {
        let written = text(|out| civil::write_duration(days, seconds, micros, out));
        prop_assert_eq!(written.starts_with('-'), days < 0);
        prop_assert!(written.ends_with('S') || written.ends_with('D'));
    }
}

#[test]
fn offsets() {
    for (seconds, expected) in [
        (0, "Z"),
        (30, "Z"),
        (31, "+00:01"),
        (-30, "Z"),
        (-31, "-00:01"),
        (3600, "+01:00"),
        (19_800, "+05:30"),
        (19_830, "+05:30"),
        (19_831, "+05:31"),
        (-18_030, "-05:00"),
        (-18_031, "-05:01"),
        (86_399, "Z"),
        (-86_399, "Z"),
        (86_369, "+23:59"),
    ] {
        let written = text(|out| civil::write_offset(seconds, out));
        assert_eq!(written, expected, "{seconds}");
    }
}

#[test]
fn texts() {
    assert_eq!(text(|out| civil::write_date(7, 1, 9, out)), "0007-01-09");
    assert_eq!(text(|out| civil::write_time(1, 2, 3, 0, out)), "01:02:03");
    assert_eq!(
        text(|out| civil::write_time(23, 59, 59, 60, out)),
        "23:59:59.000060"
    );
    for (days, seconds, micros, expected) in [
        (0, 90, 0, "PT90S"),
        (0, 0, 0, "P0D"),
        (-1, 86_310, 0, "-PT90S"),
        (0, 0, 1, "PT0.000001S"),
        (3, 5, 120, "P3DT5.00012S"),
        (-1, 86_399, 999_999, "-PT0.000001S"),
        (999_999_999, 86_399, 999_999, "P999999999DT86399.999999S"),
        (-999_999_999, 0, 0, "-P999999999D"),
        (-2, 0, 0, "-P2D"),
    ] {
        let written = text(|out| civil::write_duration(days, seconds, micros, out));
        assert_eq!(written, expected);
    }
}
