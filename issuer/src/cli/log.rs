//! The log, on standard error: lines for people on a terminal, JSON elsewhere, or what `[log]` says. One event is one line, whatever
//! a stranger wrote into it.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::answer::Failure;
use crate::config::{Log, LogFormat};

/// Starts the log.
pub(super) fn start(log: &Log) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&log.filter).map_err(|error| Failure::wrong(format_args!("log.filter: {error}")))?;
    let terminal = io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter);
    let human = match log.format {
        LogFormat::Auto => terminal,
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    // A second start in one process finds the first one's log.
    let _ = match human {
        true => lines.with_ansi(terminal).with_writer(OneLine { to: io::stderr, colours: terminal }).try_init(),
        false => lines.with_writer(io::stderr).json().flatten_event(true).try_init(),
    };
    Ok(())
}

/// The colours that tracing writes in, behind the escape character.
const COLOURS: [&str; 9] = ["[0m", "[1m", "[2m", "[3m", "[31m", "[32m", "[33m", "[34m", "[35m"];

/// Writes an event, which comes as a whole, in one line and without control characters: a stranger's line break would begin a line of
/// the stranger's, and a stranger's escape sequence would rewrite the terminal.
struct OneLine<M> {
    to: M,
    colours: bool,
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for OneLine<M> {
    type Writer = OneLine<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLine { to: self.to.make_writer(), colours: self.colours }
    }
}

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let (line, end) = text.strip_suffix('\n').map_or((&*text, ""), |line| (line, "\n"));
        let mut written = String::with_capacity(text.len());
        for (at, character) in line.char_indices() {
            let behind = line.get(at + character.len_utf8()..).unwrap_or_default();
            let colour = self.colours && character == '\x1b' && COLOURS.iter().any(|colour| behind.starts_with(colour));
            match character.is_control() && !colour {
                true => written.extend(character.escape_default()),
                false => written.push(character),
            }
        }
        written.push_str(end);
        self.to.write_all(written.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(colours: bool) -> String {
        let kept = Kept::default();
        let to = kept.clone();
        let writer = OneLine { to: move || to.clone(), colours };
        let wrong = "a\r\n2026-01-01T00:00:00Z  INFO a line of mine\0\x1b[2Jgone\x1b]0;title\x07\u{9b}31m";
        let lines = tracing_subscriber::fmt().with_writer(writer).with_ansi(colours).finish();
        tracing::subscriber::with_default(lines, || {
            tracing::info!(%wrong, text = wrong, ?wrong, "told {wrong}");
            tracing::info!("another");
        });
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn event_is_one_line_whatever_a_stranger_wrote_into_it() {
        let text = logged(false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].contains("a\\r\\n2026-01-01") && lines[1].ends_with("another"), "{text}");
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }

    #[test]
    fn terminal_is_given_colours_and_no_other_sequence() {
        let text = logged(true);
        let sequences: Vec<&str> = text.split('\x1b').skip(1).collect();
        assert!(!sequences.is_empty() && text.lines().count() == 2, "{text:?}");
        assert!(sequences.iter().all(|rest| COLOURS.iter().any(|colour| rest.starts_with(colour))), "{text:?}");
    }
}
