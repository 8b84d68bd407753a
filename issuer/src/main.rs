//! The binary: arguments in, exit code out.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    passant::cli::run(std::env::args_os()).await
}
