//! What follows a change of a session's own items, as in `werkzeug.datastructures.CallbackDict`: `on_update`, which by
//! default sets `modified`.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use super::session::Session;
use super::stock::Stock;

/// `flask_session_rs.sessions.set_modified`.
static SET_MODIFIED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Whether the session's class is one of the package's own. A subclass may have its own `modified`.
pub(super) fn is_own_class(session: &Bound<'_, Session>) -> PyResult<bool> {
    let stock = Stock::get(session.py())?;
    let class = session.get_type_ptr().cast();
    Ok(class == stock.session.as_ptr() || class == stock.redis_session.as_ptr())
}

/// Calls it, if it is not None. Flask gives each session one of its own, which hides a method of that name in the class,
/// and goes by way of a property.
#[cold]
pub(super) fn call(session: &Bound<'_, Session>) -> PyResult<()> {
    let py = session.py();
    let name = intern!(py, "on_update");
    let of_class = session.get_type().getattr(name)?;
    let on_update = if of_class.get_type().hasattr(intern!(py, "__set__"))? {
        session.getattr(name)?
    } else {
        get(session)?
    };
    if !on_update.is_none() {
        on_update.call1((session,))?;
    }
    Ok(())
}

/// What the application set, or else the function that sets `modified`.
pub(super) fn get<'py>(session: &Bound<'py, Session>) -> PyResult<Bound<'py, PyAny>> {
    let py = session.py();
    // Where a class has a method of that name, it is set without asking here.
    if (session.get().is_watched() || !is_own_class(session)?)
        && let Some(own) = attributes(session)?.get_item(intern!(py, "on_update"))?
    {
        return Ok(own);
    }
    SET_MODIFIED
        .import(py, "flask_session_rs.sessions", "set_modified")
        .cloned()
}

/// Keeps it among the attributes of the object, where the garbage collector finds it.
pub(super) fn set(session: &Bound<'_, Session>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    attributes(session)?.set_item(intern!(session.py(), "on_update"), value)?;
    session.get().watch();
    Ok(())
}

/// The attributes of the object for its pickled state, without the one that is kept here: that is put among `flags`.
pub(super) fn state<'py>(
    session: &Bound<'py, Session>,
    flags: &Bound<'py, PyDict>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = session.py();
    if !session.get().is_watched() {
        return session.getattr_opt(intern!(py, "__dict__"));
    }
    let others = attributes(session)?.copy()?;
    if let Some(own) = others.get_item(intern!(py, "on_update"))? {
        flags.set_item(intern!(py, "on_update"), own)?;
        others.del_item(intern!(py, "on_update"))?;
    }
    Ok(Some(others.into_any()))
}

fn attributes<'py>(session: &Bound<'py, Session>) -> PyResult<Bound<'py, PyDict>> {
    let attributes = session.getattr(intern!(session.py(), "__dict__"))?;
    Ok(attributes.cast_into::<PyDict>()?)
}
