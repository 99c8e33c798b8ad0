//! Objects that msgspec writes field by field: dataclasses, attrs' classes, and its own structs.
//!
//! None of the three packages is imported. What is an object of one of them says so itself, by the attributes that its
//! class has.

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};

use super::errors::is_ordinary;

/// An object's fields.
pub(super) enum Fields<'py> {
    /// In a list, without names.
    Array(Vec<Bound<'py, PyAny>>),
    /// Under their names. `room` is the number that msgspec makes room for before it looks at them.
    Map {
        entries: Vec<(Bound<'py, PyString>, Bound<'py, PyAny>)>,
        room: usize,
    },
}

/// msgspec's own types, where the application uses it.
pub(super) struct Msgspec {
    pub(super) ext: Py<PyAny>,
    pub(super) raw: Py<PyAny>,
    struct_meta: Py<PyType>,
    factory: OnceFactory,
    unset: Py<PyAny>,
}

/// The type of `default_factory` in a struct's defaults, which has no public name.
type OnceFactory = PyOnceLock<Py<PyType>>;

static MSGSPEC: PyOnceLock<Msgspec> = PyOnceLock::new();

impl Msgspec {
    /// Its types, if something in this process has imported it: before that there are no objects of them.
    pub(super) fn loaded(py: Python<'_>) -> PyResult<Option<&'static Self>> {
        if let Some(msgspec) = MSGSPEC.get(py) {
            return Ok(Some(msgspec));
        }
        let modules = py
            .import(intern!(py, "sys"))?
            .getattr(intern!(py, "modules"))?;
        let modules = modules.cast_into::<PyDict>()?;
        // None stands for what must not be imported.
        let found = |module: &Bound<'_, PyAny>| !module.is_none();
        let core = modules.get_item(intern!(py, "msgspec"))?.filter(found);
        let module = modules.get_item(intern!(py, "msgspec.msgpack"))?;
        let (Some(core), Some(module)) = (core, module.filter(found)) else {
            return Ok(None);
        };
        Self::of(py, &core, &module).map(Some)
    }

    /// Its types, imported if it is installed.
    pub(super) fn installed(py: Python<'_>) -> PyResult<Option<&'static Self>> {
        if let Some(msgspec) = MSGSPEC.get(py) {
            return Ok(Some(msgspec));
        }
        let imported = py
            .import("msgspec")
            .and_then(|core| Ok((core, py.import("msgspec.msgpack")?)));
        match imported {
            Ok((core, module)) => Self::of(py, &core, &module).map(Some),
            Err(error) if is_ordinary(py, &error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn of<'py>(
        py: Python<'py>,
        core: &Bound<'py, PyAny>,
        msgpack: &Bound<'py, PyAny>,
    ) -> PyResult<&'static Self> {
        MSGSPEC.get_or_try_init(py, || {
            Ok(Self {
                ext: msgpack.getattr("Ext")?.unbind(),
                raw: core.getattr("Raw")?.unbind(),
                struct_meta: core.getattr("Struct")?.get_type().unbind(),
                factory: PyOnceLock::new(),
                unset: core.getattr("UNSET")?.unbind(),
            })
        })
    }

    /// Whether objects of this class are structs.
    pub(super) fn is_struct(&self, class: &Bound<'_, PyType>) -> PyResult<bool> {
        class.is_instance(self.struct_meta.bind(class.py()))
    }

    /// The fields of a struct, as its class's settings have them written.
    pub(super) fn fields_of<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Fields<'py>> {
        let py = value.py();
        let class = value.get_type();
        let tuple = |name: &Bound<'py, PyString>| -> PyResult<Bound<'py, PyTuple>> {
            Ok(class.getattr(name)?.cast_into::<PyTuple>()?)
        };
        let names = tuple(intern!(py, "__struct_fields__"))?;
        let keys = tuple(intern!(py, "__struct_encode_fields__"))?;
        let defaults = tuple(intern!(py, "__struct_defaults__"))?;
        let config = class.getattr(intern!(py, "__struct_config__"))?;
        let tag = config.getattr(intern!(py, "tag"))?;

        if config.getattr(intern!(py, "array_like"))?.is_truthy()? {
            let tag = (!tag.is_none()).then_some(Ok(tag));
            let values = names
                .iter()
                .map(|name| value.getattr(name.cast::<PyString>()?));
            let items = tag.into_iter().chain(values).collect::<PyResult<_>>()?;
            return Ok(Fields::Array(items));
        }

        let mut entries = Vec::with_capacity(names.len() + 1);
        if !tag.is_none() {
            let field = config.getattr(intern!(py, "tag_field"))?;
            entries.push((field.cast_into::<PyString>()?, tag));
        }
        let room = names.len() + entries.len();
        let omits = config.getattr(intern!(py, "omit_defaults"))?.is_truthy()?;
        // The defaults belong to the last fields.
        let without_default = names.len() - defaults.len().min(names.len());
        for (at, (name, key)) in names.iter().zip(keys.iter()).enumerate() {
            let inner = value.getattr(name.cast::<PyString>()?)?;
            if inner.is(self.unset.bind(py)) {
                continue;
            }
            if omits
                && let Some(default) = at.checked_sub(without_default)
                && self.is_default(&inner, &defaults.get_item(default)?)?
            {
                continue;
            }
            entries.push((key.cast_into::<PyString>()?, inner));
        }
        Ok(Fields::Map { entries, room })
    }

    /// Whether msgspec takes a value for its field's default: the same object, or another empty list, dict or set.
    fn is_default(&self, value: &Bound<'_, PyAny>, default: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = value.py();
        if value.is(default) {
            return Ok(true);
        }
        let class = default.get_type();
        if let Some(factory) = self.factory.get(py) {
            if !class.is(factory.bind(py)) {
                return Ok(false);
            }
        } else if class.name()?.to_str()? == "Factory"
            && class.module()?.to_str()? == "msgspec._core"
        {
            self.factory.get_or_init(py, || class.unbind());
        } else {
            return Ok(false);
        }
        let factory = default.getattr(intern!(py, "factory"))?;
        if !value.get_type().is(&factory) {
            return Ok(false);
        }
        let is_container = factory.is(py.get_type::<PyList>())
            || factory.is(py.get_type::<PyDict>())
            || factory.is(py.get_type::<pyo3::types::PySet>());
        Ok(is_container && value.len()? == 0)
    }
}

/// The fields of a dataclass's object or of an attrs object. None for any other.
pub(super) fn fields_of<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Fields<'py>>> {
    let py = value.py();
    if value.is_instance_of::<PyType>() {
        return Ok(None);
    }
    let class = value.get_type();
    // Of the class, as msgspec asks: an object may answer whatever it is asked for.
    if let Some(fields) = class.getattr_opt(intern!(py, "__dataclass_fields__"))? {
        let fields = fields.cast_into_exact::<PyDict>().map_err(|_| {
            PyRuntimeError::new_err("the __dataclass_fields__ of an object are no dict")
        })?;
        return dataclass(value, &fields).map(Some);
    }
    let own = class.getattr(intern!(py, "__dict__"))?;
    if own.contains(intern!(py, "__attrs_attrs__"))? {
        return attrs(value).map(Some);
    }
    Ok(None)
}

/// Whether a value stands for a field that is not there.
fn is_unset(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let msgspec = Msgspec::loaded(value.py())?;
    Ok(msgspec.is_some_and(|msgspec| value.is(msgspec.unset.bind(value.py()))))
}

fn dataclass<'py>(value: &Bound<'py, PyAny>, fields: &Bound<'py, PyDict>) -> PyResult<Fields<'py>> {
    let own = instance_dict(value)?;
    let standard = has_standard_attributes(&value.get_type())?;
    let mut entries = Vec::with_capacity(fields.len());
    for name in fields.keys() {
        let Ok(name) = name.cast_into_exact::<PyString>() else {
            continue;
        };
        let field = if standard {
            match own.as_ref().map(|own| own.get_item(&name)).transpose()? {
                Some(Some(field)) => Some(field),
                // Not what the class has for all its objects: that is a default of the class, not a field.
                _ if has_data_descriptor(&value.get_type(), &name)? => attribute(value, &name)?,
                _ => None,
            }
        } else {
            attribute(value, &name)?
        };
        if let Some(field) = field
            && !is_unset(&field)?
        {
            entries.push((name, field));
        }
    }
    Ok(Fields::Map {
        entries,
        room: fields.len(),
    })
}

/// An attribute; None where it is missing, as msgspec takes any failure.
fn attribute<'py>(
    value: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match value.getattr(name) {
        Ok(attribute) => Ok(Some(attribute)),
        Err(error) if is_ordinary(value.py(), &error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn instance_dict<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
    let own = attribute(value, intern!(value.py(), "__dict__"))?;
    Ok(own.and_then(|own| own.cast_into::<PyDict>().ok()))
}

/// Whether attributes of the class's objects are found as `object` finds them.
fn has_standard_attributes(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let py = class.py();
    let object = py.get_type::<PyAny>();
    let lookup = intern!(py, "__getattribute__");
    Ok(class.getattr(lookup)?.is(&object.getattr(lookup)?)
        && !class.hasattr(intern!(py, "__getattr__"))?)
}

/// Whether the class has a descriptor of this name that can be read and set: a slot or a property.
fn has_data_descriptor(class: &Bound<'_, PyType>, name: &Bound<'_, PyString>) -> PyResult<bool> {
    let py = class.py();
    for base in class.mro() {
        let own = base.getattr(intern!(py, "__dict__"))?;
        if own.contains(name)? {
            let descriptor = own.get_item(name)?.get_type();
            return Ok(descriptor.hasattr(intern!(py, "__get__"))?
                && descriptor.hasattr(intern!(py, "__set__"))?);
        }
    }
    Ok(false)
}

/// What is in the object's dict, then what is in its slots, from its class to the farthest base; nothing whose name
/// begins with an underscore.
fn attrs<'py>(value: &Bound<'py, PyAny>) -> PyResult<Fields<'py>> {
    let py = value.py();
    let mut entries = Vec::new();
    let mut room = 0;
    let mut push = |name: Bound<'py, PyString>, field: Bound<'py, PyAny>| -> PyResult<()> {
        if !name.to_str()?.starts_with('_') && !is_unset(&field)? {
            entries.push((name, field));
        }
        Ok(())
    };
    if let Some(own) = instance_dict(value)? {
        room += own.len();
        for (name, field) in own.copy()?.iter() {
            if let Ok(name) = name.cast_into_exact::<PyString>() {
                push(name, field)?;
            }
        }
    }
    let mut class = Some(value.get_type());
    while let Some(present) = class {
        let own = present.getattr(intern!(py, "__dict__"))?;
        let own = own
            .call_method0(intern!(py, "copy"))?
            .cast_into::<PyDict>()?;
        for (name, descriptor) in own.iter() {
            // A slot's descriptor, made by the class for its own objects. C code has others, of other types of value.
            let is_slot = present
                .getattr(intern!(py, "__flags__"))?
                .extract::<u64>()?
                & HEAP_TYPE
                != 0
                && descriptor.get_type().name()?.to_str()? == "member_descriptor";
            if !is_slot {
                continue;
            }
            room += 1;
            let name = name.cast_into::<PyString>()?;
            if let Some(field) = attribute(value, &name)? {
                push(name, field)?;
            }
        }
        class = present
            .getattr(intern!(py, "__base__"))?
            .cast_into::<PyType>()
            .ok();
    }
    Ok(Fields::Map { entries, room })
}

/// The flag of classes that Python code has made (`Py_TPFLAGS_HEAPTYPE`).
const HEAP_TYPE: u64 = 1 << 9;
