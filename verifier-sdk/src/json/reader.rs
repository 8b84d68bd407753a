//! The grammar of JSON (RFC 8259), read in one pass and without a tree: what comes out is a list of nodes in the order of the
//! text. Depth is bounded, so the recursion is; a member that comes twice in one object spoils the whole text.

use super::escapes::{escape, unescape};
use super::object::{Members, Read, same};
use super::{JsonFault, MAX_DEPTH};

/// A value in the list: what it is, where it stands, and how many of the nodes after it are inside. What a string with escapes
/// means stands in a text of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) inner: u32,
}

impl Node {
    /// In bytes of what it means.
    pub(super) fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    True,
    False,
    Number,
    Plain,
    Escaped,
    Array,
    Object,
}

/// Reads `text` as one JSON object, whose node is the first.
pub(super) fn read(text: &str) -> Result<Read, JsonFault> {
    if text.len() > MAX_LEN {
        return Err(JsonFault::NotAnObject);
    }
    let read = Read { nodes: Vec::with_capacity(USUAL_NODES), unescaped: String::new() };
    let mut reader = Reader { text, at: 0, read };
    reader.skip_space();
    if reader.peek() != Some(b'{') {
        return Err(JsonFault::NotAnObject);
    }
    reader.value(0)?;
    reader.skip_space();
    if reader.at == text.len() { Ok(reader.read) } else { Err(JsonFault::NotAnObject) }
}

/// Places are kept in 32 bits, those of unescaped strings behind those of the text.
const MAX_LEN: usize = 1 << 30;

/// As many nodes as the payload of an access token has, and some more.
const USUAL_NODES: usize = 40;

/// Up to so many members are compared pairwise; more are sorted, so that no choice of names makes it slow.
const FEW_MEMBERS: usize = 24;

/// An integer of so many characters is not above the largest number that a double holds.
const SURELY_FINITE: usize = 300;

