//! Dates, times and durations as text, and as seconds since 1970, in the calendar of Python's `datetime`.

use crate::json::write_u64;

/// A moment by calendar and clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Civil {
    /// 1 to 9999.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

const DAY: i64 = 86_400;

/// 1970-01-01 in days since 0000-03-01, where a year ends with its leap day.
const EPOCH: i64 = 719_468;

/// Days of four centuries.
const CYCLE: i64 = 146_097;

impl Civil {
    /// Seconds since 1970.
    pub fn to_epoch(self) -> i64 {
        let month = i64::from(self.month);
        let year = i64::from(self.year) - i64::from(month <= 2);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(self.day) - 1;
        let (cycle, year) = (year.div_euclid(400), year.rem_euclid(400));
        let day_of_cycle = year * 365 + year / 4 - year / 100 + day_of_year;
        let days = cycle * CYCLE + day_of_cycle - EPOCH;
        let clock =
            i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        days * DAY + clock
    }

    /// The moment so many seconds after 1970 began. `None` outside of the years 1 to 9999.
    pub fn from_epoch(seconds: i64) -> Option<Self> {
        let days = seconds.div_euclid(DAY) + EPOCH;
        let clock = seconds.rem_euclid(DAY);
        let (cycle, day_of_cycle) = (days.div_euclid(CYCLE), days.rem_euclid(CYCLE));
        // Leap days are left out: every 4 years but every 100 but every 400.
        let year_of_cycle = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524
            - day_of_cycle / 146_096)
            / 365;
        let day_of_year =
            day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = (shifted + 2) % 12 + 1;
        let year = cycle * 400 + year_of_cycle + i64::from(month <= 2);
        if !(1..=9999).contains(&year) {
            return None;
        }
        Some(Self {
            year: i32::try_from(year).ok()?,
            month: u8::try_from(month).ok()?,
            day: u8::try_from(day_of_year - (153 * shifted + 2) / 5 + 1).ok()?,
            hour: u8::try_from(clock / 3600).ok()?,
            minute: u8::try_from(clock / 60 % 60).ok()?,
            second: u8::try_from(clock % 60).ok()?,
        })
    }
}

/// Appends `2020-01-31`.
pub fn write_date(year: i32, month: u8, day: u8, out: &mut Vec<u8>) {
    write_digits(year.unsigned_abs(), 4, out);
    out.push(b'-');
    write_digits(month.into(), 2, out);
    out.push(b'-');
    write_digits(day.into(), 2, out);
}

/// Appends `12:34:56`, with six digits of microseconds where there are any.
pub fn write_time(hour: u8, minute: u8, second: u8, microsecond: u32, out: &mut Vec<u8>) {
    write_digits(hour.into(), 2, out);
    out.push(b':');
    write_digits(minute.into(), 2, out);
    out.push(b':');
    write_digits(second.into(), 2, out);
    if microsecond > 0 {
        out.push(b'.');
        write_digits(microsecond, 6, out);
    }
}

/// Appends the distance from UTC of a clock that is so many seconds ahead of it, to the nearest minute as RFC 3339 has
/// it: `+05:30`, or `Z` where there is none. Half a minute counts towards UTC.
pub fn write_offset(seconds: i32, out: &mut Vec<u8>) {
    let minutes = (seconds.unsigned_abs() + 29) / 60 % (24 * 60);
    if minutes == 0 {
        out.push(b'Z');
        return;
    }
    out.push(if seconds < 0 { b'-' } else { b'+' });
    write_digits(minutes / 60, 2, out);
    out.push(b':');
    write_digits(minutes % 60, 2, out);
}

/// Appends a duration as msgspec writes it, in days and seconds of ISO 8601: `P3DT5.25S`, `-PT90S`, `P0D`.
///
/// `seconds` and `microseconds` are those beyond the days, as in Python's `timedelta`: never negative.
pub fn write_duration(days: i32, seconds: i32, microseconds: i32, out: &mut Vec<u8>) {
    let total = (i128::from(days) * i128::from(DAY) + i128::from(seconds)) * 1_000_000
        + i128::from(microseconds);
    if total < 0 {
        out.push(b'-');
    }
    // Python's durations are below 2^47 seconds.
    let total = total.unsigned_abs();
    let whole = u64::try_from(total / 1_000_000).unwrap_or(u64::MAX);
    let fraction = u32::try_from(total % 1_000_000).unwrap_or(0);
    let (days, seconds) = (whole / DAY.unsigned_abs(), whole % DAY.unsigned_abs());
    out.push(b'P');
    if total == 0 {
        out.extend_from_slice(b"0D");
    }
    if days > 0 {
        write_u64(days, out);
        out.push(b'D');
    }
    if seconds == 0 && fraction == 0 {
        return;
    }
    out.push(b'T');
    write_u64(seconds, out);
    if fraction > 0 {
        out.push(b'.');
        write_digits(fraction, 6, out);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
    out.push(b'S');
}

/// A number in so many digits, six at most.
fn write_digits(number: u32, digits: usize, out: &mut Vec<u8>) {
    let mut text = [b'0'; 6];
    let mut rest = number;
    for place in text.iter_mut().rev().take(digits) {
        *place = b"0123456789"[(rest % 10) as usize];
        rest /= 10;
    }
    out.extend_from_slice(&text[text.len() - digits..]);
}
