//! The real clients that Passant is tested with: where `tests/clients/install` keeps them, and how a program of theirs is run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use crate::world::Directory;

/// How long a program may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program that uses a real client, and the directory that it runs in.
pub struct Program {
    name: String,
    command: Command,
    _directory: Option<Directory>,
}

impl Program {
    /// A program of `tests/clients/node`.
    pub fn node(name: &str) -> Self {
        // Node.js looks for packages beside the program that imports them.
        let directory = Directory::new();
        std::os::unix::fs::symlink(node_modules(), directory.0.join("node_modules")).expect("a link can be made");
        for file in std::fs::read_dir(sources().join("node")).expect("the programs are there").flatten() {
            if file.path().extension().is_some_and(|extension| extension == "mjs") {
                std::fs::copy(file.path(), directory.0.join(file.file_name())).expect("a program can be copied");
            }
        }
        let mut command = bare("node");
        command.arg(directory.0.join(name));
        Self { name: name.to_owned(), command, _directory: Some(directory) }
    }

    /// A program of `tests/clients/python`.
    pub fn python(name: &str) -> Self {
        let mut command = bare("python3");
        command.arg("-B").arg(sources().join("python").join(name)).env("PYTHONPATH", installed("python"));
        Self { name: name.to_owned(), command, _directory: None }
    }

    /// The program of `tests/clients/go`.
    pub fn go() -> Self {
        let program = installed("go").join("passant-clients");
        Self { name: "passant-clients".to_owned(), command: bare(program), _directory: None }
    }

    /// Runs it with this environment, trusting the authority whose certificate is in `root`, and returns the JSON that it prints.
    /// The error is the program's own words, or that it took too long.
    pub async fn run(mut self, root: &Path, environment: &[(&str, &str)]) -> Result<Value, String> {
        for variable in ["NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"] {
            self.command.env(variable, root);
        }
        self.command.envs(environment.iter().copied());
        let output = match tokio::time::timeout(PATIENCE, self.command.output()).await {
            Ok(output) => output.map_err(|error| format!("{} does not start: {error}", self.name))?,
            Err(_) => return Err(format!("{} is not done within {PATIENCE:?}", self.name)),
        };
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            return Err(format!("{} failed ({}):\n{complained}{said}", self.name, output.status));
        }
        serde_json::from_str(&said).map_err(|error| format!("{} printed no JSON ({error}): {said}", self.name))
    }
}

/// Where the packages of npm are.
pub fn node_modules() -> PathBuf {
    installed("node").join("node_modules")
}

/// Where the packages of PyPI are.
pub fn python_packages() -> PathBuf {
    installed("python").to_owned()
}

/// Where the sources of Go's modules are, as `go build -mod=vendor` wants them.
pub fn go_vendor() -> PathBuf {
    installed("go").join("vendor")
}

/// The text of a file of `tests/clients`, such as a lock file.
pub fn source(name: &str) -> String {
    std::fs::read_to_string(sources().join(name)).expect("the file is there")
}

/// Where the clients of this kind (`node`, `python` or `go`) are. Installs them first where they are missing.
fn installed(kind: &str) -> &'static Path {
    static INSTALLED: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    let directories = INSTALLED.get_or_init(|| {
        let output = std::process::Command::new(sources().join("install")).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        let output = output.expect("tests/clients/install starts");
        assert!(output.status.success(), "tests/clients/install failed; what it said is above");
        let lines = String::from_utf8(output.stdout).expect("its paths are UTF-8");
        lines.lines().filter_map(|line| line.split_once(' ')).map(|(kind, path)| (kind.to_owned(), path.into())).collect()
    });
    directories.get(kind).unwrap_or_else(|| panic!("tests/clients/install knows no {kind}"))
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// A command without anything of this process's environment that could change what it does.
fn bare(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    for name in ["PATH", "HOME", "TMPDIR", "LANG"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
}
