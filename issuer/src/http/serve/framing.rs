//! Where one HTTP/1.1 request ends and the next begins, read strictly: hyper forgives what a proxy in front may read in another way,
//! and between the two readings a second request is smuggled (RFC 9112, section 11.2).

/// How much of a line is kept; the lines that say how long a body is are shorter.
const LINE: usize = 64;

/// A reader beside hyper's. In place of the byte at which a head goes wrong it puts a NUL, which nobody takes: hyper answers 400 and
/// closes.
pub(super) struct Framing {
    part: Part,
    previous: u8,
    line: Vec<u8>,
    /// Content-Length, from each line that says it.
    lengths: Vec<u64>,
    chunked: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    RequestLine,
    Fields,
    /// So many bytes of a body are to come.
    Body(u64),
    /// Not ours to read: HTTP/2, the chunks of a last request, or what follows an error.
    Rest,
}

/// The head is wrong.
struct Wrong;

impl Framing {
    pub(super) fn new() -> Self {
        Self { part: Part::RequestLine, previous: 0, line: Vec::new(), lengths: Vec::new(), chunked: false }
    }

    /// Reads the next bytes of a connection.
    pub(super) fn read(&mut self, mut bytes: &mut [u8]) {
        loop {
            match (self.part, bytes) {
                (Part::Rest, _) | (_, []) => return,
                (Part::Body(left), body) => {
                    let come = usize::try_from(left).unwrap_or(usize::MAX).min(body.len());
                    self.part = match left - come as u64 {
                        0 => Part::RequestLine,
                        left => Part::Body(left),
                    };
                    bytes = body.get_mut(come..).unwrap_or_default();
                }
                (Part::RequestLine | Part::Fields, [byte, rest @ ..]) => {
                    if self.head(*byte).is_err() {
                        *byte = 0;
                        self.part = Part::Rest;
                    }
                    bytes = rest;
                }
            }
        }
    }

    fn head(&mut self, byte: u8) -> Result<(), Wrong> {
        let after_return = std::mem::replace(&mut self.previous, byte) == b'\r';
        match byte {
            b'\n' if after_return => self.line_ends(),
            // A line feed alone, a carriage return alone, and a line that would go on with the one before (obs-fold).
            b'\n' => Err(Wrong),
            _ if after_return => Err(Wrong),
            b' ' | b'\t' if self.line.is_empty() => Err(Wrong),
            b'\r' => Ok(()),
            byte => {
                if self.line.len() <= LINE {
                    self.line.push(byte);
                }
                Ok(())
            }
        }
    }

    fn line_ends(&mut self) -> Result<(), Wrong> {
        let line = std::mem::take(&mut self.line);
        match (self.part, line.as_slice()) {
            (Part::RequestLine, []) => {}
            (Part::RequestLine, b"PRI * HTTP/2.0") => self.part = Part::Rest,
            (Part::RequestLine, _) => self.part = Part::Fields,
            (_, []) => return self.head_ends(),
            (_, field) => return self.field(field),
        }
        Ok(())
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Wrong> {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = (line.get(..colon).unwrap_or_default(), line.get(colon + 1..).unwrap_or_default());
        let value = value.trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = value.iter().all(u8::is_ascii_digit) && value.len() <= 18;
            let length = std::str::from_utf8(value).ok().filter(|_| digits).and_then(|text| text.parse().ok());
            self.lengths.push(length.ok_or(Wrong)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Wrong);
            }
            self.chunked = true;
        }
        Ok(())
    }

    fn head_ends(&mut self) -> Result<(), Wrong> {
        let chunked = std::mem::take(&mut self.chunked);
        self.part = match (std::mem::take(&mut self.lengths).as_slice(), chunked) {
            ([], false) | ([0], false) => Part::RequestLine,
            ([length], false) => Part::Body(*length),
            // The chunks are hyper's to read: no further request is taken from this connection.
            ([], true) => Part::Rest,
            (_, _) => return Err(Wrong),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What hyper is given, when the bytes come in pieces of this size.
    fn read(text: &str, piece: usize) -> String {
        let (mut framing, mut bytes) = (Framing::new(), text.as_bytes().to_vec());
        bytes.chunks_mut(piece).for_each(|bytes| framing.read(bytes));
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn request_that_can_be_read_in_one_way_passes_untouched() {
        for text in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /token HTTP/1.1\r\ncontent-LENGTH:\t 5 \r\n\r\na\nb\n\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /token HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\na\n\r\n0\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nX-Content-Length: a\r\nEmpty:\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\n \n \n",
        ] {
            for piece in [1, 2, 7, text.len()] {
                assert_eq!(read(text, piece), text, "{piece}");
            }
        }
    }

    #[test]
    fn head_that_can_be_read_in_two_ways_is_spoilt_where_it_goes_wrong() {
        let long = format!("POST / HTTP/1.1\r\nContent-Length: {}5\r\n\n", "0".repeat(80));
        for (text, good) in [
            ("GET / HTTP/1.1\n\n", "GET / HTTP/1.1"),
            ("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a"),
            ("GET / HTTP/1.1\r\nHost: a\r\n\n", "GET / HTTP/1.1\r\nHost: a\r\n"),
            ("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r"),
            ("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n"),
            ("GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", "GET / HTTP/1.1\r\n"),
            ("\nGET / HTTP/1.1\r\n\r\n", ""),
            (
                "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r",
            ),
            (
                "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
                "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r",
            ),
            ("POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: 1, 1\r"),
            ("POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: +1\r"),
            ("POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length:\r"),
            (&long, &long[..long.len() - 2]),
            (
                "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r",
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r",
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r",
            ),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n", "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r"),
            (
                "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n\n\nGET / HTTP/1.1\n",
                "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n\n\nGET / HTTP/1.1",
            ),
        ] {
            for piece in [1, 3, text.len()] {
                let spoilt = read(text, piece);
                let rest = spoilt.strip_prefix(good).unwrap_or_else(|| panic!("{text:?} became {spoilt:?}"));
                assert!(rest.starts_with('\0'), "{text:?} became {spoilt:?}");
            }
        }
    }
}
