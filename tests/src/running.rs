//! A command that runs while a test does other things: it is listened to, signalled, and never outlives the test.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How long a command may be silent before the test fails.
const PATIENCE: Duration = Duration::from_secs(300);

/// A command in a process group of its own.
pub struct Running {
    child: Child,
    lines: UnboundedReceiver<String>,
}

/// A command for `sh`, in this directory and with these variables beside the test's own.
pub fn shell(command: &str, directory: &Path, environment: &[(&str, &str)]) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(directory).envs(environment.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
    shell
}

impl Running {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|why| panic!("{command:?} does not start: {why}"));
        let (sender, lines) = unbounded_channel();
        read(child.stdout.take().expect("standard output is piped"), sender.clone());
        read(child.stderr.take().expect("standard error is piped"), sender);
        Self { child, lines }
    }

    /// Everything it says until a line that holds this.
    pub async fn until(&mut self, mark: &str) -> String {
        let mut said = String::new();
        loop {
            let line = tokio::time::timeout(PATIENCE, self.lines.recv()).await;
            match line.unwrap_or_else(|_| panic!("silent for {PATIENCE:?}, without saying {mark:?}: {said}")) {
                Some(line) => said = said + &line + "\n",
                None => panic!("it ended without saying {mark:?}: {said}"),
            }
            if said.lines().last().is_some_and(|line| line.contains(mark)) {
                return said;
            }
        }
    }

    /// Types a line into it; its standard input must have been piped.
    pub async fn type_line(&mut self, text: &str) {
        let input = self.child.stdin.as_mut().expect("standard input is piped");
        input.write_all(format!("{text}\n").as_bytes()).await.expect("it reads what is typed");
    }

    /// Sends a signal to it and to what it has started.
    pub fn signal(&self, name: &str) {
        let group = self.child.id().expect("it still runs");
        let sent = std::process::Command::new("kill").args([&format!("-{name}"), "--", &format!("-{group}")]).status();
        assert!(sent.expect("kill starts").success(), "the signal is sent");
    }

    /// Waits for its end; how it ended, and the rest of what it said.
    pub async fn ended(mut self) -> (ExitStatus, String) {
        let end = async {
            let mut said = String::new();
            while let Some(line) = self.lines.recv().await {
                said = said + &line + "\n";
            }
            (self.child.wait().await.expect("a child can be waited for"), said)
        };
        tokio::time::timeout(PATIENCE, end).await.unwrap_or_else(|_| panic!("it does not end within {PATIENCE:?}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.id().is_some() {
            self.signal("KILL");
        }
    }
}

/// Goes on when nobody listens any more: a full pipe would block the command.
fn read(output: impl AsyncRead + Send + Unpin + 'static, lines: UnboundedSender<String>) {
    tokio::spawn(async move {
        let mut output = BufReader::new(output).lines();
        while let Ok(Some(line)) = output.next_line().await {
            drop(lines.send(line));
        }
    });
}
