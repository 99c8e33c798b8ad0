//! Tells the compiler which Python the binding is built for: `cfg(Py_3_14)`, `cfg(Py_GIL_DISABLED)` and their like.

fn main() {
    println!("cargo:rerun-if-changed=src/py/build.rs");
    #[cfg(feature = "python")]
    pyo3_build_config::use_pyo3_cfgs();
}
