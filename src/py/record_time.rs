//! Python's dates, times, durations and UUIDs as msgspec writes them.

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyDate, PyDateAccess, PyDateTime, PyDelta, PyDeltaAccess, PyTime, PyTimeAccess, PyTzInfo,
    PyTzInfoAccess,
};

use crate::civil::{self, Civil};
use crate::msgpack::Timestamp;

/// Whether a datetime has a time zone.
pub(super) fn is_aware(moment: &Bound<'_, PyDateTime>) -> bool {
    moment.get_tzinfo().is_some()
}

/// The moment of an aware datetime. `OverflowError` where in UTC it is outside of the years 1 to 9999.
pub(super) fn timestamp(moment: &Bound<'_, PyDateTime>) -> PyResult<Timestamp> {
    let py = moment.py();
    let utc = PyTzInfo::utc(py)?;
    if moment.get_tzinfo().is_some_and(|zone| zone.is(utc)) {
        return Ok(utc_timestamp(moment));
    }
    // datetime's own method, whatever a subclass would do.
    let convert = py
        .get_type::<PyDateTime>()
        .getattr(intern!(py, "astimezone"))?;
    let moment = convert.call1((moment, utc))?;
    Ok(utc_timestamp(moment.cast::<PyDateTime>()?))
}

fn utc_timestamp(moment: &Bound<'_, PyDateTime>) -> Timestamp {
    let civil = Civil {
        year: moment.get_year(),
        month: moment.get_month(),
        day: moment.get_day(),
        hour: moment.get_hour(),
        minute: moment.get_minute(),
        second: moment.get_second(),
    };
    Timestamp {
        seconds: civil.to_epoch(),
        nanoseconds: moment.get_microsecond() * 1000,
    }
}

/// The aware datetime in UTC of a moment, to the microsecond. None outside of the years 1 to 9999.
pub(super) fn datetime(
    py: Python<'_>,
    moment: Timestamp,
) -> PyResult<Option<Bound<'_, PyDateTime>>> {
    let rounded = moment.to_micros();
    // A moment that only rounding brings into these years is none either.
    let (Some(civil), Some(_)) = (
        Civil::from_epoch(rounded.seconds),
        Civil::from_epoch(moment.seconds),
    ) else {
        return Ok(None);
    };
    let utc = PyTzInfo::utc(py)?.to_owned();
    PyDateTime::new(
        py,
        civil.year,
        civil.month,
        civil.day,
        civil.hour,
        civil.minute,
        civil.second,
        rounded.nanoseconds / 1000,
        Some(&utc),
    )
    .map(Some)
}

/// `2020-01-31T12:34:56.000789+05:30`.
pub(super) fn write_datetime(moment: &Bound<'_, PyDateTime>, out: &mut Vec<u8>) -> PyResult<()> {
    civil::write_date(moment.get_year(), moment.get_month(), moment.get_day(), out);
    out.push(b'T');
    clock(moment, out);
    write_zone(moment.get_tzinfo(), Some(moment.as_any()), out)
}

/// `2020-01-31`.
pub(super) fn write_date(date: &Bound<'_, PyDate>, out: &mut Vec<u8>) {
    civil::write_date(date.get_year(), date.get_month(), date.get_day(), out);
}

/// `12:34:56.000789`, with its zone if it has one.
pub(super) fn write_time(time: &Bound<'_, PyTime>, out: &mut Vec<u8>) -> PyResult<()> {
    clock(time, out);
    write_zone(time.get_tzinfo(), None, out)
}

/// `P3DT5.25S`.
pub(super) fn write_duration(duration: &Bound<'_, PyDelta>, out: &mut Vec<u8>) {
    civil::write_duration(
        duration.get_days(),
        duration.get_seconds(),
        duration.get_microseconds(),
        out,
    );
}

fn clock(time: &impl PyTimeAccess, out: &mut Vec<u8>) {
    civil::write_time(
        time.get_hour(),
        time.get_minute(),
        time.get_second(),
        time.get_microsecond(),
        out,
    );
}

fn write_zone<'py>(
    zone: Option<Bound<'py, PyTzInfo>>,
    moment: Option<&Bound<'py, PyAny>>,
    out: &mut Vec<u8>,
) -> PyResult<()> {
    let Some(zone) = zone else {
        return Ok(());
    };
    let py = zone.py();
    if zone.is(PyTzInfo::utc(py)?) {
        out.push(b'Z');
        return Ok(());
    }
    let offset = zone.call_method1(intern!(py, "utcoffset"), (moment,))?;
    if offset.is_none() {
        return Ok(());
    }
    let offset = offset.cast::<PyDelta>().map_err(|_| {
        PyTypeError::new_err("utcoffset() of a time zone gave something else than a timedelta")
    })?;
    civil::write_offset(offset.get_days() * 86_400 + offset.get_seconds(), out);
    Ok(())
}

/// `12345678-1234-5678-1234-567812345678`.
pub(super) fn uuid_text(uuid: &Bound<'_, PyAny>) -> PyResult<String> {
    let number: u128 = uuid.getattr(intern!(uuid.py(), "int"))?.extract()?;
    let hex = format!("{number:032x}");
    Ok([
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-"))
}
