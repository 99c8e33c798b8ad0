//! Tells the compiler which Python the binding is built for: `cfg(Py_3_14)`, `cfg(Py_GIL_DISABLED)` and their like.

fn main() {
    println!("cargo:rerun-if-changed=src/py/build.rs");
    // The profile that the compiler is given, see pyproject.toml: another one makes another module of the same sources.
    println!("cargo:rerun-if-changed=src/py/requests.profdata");
    #[cfg(feature = "python")]
    pyo3_build_config::use_pyo3_cfgs();
}
