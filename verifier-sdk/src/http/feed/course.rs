//! What a follower does next, and after which pause. A state machine that is told how each step ended, so that a night of
//! failures is a table in a test; the task in `mod.rs` only does as it is told here.

use std::time::Duration;

use crate::http::schedule::Jitter;

/// One thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Fetch the snapshot and unite it with what is held.
    Snapshot,
    /// Read the stream from the own position on, for as long as it goes well.
    Stream,
    /// Ask for what came after the own position, once.
    Poll,
    /// Show the issuer a message that contradicts its history.
    Prove,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Something was learned: the position moved or was confirmed.
    Progress,
    /// Nothing went wrong, and nothing was learned.
    Nothing,
    /// What came does not join what is held.
    Apart,
    /// The issuer says that the own position contradicts its history.
    Contradicted,
    /// It did not work; the issuer may have asked to be left alone for a while.
    Failed(Option<Duration>),
}

/// Where the follower stands. All times are those of [`Clock::monotonic`](crate::Clock::monotonic).
#[derive(Debug)]
pub(super) struct Course {
    step: Step,
    pause: Duration,
    began: Duration,
    failures: u32,
    short_streams: u32,
    stream_again: Duration,
    jitter: Jitter,
}

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);
/// A stream that went well for so long wipes out the failures before it.
const GOOD_STREAM: Duration = Duration::from_secs(5);
/// For how long a stream that failed is replaced by polls, or for longer where the issuer asks for it.
const STREAM_AGAIN_AFTER: Duration = Duration::from_secs(60);
const LONGEST_WITHOUT_STREAM: Duration = Duration::from_secs(10 * 60);
/// From one poll to the next, where they are answered at once: less than the second within which a revocation is to count.
const BETWEEN_POLLS: Duration = Duration::from_millis(750);
/// So many streams that end at once, one after another, are no better than one that fails: whoever stands in between lets none live.
const SHORT_STREAMS: u32 = 3;

impl Course {
    /// `holds`: whether there is a position to resume from.
    pub(super) fn new(holds: bool, now: Duration) -> Self {
        let step = if holds { Step::Stream } else { Step::Snapshot };
        Self {
            step,
            pause: Duration::ZERO,
            began: now,
            failures: 0,
            short_streams: 0,
            stream_again: now,
            jitter: Jitter::random(),
        }
    }

    /// The next step and the pause before it.
    pub(super) fn next(&self) -> (Step, Duration) {
        (self.step, self.pause)
    }

    /// The pause is over and the step begins.
    pub(super) fn begin(&mut self, now: Duration) {
        self.began = now;
    }

    /// The step has ended.
    pub(super) fn end(&mut self, end: End, now: Duration) {
        let lasted = now.saturating_sub(self.began);
        let (step, pause) = match (self.step, end) {
            (Step::Snapshot, End::Progress) => (self.live(now), Duration::ZERO),
            (Step::Snapshot, End::Failed(after)) => (Step::Snapshot, self.failed(after)),
            (Step::Snapshot, _) => (self.live(now), self.failed(None)),
            (Step::Stream, End::Progress | End::Nothing) if lasted >= GOOD_STREAM => {
                (self.failures, self.short_streams) = (0, 0);
                (Step::Stream, FIRST_PAUSE.mul_f64(self.jitter.between(0.2, 1.0)))
            }
            (Step::Stream, End::Progress) => {
                self.short_streams += 1;
                if self.short_streams < SHORT_STREAMS { (Step::Stream, self.failed(None)) } else { self.polls(None, now) }
            }
            (Step::Stream, End::Nothing) => self.polls(None, now),
            (Step::Stream, End::Failed(after)) => self.polls(after, now),
            (Step::Poll, End::Progress) => {
                self.failures = 0;
                (self.live(now), BETWEEN_POLLS.saturating_sub(lasted))
            }
            (Step::Poll, End::Nothing) => (self.live(now), self.failed(None)),
            (Step::Poll, End::Failed(after)) => (self.live(now), self.failed(after)),
            (Step::Stream | Step::Poll, End::Contradicted) => (Step::Prove, Duration::ZERO),
            (Step::Stream | Step::Poll, End::Apart) => {
                // The first time it is news; when it happens again and again, something is wrong.
                let pause = if self.failures == 0 { Duration::ZERO } else { self.back_off() };
                self.failures = self.failures.saturating_add(1);
                (Step::Snapshot, pause)
            }
            (Step::Prove, _) => (Step::Snapshot, self.failed(None)),
        };
        (self.step, self.pause) = (step, pause);
    }

