//! Whether a class, or an interface object, answers with what is shipped: found out once for each state of it.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::cache::Findings;
use super::states::{Attributes, Class, attributes_of};
use super::stock::{HOOKS, Shipped, Stock};

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
        let shipped = shipped.unchanged_in(&object.get_type())?;
        // Looking the attributes up has given the class a number, where it had none.
        let class = Class::of(object);
        if class.has_version() {
            self.0.keep(Verdict { class, shipped });
        }
        Ok(shipped)
    }
}

/// Which interface objects have the methods and the session class of the package.
pub(super) struct Interfaces(Findings<Interface>);

struct Interface {
    class: Class,
    /// The attributes of the object itself.
    attributes: Attributes,
    shipped: bool,
}

impl Interfaces {
    pub(super) const fn new() -> Self {
        Self(Findings::new())
    }

    /// Whether those of `interface` are.
    pub(super) fn holds(&self, interface: &Bound<'_, PyAny>) -> PyResult<bool> {
        let attributes = attributes_of(interface)?;
        let known = self.0.find(|known| {
            (known.class.is_class_of(interface) && known.attributes.are(&attributes))
                .then_some(known.shipped)
        });
        if let Some(known) = known {
            return Ok(known);
        }
        let shipped = has_shipped_hooks(interface, &attributes)?;
        let class = Class::of(interface);
        if class.has_version() {
            self.0.keep(Interface {
                class,
                attributes: Attributes::of(&attributes),
                shipped,
            });
        }
        Ok(shipped)
    }
}

/// The same, found out anew.
pub(super) fn has_shipped_hooks(
    interface: &Bound<'_, PyAny>,
    attributes: &Bound<'_, PyDict>,
) -> PyResult<bool> {
    let stock = Stock::get(interface.py())?;
    Ok(stock.interface.unchanged_in(&interface.get_type())?
        && !has_own_hooks(attributes)
        && interface.getattr("session_class")?.is(&stock.session))
}

/// Whether any attribute of an interface object itself takes the place of a method.
pub(super) fn has_own_hooks(attributes: &Bound<'_, PyDict>) -> bool {
    attributes.iter().any(|(name, _)| is_hook(&name))
}

/// Whether this name is that of a method.
fn is_hook(name: &Bound<'_, PyAny>) -> bool {
    name.cast::<PyString>()
        .ok()
        .and_then(|name| name.to_str().ok().map(|name| HOOKS.contains(&name)))
        .unwrap_or(true)
}
