//! Whether a class, or an interface object, answers with what is shipped: found out once for each state of it.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyType};

use super::cache::{Cache, Findings};
use super::states::{Attributes, Class, attributes_of};
use super::stock::{HOOKS, Shipped, Stock, VALUES};

/// Which classes are as shipped, in what matters here.
pub(super) struct Verdicts(Findings<Verdict>);

struct Verdict {
    class: Class,
    shipped: bool,
}

impl Verdicts {
    pub(super) const fn new() -> Self {
        Self(Findings::new())
    }

    /// Whether the class of `object` answers with what is shipped.
    pub(super) fn holds(&self, object: &Bound<'_, PyAny>, shipped: &Shipped) -> PyResult<bool> {
        let known = self
            .0
            .find(|known| known.class.is_class_of(object).then_some(known.shipped));
        if let Some(known) = known {
            return Ok(known);
        }
        self.find_out(object, shipped)
    }

    #[cold]
    fn find_out(&self, object: &Bound<'_, PyAny>, shipped: &Shipped) -> PyResult<bool> {
        let shipped = shipped.unchanged_in(&object.get_type())?;
        // Looking the attributes up has given the class a number, where it had none.
        let class = Class::of(object);
        if class.has_version() {
            self.0.keep(Verdict { class, shipped });
        }
        Ok(shipped)
    }
}

/// Which interface objects have the methods and the session class of the package. Compared without a lock: attributes that
/// the garbage collector looks after may go away meanwhile, and code run when they do.
pub(super) struct Interfaces(Cache<Interface>);

struct Interface {
    class: Class,
    /// The attributes of the object itself.
    attributes: Attributes,
    /// The package's session class.
    session: Class,
    shipped: bool,
}

impl Interfaces {
    pub(super) const fn new() -> Self {
        Self(Cache::new())
    }

    /// Whether those of `interface` are.
    pub(super) fn holds(&self, interface: &Bound<'_, PyAny>) -> PyResult<bool> {
        let attributes = attributes_of(interface)?;
        let session = Stock::get(interface.py())?.session.bind(interface.py());
        let mut index = 0;
        while let Some(known) = self.0.get(index) {
            if known.class.is_class_of(interface)
                && known.session.is(session)
                && known.attributes.are(&attributes)
            {
                return Ok(known.shipped);
            }
            index += 1;
        }
        self.find_out(interface, &attributes, session)
    }

    #[cold]
    fn find_out(
        &self,
        interface: &Bound<'_, PyAny>,
        attributes: &Bound<'_, PyDict>,
        session: &Bound<'_, PyType>,
    ) -> PyResult<bool> {
        let shipped = has_shipped_hooks(interface, attributes)?;
        let (class, session) = (Class::of(interface), Class::itself(session));
        if class.has_version() && session.has_version() {
            self.0.keep(Arc::new(Interface {
                class,
                attributes: Attributes::of(attributes, matters),
                session,
                shipped,
            }));
        }
        Ok(shipped)
    }
}

/// The same, found out anew.
pub(super) fn has_shipped_hooks(
    interface: &Bound<'_, PyAny>,
    attributes: &Bound<'_, PyDict>,
) -> PyResult<bool> {
    let py = interface.py();
    let stock = Stock::get(py)?;
    Ok(stock.interface.unchanged_in(&interface.get_type())?
        && stock.is_untouched(py)?
        && !has_own_hooks(attributes)
        && is_plain_value(interface, attributes, "session_class")?
        && interface.getattr("session_class")?.is(&stock.session))
}

/// Whether an attribute of an interface is a value that stays until it is set anew, and not one that a property, a slot or
/// another descriptor tells whenever it is asked.
pub(super) fn is_plain_value(
    interface: &Bound<'_, PyAny>,
    attributes: &Bound<'_, PyDict>,
    name: &str,
) -> PyResult<bool> {
    let py = interface.py();
    let look_up = py.import("inspect")?.getattr("getattr_static")?;
    let Ok(found) = look_up.call1((interface, name)) else {
        return Ok(false);
    };
    if let Some(own) = attributes.get_item(name)?
        && own.is(&found)
    {
        return Ok(true);
    }
    let class = found.get_type();
    Ok(class.is(&py.import("builtins")?.getattr("staticmethod")?) || !class.hasattr("__get__")?)
}

/// Whether an attribute of an interface of this name bears on how sessions are read and written.
pub(super) fn matters(name: &Bound<'_, PyAny>) -> bool {
    is_one_of(name, &HOOKS) || is_one_of(name, &VALUES)
}

/// Whether any attribute of an interface object itself takes the place of a method.
pub(super) fn has_own_hooks(attributes: &Bound<'_, PyDict>) -> bool {
    attributes.iter().any(|(name, _)| is_one_of(&name, &HOOKS))
}

/// What is no text is taken for one of them.
fn is_one_of(name: &Bound<'_, PyAny>, names: &[&str]) -> bool {
    name.cast::<PyString>()
        .ok()
        .and_then(|name| name.to_str().ok().map(|name| names.contains(&name)))
        .unwrap_or(true)
}
