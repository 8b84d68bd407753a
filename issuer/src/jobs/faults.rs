//! How often a fault that lasts is worth a line in the log.

use std::fmt::Display;
use std::time::Duration;

/// A fault that lasts is told again after this long.
const AGAIN: Duration = Duration::from_secs(60);

/// Whether a job is failing, and when that was last told.
#[derive(Debug, Default)]
pub(super) struct Faults {
    told: Option<Duration>,
}

impl Faults {
    /// Logs what a step came to: a fault when it begins and once a minute while it lasts, and its end.
    pub(super) fn note<E: Display>(&mut self, job: &'static str, outcome: Result<(), E>, monotonic: Duration) {
        match (self.judge(outcome.is_err(), monotonic), outcome) {
            (News::Fault, Err(fault)) => tracing::error!(job, %fault, "a job failed; it will try again"),
            (News::Recovery, _) => tracing::info!(job, "the job works again"),
            (News::Nothing | News::Fault, _) => {}
        }
    }

    fn judge(&mut self, failed: bool, monotonic: Duration) -> News {
        match (failed, self.told) {
            (false, None) => News::Nothing,
            (false, Some(_)) => {
                self.told = None;
                News::Recovery
            }
            (true, Some(told)) if monotonic.saturating_sub(told) < AGAIN => News::Nothing,
            (true, _) => {
                self.told = Some(monotonic);
                News::Fault
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum News {
    Nothing,
    Fault,
    Recovery,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_fault_is_told_once_a_minute_and_its_end_once() {
        let mut faults = Faults::default();
        let told: Vec<News> = [(false, 0), (true, 1), (true, 2), (true, 60), (true, 61), (false, 62), (false, 63), (true, 64)]
            .into_iter()
            .map(|(failed, second)| faults.judge(failed, Duration::from_secs(second)))
            .collect();
        let silence = || News::Nothing;
        let expected = [silence(), News::Fault, silence(), silence(), News::Fault, News::Recovery, silence(), News::Fault];
        assert_eq!(told, expected);
    }
}
