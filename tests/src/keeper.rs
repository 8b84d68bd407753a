//! Keepers: small shells that own what must not outlive the test process (a database cluster, a browser) and take it down
//! when that process ends, however it ends.
//!
//! A destructor does not run after `abort`, `exit` or `kill -9`. The kernel closes the process's pipes after all of them, so
//! a keeper waits for the end of its standard input. Rust opens pipes close-on-exec: no other child holds the write end.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// A running keeper. Dropping it ends what it keeps and waits until that is gone.
pub(crate) struct Keeper {
    shell: Child,
    lifeline: Option<ChildStdin>,
}

impl Keeper {
    /// Runs `script` under `sh` with `args` as its positional parameters, in a session of its own so that neither a terminal's
    /// signals nor a killed process group reach it.
    ///
    /// The script prints a line that begins with `ready` once what it keeps can be used, calls `await_end_of_tests`, and cleans
    /// up after that. Returns the rest of that line too; panics with everything else that was printed when the script ends
    /// without it, or is silent for a minute.
    pub(crate) fn start(script: &str, args: &[&str], ready: &str) -> (Self, String) {
        const PRELUDE: &str = "trap '' INT TERM HUP PIPE\nawait_end_of_tests() { cat >/dev/null; }\n";
        let mut shell = Command::new("setsid")
            .args(["sh", "-c", &format!("{PRELUDE}{script}"), "passant-keeper"])
            .args(args)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("setsid (util-linux) and sh start");
        let lifeline = shell.stdin.take();
        let output = BufReader::new(shell.stdout.take().expect("standard output is piped"));
        let (sender, lines) = channel();
        // The thread goes on reading when nobody listens any more: a full pipe would block what is kept.
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let keeper = Self { shell, lifeline };
        let announced = await_line(&lines, ready);
        (keeper, announced)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.shell.wait();
    }
}

/// The rest of the first line that begins with `prefix`.
fn await_line(lines: &Receiver<String>, prefix: &str) -> String {
    let mut printed = String::new();
    loop {
        match lines.recv_timeout(Duration::from_secs(60)) {
            Ok(line) => match line.strip_prefix(prefix) {
                Some(rest) => return rest.to_owned(),
                None => printed = printed + &line + "\n",
            },
            Err(RecvTimeoutError::Disconnected) => panic!("ended without the line {prefix:?}:\n{printed}"),
            Err(RecvTimeoutError::Timeout) => panic!("silent for a minute, without the line {prefix:?}:\n{printed}"),
        }
    }
}
