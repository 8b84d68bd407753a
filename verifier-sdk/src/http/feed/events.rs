//! Server-sent events, as much of them as the feed uses: each event is one line of `data`. Fields that say nothing here are
//! skipped; what is longer than any message ends the stream.

/// An event with all its lines is no longer than this.
pub(super) const MAX_EVENT_LEN: usize = 4 * 1024 * 1024;

/// Takes bytes as they come and gives the events that they complete.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    data: Option<String>,
    len: usize,
}

/// Why a stream is no stream of events of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("an event is larger than 4 MiB")]
    TooLong,
    #[error("the stream is not text")]
    NotText,
    #[error("an event has more than one line of data")]
    TwoLines,
}

impl Events {
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<String>, Fault> {
        let mut complete = Vec::new();
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (front, rest) = bytes.split_at_checked(end).unwrap_or_default();
            bytes = rest.get(1..).unwrap_or_default();
            self.hold(front)?;
            let line = std::mem::take(&mut self.line);
            complete.extend(self.end_line(&line)?);
        }
        self.hold(bytes)?;
        Ok(complete)
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.len += bytes.len() + 1;
        if self.len > MAX_EVENT_LEN {
            return Err(Fault::TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self, line: &[u8]) -> Result<Option<String>, Fault> {
        let line = std::str::from_utf8(line).map_err(|_| Fault::NotText)?;
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.contains('\r') {
            return Err(Fault::NotText);
        }
        if line.is_empty() {
            self.len = 0;
            return Ok(self.data.take());
        }
        if let Some(data) = line.strip_prefix("data:")
            && self.data.replace(data.strip_prefix(' ').unwrap_or(data).to_owned()).is_some()
        {
            return Err(Fault::TwoLines);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_their_bytes_are_cut() {
        let stream = b": hello\r\n\r\nid: f.1.a\nevent: x\nretry: 1\ndata: one\n\ndata:two\r\nid:f.2.b\r\n\r\n\n\ndata: three";
        for cut in 0..=stream.len() {
            let mut events = Events::default();
            let mut all = events.push(&stream[..cut]).unwrap();
            all.extend(events.push(&stream[cut..]).unwrap());
            assert_eq!(all, ["one", "two"], "{cut}");
            assert_eq!(events.push(b"\n\n").unwrap(), ["three"], "an event is complete only with its blank line");
        }
        let mut events = Events::default();
        assert_eq!(stream.iter().flat_map(|byte| events.push(&[*byte]).unwrap()).collect::<Vec<_>>(), ["one", "two"]);
    }

    #[test]
    fn what_is_no_stream_of_the_feed_is_refused() {
        for (bytes, fault) in [
            (&b"data: a\ndata: b\n\n"[..], Fault::TwoLines),
            (b"data: a\rdata: b\n\n", Fault::NotText),
            (b"data: \xff\n\n", Fault::NotText),
        ] {
            assert_eq!(Events::default().push(bytes), Err(fault), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn endless_lines_and_endless_events_end_at_the_bound() {
        for chunk in [&b"x"[..], b"x\n", b"\r", b":\n", b"data: "] {
            let (mut events, mut pushed) = (Events::default(), 0);
            let chunk = chunk.repeat(16 * 1024);
            while events.push(&chunk).is_ok() {
                pushed += chunk.len();
                assert!(pushed <= MAX_EVENT_LEN && events.line.capacity() <= 3 * MAX_EVENT_LEN);
            }
        }
        let mut events = Events::default();
        for _ in 0..3 * MAX_EVENT_LEN / 8_192 {
            assert_eq!(events.push(&[&b"data: a\n\n"[..]; 1_024].concat()).unwrap().len(), 1_024, "short events have no end");
        }
    }
}
