//! The crate on wasm32-unknown-unknown, in pure Rust: it builds, asks nothing of its host, and judges tokens there as anywhere.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a module that was built for a command line without one: it may import nothing, and `main` answers with the exit code.
const HOST: &str = "
    const module = new WebAssembly.Module(require('node:fs').readFileSync(process.argv[1]));
    const imports = WebAssembly.Module.imports(module);
    if (imports.length > 0) throw new Error('it imports ' + JSON.stringify(imports));
    process.exitCode = new WebAssembly.Instance(module).exports.main(0, 0) === 0 ? 0 : 1;
";

#[test]
fn tokens_of_every_algorithm_are_judged_in_webassembly_under_node() {
    let module = built();
    let node = Command::new("node").args(["-e", HOST]).arg(&module).output().expect("Node.js runs the module: install it");
    assert!(node.status.success(), "{}", String::from_utf8_lossy(&node.stderr));
}

/// The example `wasm`, compiled for the target, which `tests/run` installs.
fn built() -> PathBuf {
    const TARGET: &str = "wasm32-unknown-unknown";
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let directory = target_directory();
    // The cargo that runs this test, or whichever there is where it was started by hand.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--locked", "--quiet", "--no-default-features", "--features", "rust-crypto", "--example", "wasm"])
        .args(["--target", TARGET])
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(&directory)
        .status()
        .unwrap();
    assert!(status.success(), "it does not build for {TARGET}; where that is missing, `rustup target add {TARGET}` installs it");
    directory.join(TARGET).join("debug/examples/wasm.wasm")
}

/// That of this test, so that the dependencies are built once and kept with the others.
fn target_directory() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().to_owned()
}