    fn live(&self, now: Duration) -> Step {
        if now >= self.stream_again { Step::Stream } else { Step::Poll }
    }

    /// Where there is no stream, polls take its place at once: an issuer that wants to be left alone altogether says so to them as well.
    fn polls(&mut self, retry_after: Option<Duration>, now: Duration) -> (Step, Duration) {
        self.short_streams = 0;
        self.stream_again = now + retry_after.unwrap_or_default().clamp(STREAM_AGAIN_AFTER, LONGEST_WITHOUT_STREAM);
        (Step::Poll, self.failed(None))
    }

    fn failed(&mut self, retry_after: Option<Duration>) -> Duration {
        let pause = self.back_off();
        self.failures = self.failures.saturating_add(1);
        pause.max(retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER))
    }

    fn back_off(&mut self) -> Duration {
        FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE).mul_f64(self.jitter.between(0.5, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Duration = Duration::from_secs(3_600);

    fn after(course: &mut Course, ends: &[End], now: Duration) -> Step {
        for end in ends {
            course.begin(now);
            course.end(*end, now);
        }
        course.next().0
    }

    #[test]
    fn each_end_of_each_step_leads_where_it_should() {
        let failed = End::Failed(None);
        for (ends, step) in [
            (&[][..], Step::Snapshot),
            (&[failed], Step::Snapshot),
            (&[End::Progress], Step::Stream),
            (&[End::Nothing], Step::Stream),
            (&[End::Progress, End::Progress], Step::Stream),
            (&[End::Progress, End::Apart], Step::Snapshot),
            (&[End::Progress, End::Apart, End::Progress], Step::Stream),
            (&[End::Progress, End::Contradicted], Step::Prove),
            (&[End::Progress, End::Contradicted, failed], Step::Snapshot),
            (&[End::Progress, End::Contradicted, End::Progress], Step::Snapshot),
            (&[End::Progress, failed], Step::Poll),
            (&[End::Progress, End::Nothing], Step::Poll),
            (&[End::Progress, failed, failed], Step::Poll),
            (&[End::Progress, failed, End::Progress], Step::Poll),
            (&[End::Progress, failed, End::Nothing], Step::Poll),
            (&[End::Progress, failed, End::Apart], Step::Snapshot),
            (&[End::Progress, failed, End::Apart, End::Progress], Step::Poll),
            (&[End::Progress, failed, End::Contradicted], Step::Prove),
        ] {
            let mut course = Course::new(false, LATER);
            assert_eq!(after(&mut course, ends, LATER), step, "{ends:?}");
        }
        assert_eq!(Course::new(true, LATER).next(), (Step::Stream, Duration::ZERO));
    }

    #[test]
    fn a_stream_that_failed_is_tried_again_after_a_minute_of_polls() {
        let mut course = Course::new(true, LATER);
        assert_eq!(after(&mut course, &[End::Failed(None), End::Progress], LATER), Step::Poll);
        assert_eq!(after(&mut course, &[End::Progress], LATER + STREAM_AGAIN_AFTER), Step::Stream);
    }

    #[test]
    fn failures_back_off_to_a_bound_and_what_goes_well_starts_over() {
        for (ok, bad) in [(true, End::Failed(None)), (false, End::Failed(None)), (true, End::Contradicted), (true, End::Apart)] {
            let mut course = Course::new(ok, LATER);
            let pauses: Vec<_> = (0..60)
                .map(|_| {
                    course.begin(LATER);
                    course.end(bad, LATER);
                    course.next().1
                })
                .collect();
            assert!(pauses[..4].iter().any(|pause| *pause <= FIRST_PAUSE), "{pauses:?}");
            assert!(pauses[40..].iter().any(|pause| *pause >= LONGEST_PAUSE / 2), "{pauses:?}");
            assert!(pauses.iter().all(|pause| *pause <= LONGEST_PAUSE), "{pauses:?}");
        }
    }

    #[test]
    fn streams_that_always_end_at_once_give_way_to_polls_for_a_minute() {
        let mut course = Course::new(true, LATER);
        for _ in 1..SHORT_STREAMS {
            assert_eq!(after(&mut course, &[End::Progress], LATER), Step::Stream);
            assert!(course.next().1 > Duration::ZERO, "they are not asked for in a loop");
        }
        assert_eq!(after(&mut course, &[End::Progress], LATER), Step::Poll);
        let minute_later = LATER + STREAM_AGAIN_AFTER;
        assert_eq!(after(&mut course, &[End::Progress], minute_later), Step::Stream);
        assert_eq!(
            after(&mut course, &[End::Progress; SHORT_STREAMS as usize - 1], minute_later),
            Step::Stream,
            "it is given as many again"
        );
        course.begin(minute_later);
        course.end(End::Progress, minute_later + GOOD_STREAM);
        assert_eq!(course.next().0, Step::Stream);
        assert!(course.next().1 <= FIRST_PAUSE, "one that lived wipes out what was before");
        assert_eq!(after(&mut course, &[End::Progress; SHORT_STREAMS as usize - 1], LATER + GOOD_STREAM), Step::Stream);
    }

    #[test]
    fn polls_begin_at_once_where_no_stream_is_to_be_had_for_a_while() {
        for (asked, again) in [(2, 60), (300, 300), (100_000, 600)] {
            let mut course = Course::new(true, LATER);
            assert_eq!(after(&mut course, &[End::Failed(Some(Duration::from_secs(asked)))], LATER), Step::Poll);
            assert!(course.next().1 <= FIRST_PAUSE, "a poll is no stream");
            let again = LATER + Duration::from_secs(again);
            assert_eq!(after(&mut course, &[End::Progress], again - Duration::from_secs(1)), Step::Poll);
            assert_eq!(after(&mut course, &[End::Progress], again), Step::Stream);
        }
    }

    #[test]
    fn the_first_gap_is_closed_at_once() {
        let mut course = Course::new(true, LATER);
        course.end(End::Apart, LATER);
        assert_eq!(course.next(), (Step::Snapshot, Duration::ZERO));
        course.end(End::Progress, LATER);
        course.end(End::Apart, LATER);
        assert!(course.next().1 > Duration::ZERO, "and the second one without progress between is not");
    }

    #[test]
    fn polls_that_are_answered_at_once_are_less_than_a_second_apart() {
        let mut course = Course::new(true, LATER);
        after(&mut course, &[End::Failed(None), End::Progress], LATER);
        assert_eq!(course.next(), (Step::Poll, BETWEEN_POLLS));
        course.begin(LATER);
        course.end(End::Progress, LATER + Duration::from_secs(25));
        assert_eq!(course.next(), (Step::Poll, Duration::ZERO));
    }

    #[test]
    fn retry_after_is_heeded_within_reason() {
        let mut course = Course::new(false, LATER);
        course.end(End::Failed(Some(Duration::from_secs(40))), LATER);
        assert_eq!(course.next().1, Duration::from_secs(40));
        course.end(End::Failed(Some(Duration::MAX)), LATER);
        assert_eq!(course.next().1, LONGEST_RETRY_AFTER);
    }
}
