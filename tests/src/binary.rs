//! The binary itself, built once a run.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// Where the built binary is.
pub fn passant() -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let built = Command::new(cargo).args(["build", "--locked", "--quiet", "-p", "passant"]).current_dir(root).status();
        assert!(built.expect("cargo runs").success(), "the binary can be built");
        let test = std::env::current_exe().expect("a test knows where it is");
        test.ancestors().nth(2).expect("a test lies in target/PROFILE/deps").join("passant")
    })
}

/// Runs a command of the binary to its end, with this standard input and no `PASSANT_…` variable but those given.
pub fn run(arguments: &[&str], input: &str, environment: &[(&str, &str)]) -> Output {
    use std::io::Write;
    let mut command = Command::new(passant());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PASSANT_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).envs(environment.iter().copied());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    // A command that wants no input may be gone before it is written.
    drop(child.stdin.take().expect("the input is piped").write_all(input.as_bytes()));
    child.wait_with_output().expect("the command ends")
}