struct Reader<'t> {
    text: &'t str,
    at: usize,
    read: Read,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonFault> {
        if self.peek() != Some(byte) {
            return Err(JsonFault::NotAnObject);
        }
        self.at += 1;
        Ok(())
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        self.read.nodes.push(Node { kind, start: start as u32, end: end as u32, inner: 0 });
    }

    /// `depth`: in how many arrays and objects the value stands.
    fn value(&mut self, depth: usize) -> Result<(), JsonFault> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{') => self.container(Kind::Object, b'}', depth),
            Some(b'[') => self.container(Kind::Array, b']', depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Kind::True),
            Some(b'f') => self.word("false", Kind::False),
            Some(b'n') => self.word("null", Kind::Null),
            _ => Err(JsonFault::NotAnObject),
        }
    }

    fn word(&mut self, word: &str, kind: Kind) -> Result<(), JsonFault> {
        let start = self.at;
        self.at += word.len();
        if self.text.get(start..self.at) != Some(word) {
            return Err(JsonFault::NotAnObject);
        }
        self.push(kind, start, self.at);
        Ok(())
    }

    fn container(&mut self, kind: Kind, close: u8, depth: usize) -> Result<(), JsonFault> {
        if depth == MAX_DEPTH {
            return Err(JsonFault::TooDeep);
        }
        let (own, start) = (self.read.nodes.len(), self.at);
        self.push(kind, start, start);
        self.at += 1;
        self.skip_space();
        let mut count = 0;
        if self.peek() == Some(close) {
            self.at += 1;
        } else {
            loop {
                if kind == Kind::Object {
                    self.string()?;
                    self.skip_space();
                    self.expect(b':')?;
                    self.skip_space();
                }
                self.value(depth + 1)?;
                count += 1;
                self.skip_space();
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(byte) if byte == close => break self.at += 1,
                    _ => return Err(JsonFault::NotAnObject),
                }
                self.skip_space();
            }
        }
        let inner = self.read.nodes.len() - own - 1;
        if let Some(node) = self.read.nodes.get_mut(own) {
            (node.end, node.inner) = (self.at as u32, inner as u32);
        }
        if kind == Kind::Object && self.has_a_name_twice(own + 1, count) { Err(JsonFault::DuplicateMember) } else { Ok(()) }
    }

    /// RFC 8259, section 6; what no reader could hold as a number is refused.
    fn number(&mut self) -> Result<(), JsonFault> {
        let start = self.at;
        let is_negative = self.peek() == Some(b'-');
        self.at += usize::from(is_negative);
        match self.digits() {
            0 => return Err(JsonFault::NotAnObject),
            1 => {}
            _ if self.text.as_bytes().get(start + usize::from(is_negative)) == Some(&b'0') => return Err(JsonFault::NotAnObject),
            _ => {}
        }
        let whole_until = self.at;
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(JsonFault::NotAnObject);
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(JsonFault::NotAnObject);
            }
        }
        let is_short_integer = whole_until == self.at && self.at - start <= SURELY_FINITE;
        let is_finite = || {
            let written = self.text.get(start..self.at).unwrap_or_default();
            written.parse::<f64>().is_ok_and(f64::is_finite)
        };
        if !is_short_integer && !is_finite() {
            return Err(JsonFault::NotAnObject);
        }
        self.push(Kind::Number, start, self.at);
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn string(&mut self) -> Result<(), JsonFault> {
        self.expect(b'"')?;
        let start = self.at;
        let mut kind = Kind::Plain;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    kind = Kind::Escaped;
                    self.escape()?;
                }
                Some(b' '..) => self.at += 1,
                _ => return Err(JsonFault::NotAnObject),
            }
        }
        if kind == Kind::Escaped {
            let meant = &mut self.read.unescaped;
            let (written, place) = (self.text.get(start..self.at).unwrap_or_default(), meant.len());
            unescape(written, meant);
            let end = meant.len();
            self.push(kind, place, end);
        } else {
            self.push(kind, start, self.at);
        }
        self.at += 1;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), JsonFault> {
        let (_, length) = self.text.get(self.at..).and_then(escape).ok_or(JsonFault::NotAnObject)?;
        self.at += length;
        Ok(())
    }

    /// Whether two of the `count` members, which begin at this node, have one name, however it is spelled.
    fn has_a_name_twice(&self, first: usize, count: usize) -> bool {
        let names = Members::of(self.text, &self.read, first).names();
        if count > FEW_MEMBERS {
            let mut sorted: Vec<_> = names.collect();
            sorted.sort_unstable();
            return sorted.array_windows().any(|[one, next]| one == next);
        }
        let mut seen = [""; FEW_MEMBERS];
        for (at, name) in names.enumerate() {
            if seen.iter().take(at).any(|earlier| same(earlier, name)) {
                return true;
            }
            if let Some(place) = seen.get_mut(at) {
                *place = name;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse_object;
    use super::*;

    #[test]
    fn numbers_are_as_rfc_8259_writes_them_and_fit_a_double() {
        let nines = "9".repeat(308);
        for good in ["0", "-0", "10", "0.5", "-1.5e-7", "1E5", "1e+5", "9e-999", &nines] {
            assert!(parse_object(format!("{{\"a\":{good}}}").as_bytes()).is_ok(), "{good}");
        }
        let many = "9".repeat(1_000_000);
        let long = "9".repeat(310);
        for bad in
            ["-", "00", "-01", "+1", ".5", "1.", "1.e5", "1e", "1e+", "0x10", "1_0", "1e999", "-1e999", "Infinity", &many, &long]
        {
            assert_eq!(
                parse_object(format!("{{\"a\":{bad}}}").as_bytes()).err(),
                Some(JsonFault::NotAnObject),
                "{}",
                &bad[..bad.len().min(9)]
            );
        }
    }

    #[test]
    fn v70_hostile_depth_and_size_fit_a_small_stack() {
        let judge = || {
            for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
                for depth in [17, 128, 100_000, 1_000_000] {
                    let text = format!("{{\"a\":{}1{}}}", open.repeat(depth), close.repeat(depth));
                    let unclosed = text.split_at(text.len() - depth).0;
                    for text in [&text, unclosed] {
                        assert_eq!(parse_object(text.as_bytes()).err(), Some(JsonFault::TooDeep), "{open} {depth}");
                    }
                }
            }
            let keys: Vec<_> = (0..1_000_000).map(|key| format!("\"{key}\":0")).collect();
            assert!(parse_object(format!("{{{}}}", keys.join(",")).as_bytes()).is_ok());
            assert!(parse_object(format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20)).as_bytes()).is_ok());
        };
        std::thread::Builder::new().stack_size(64 * 1024).spawn(judge).unwrap().join().unwrap();
    }

    /// Names that all have one value under the hash that some languages give to strings.
    #[test]
    fn v71_names_made_to_collide_cost_no_more_than_others() {
        let names = |bits: u32| {
            (0..1_u32 << bits)
                .map(move |id| (0..bits).map(|bit| if id >> bit & 1 == 0 { "Aa" } else { "BB" }).collect::<String>())
        };
        let object = |names: Vec<String>| format!("{{{}}}", names.join(","));
        let member = |name: String| format!("\"{name}\":0");
        let many = object(names(16).map(member).collect());
        assert_eq!(parse_object(many.as_bytes()).unwrap().members().count(), 1 << 16);
        let one_twice = object(names(16).chain(names(16).take(1)).map(member).collect());
        assert_eq!(parse_object(one_twice.as_bytes()).err(), Some(JsonFault::DuplicateMember));
    }

    #[test]
    fn every_number_of_members_is_searched_for_a_name_that_comes_twice() {
        for count in 1..3 * FEW_MEMBERS {
            let members: Vec<_> = (0..count).map(|id| format!("\"m{id}\":[{{\"m{id}\":0}}]")).collect();
            assert!(parse_object(format!("{{{}}}", members.join(",")).as_bytes()).is_ok());
            for twice in [format!("\"m{}\":0", count / 2), format!("\"\\u006d{}\":0", count / 2)] {
                let text = format!("{{{},{twice}}}", members.join(","));
                assert_eq!(parse_object(text.as_bytes()).err(), Some(JsonFault::DuplicateMember), "{text}");
            }
        }
    }
}
