//! Measures how long revocations take to reach many verifiers, and what following costs; see `passant_tests::bench`.

use std::time::Duration;

use passant::domain::causes::Cause;
use passant_tests::bench::{Plan, run};
use passant_tests::world::Engine;

const USAGE: &str =
    "revocation [--postgres] [--verifiers 100] [--times 1000] [--rate 17] [--cause logged_out_everywhere]… [--counting 60]

Without --postgres: SQLite, one process. With it: two processes on one database, of which one revokes and the other is followed.
Every cause is measured unless some are named.";

fn main() -> Result<(), String> {
    let mut plan = Plan {
        engine: Engine::Sqlite,
        verifiers: 100,
        times: 1000,
        rate: 17.0,
        causes: vec![],
        counting: Duration::from_secs(60),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{name} wants a value\n\n{USAGE}"));
        match name.as_str() {
            "--postgres" => plan.engine = Engine::Postgres,
            "--verifiers" => plan.verifiers = number(&value()?)?,
            "--times" => plan.times = number(&value()?)?,
            "--rate" => plan.rate = f64::from(number::<u32>(&value()?)?),
            "--cause" => {
                let text = value()?;
                plan.causes.push(text.parse::<Cause>().map_err(|_| format!("{text} is no cause"))?);
            }
            "--counting" => plan.counting = Duration::from_secs(number(&value()?)?),
            "--help" => {
                println!("{USAGE}");
                return Ok(());
            }
            _ => return Err(format!("{name} is not known\n\n{USAGE}")),
        }
    }
    if plan.verifiers == 0 || plan.times == 0 || plan.rate < 1.0 {
        return Err("verifiers, times and rate begin at 1".to_owned());
    }
    run(&plan);
    Ok(())
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}
