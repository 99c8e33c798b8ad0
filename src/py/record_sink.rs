//! The two formats of records, as the encoder writes them: what each makes of a value, and what stands between values.

use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDateTime, PyInt, PyString};

use super::record_encode::unsupported;
use super::record_time;
use crate::json;
use crate::json_plain;
use crate::json_reader;
use crate::msgpack::{self, TooLong};

/// How values and what is around them are written.
pub(super) trait Sink {
    /// Whether keys have to be text.
    const TEXT_KEYS: bool;

    fn out(&mut self) -> &mut Vec<u8>;
    fn nil(&mut self);
    fn boolean(&mut self, value: bool);
    fn signed(&mut self, value: i64);
    fn unsigned(&mut self, value: u64);
    /// An integer beyond 64 bits.
    fn big(&mut self, value: &Bound<'_, PyInt>) -> PyResult<()>;
    fn float(&mut self, value: f64);
    fn float_key(&mut self, value: f64);
    fn text(&mut self, text: &str) -> PyResult<()>;
    fn bytes(&mut self, bytes: &[u8]) -> PyResult<()>;
    fn moment(&mut self, value: &Bound<'_, PyDateTime>) -> PyResult<()>;
    fn ext(&mut self, value: &Bound<'_, PyAny>, kind: i8, data: &[u8]) -> PyResult<()>;
    /// Whether these bytes are one value and no more.
    fn is_one_value(bytes: &[u8]) -> bool;

    fn array(&mut self, items: usize) -> PyResult<()>;
    /// Before the item or entry of this index.
    fn separate(&mut self, index: usize);
    fn array_end(&mut self);
    /// The head of a map of so many entries, of which `room` were expected.
    fn map(&mut self, entries: usize, room: usize) -> PyResult<()>;
    /// Between a key and its value.
    fn assign(&mut self);
    fn map_end(&mut self);
}

/// Msgpack, appended.
pub(super) struct MsgPackSink<'o> {
    pub(super) out: &'o mut Vec<u8>,
}

/// JSON, appended.
pub(super) struct JsonSink<'o> {
    pub(super) out: &'o mut Vec<u8>,
}

fn too_long(_: TooLong) -> PyErr {
    PyValueError::new_err("an object in the session is longer than msgpack can hold")
}

impl Sink for MsgPackSink<'_> {
    const TEXT_KEYS: bool = false;

    fn out(&mut self) -> &mut Vec<u8> {
        self.out
    }

    fn nil(&mut self) {
        msgpack::write_nil(self.out);
    }

    fn boolean(&mut self, value: bool) {
        msgpack::write_bool(value, self.out);
    }

    fn signed(&mut self, value: i64) {
        msgpack::write_i64(value, self.out);
    }

    fn unsigned(&mut self, value: u64) {
        msgpack::write_u64(value, self.out);
    }

    fn big(&mut self, _: &Bound<'_, PyInt>) -> PyResult<()> {
        Err(PyOverflowError::new_err(
            "integers below -2**63 and from 2**64 on cannot be stored in msgpack",
        ))
    }

    fn float(&mut self, value: f64) {
        msgpack::write_f64(value, self.out);
    }

    fn float_key(&mut self, value: f64) {
        msgpack::write_f64(value, self.out);
    }

    fn text(&mut self, text: &str) -> PyResult<()> {
        msgpack::write_str(text.as_bytes(), self.out).map_err(too_long)
    }

    fn bytes(&mut self, bytes: &[u8]) -> PyResult<()> {
        msgpack::write_bin(bytes, self.out).map_err(too_long)
    }

    fn moment(&mut self, value: &Bound<'_, PyDateTime>) -> PyResult<()> {
        msgpack::write_timestamp(record_time::timestamp(value)?, self.out);
        Ok(())
    }

    fn ext(&mut self, _: &Bound<'_, PyAny>, kind: i8, data: &[u8]) -> PyResult<()> {
        msgpack::write_ext(kind, data, self.out).map_err(too_long)
    }

    fn is_one_value(bytes: &[u8]) -> bool {
        let mut reader = msgpack::Reader::new(bytes);
        reader.skip().is_some() && reader.rest().is_empty()
    }

    fn array(&mut self, items: usize) -> PyResult<()> {
        msgpack::write_array(items, self.out).map_err(too_long)
    }

    fn separate(&mut self, _: usize) {}

    fn array_end(&mut self) {}

    fn map(&mut self, entries: usize, room: usize) -> PyResult<()> {
        msgpack::write_map_as(entries, room, self.out).map_err(too_long)
    }

    fn assign(&mut self) {}

    fn map_end(&mut self) {}
}

impl JsonSink<'_> {
    /// Text that needs no escapes.
    fn quoted(&mut self, write: impl FnOnce(&mut Vec<u8>) -> PyResult<()>) -> PyResult<()> {
        self.out.push(b'"');
        write(self.out)?;
        self.out.push(b'"');
        Ok(())
    }
}

impl Sink for JsonSink<'_> {
    const TEXT_KEYS: bool = true;

    fn out(&mut self) -> &mut Vec<u8> {
        self.out
    }

    fn nil(&mut self) {
        self.out.extend_from_slice(b"null");
    }

    fn boolean(&mut self, value: bool) {
        self.out
            .extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn signed(&mut self, value: i64) {
        json::write_i64(value, self.out);
    }

    fn unsigned(&mut self, value: u64) {
        json::write_u64(value, self.out);
    }

    fn big(&mut self, value: &Bound<'_, PyInt>) -> PyResult<()> {
        // int's own digits, or its own refusal of too many of them, whatever a subclass would say.
        let py = value.py();
        let repr = py.get_type::<PyInt>().getattr(intern!(py, "__repr__"))?;
        let digits = repr.call1((value,))?;
        let digits = digits.cast::<PyString>()?.to_str()?;
        self.out.extend_from_slice(digits.as_bytes());
        Ok(())
    }

    fn float(&mut self, value: f64) {
        json_plain::write_f64(value, self.out);
    }

    fn float_key(&mut self, value: f64) {
        json_plain::write_f64_key(value, self.out);
    }

    fn text(&mut self, text: &str) -> PyResult<()> {
        json_plain::write_str(text, self.out);
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> PyResult<()> {
        let text = base64_simd::STANDARD.encode_to_string(bytes);
        self.quoted(|out| {
            out.extend_from_slice(text.as_bytes());
            Ok(())
        })
    }

    fn moment(&mut self, value: &Bound<'_, PyDateTime>) -> PyResult<()> {
        self.quoted(|out| record_time::write_datetime(value, out))
    }

    fn ext(&mut self, value: &Bound<'_, PyAny>, _: i8, _: &[u8]) -> PyResult<()> {
        Err(unsupported(value))
    }

    fn is_one_value(bytes: &[u8]) -> bool {
        let mut reader = json_reader::Reader::new(bytes);
        reader.skip().is_some() && reader.is_at_end()
    }

    fn array(&mut self, _: usize) -> PyResult<()> {
        self.out.push(b'[');
        Ok(())
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.push(b',');
        }
    }

    fn array_end(&mut self) {
        self.out.push(b']');
    }

    fn map(&mut self, _: usize, _: usize) -> PyResult<()> {
        self.out.push(b'{');
        Ok(())
    }

    fn assign(&mut self) {
        self.out.push(b':');
    }

    fn map_end(&mut self) {
        self.out.push(b'}');
    }
}
