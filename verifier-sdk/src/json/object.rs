//! An object that was read in one pass and left no tree behind, only a flat list of where its values stand. Strings are borrowed,
//! and those with escapes stand unescaped in a text beside it: reading a token costs one allocation or two, whatever is in it.

use super::JsonFault;
use super::reader::{Kind, Node, read};

/// A JSON object that was read strictly; no name occurs twice.
#[derive(Debug)]
pub(crate) struct Object<'t> {
    text: &'t str,
    read: Read,
}

/// What was read in a text.
#[derive(Debug)]
pub(super) struct Read {
    /// All values, each followed by those inside it; before a member's value stands its name.
    pub(super) nodes: Vec<Node>,
    /// What strings with escapes mean.
    pub(super) unescaped: String,
}

/// A value of an [`Object`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'o> {
    Null,
    Bool(bool),
    Integer(u64),
    OtherNumber,
    String(&'o str),
    Array(Items<'o>),
    Object(Members<'o>),
}

/// The items of an array in their order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Items<'o> {
    text: &'o str,
    unescaped: &'o str,
    nodes: &'o [Node],
}

/// The members of an object in their order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Members<'o>(Items<'o>);

/// A place in a text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

/// Reads `text` as one JSON object.
pub(crate) fn parse_object(text: &[u8]) -> Result<Object<'_>, JsonFault> {
    let text = std::str::from_utf8(text).map_err(|_| JsonFault::NotAnObject)?;
    Ok(Object { text, read: read(text)? })
}

impl<'t> Object<'t> {
    pub(crate) fn get(&self, name: &str) -> Option<Value<'_>> {
        self.members().get(name)
    }

    pub(crate) fn members(&self) -> Members<'_> {
        Members::of(self.text, &self.read, 1)
    }

    /// Where one of its strings stands in its text and, behind that, the unescaped strings.
    pub(crate) fn span(&self, string: &str) -> Option<Span> {
        let within = |text: &str, behind: usize| {
            let start = string.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
            let end = start.checked_add(string.len()).filter(|end| *end <= text.len())?;
            Some(Span { start: u32::try_from(start + behind).ok()?, end: u32::try_from(end + behind).ok()? })
        };
        within(self.text, 0).or_else(|| within(&self.read.unescaped, self.text.len()))
    }

    /// The string that stands there.
    pub(crate) fn at(&self, span: Span) -> &str {
        match span.start.checked_sub(self.text.len() as u32) {
            None => span.of(self.text),
            Some(start) => Span { start, end: start + (span.end - span.start) }.of(&self.read.unescaped),
        }
    }

    /// The length of its text and its unescaped strings.
    pub(crate) fn whole_len(&self) -> usize {
        self.text.len() + self.read.unescaped.len()
    }

    /// The unescaped strings, to be put behind the text: there all strings are found by their spans.
    pub(crate) fn into_unescaped(self) -> String {
        self.read.unescaped
    }

    /// One of its strings, borrowed for longer, unless it had escapes.
    pub(super) fn as_written(&self, string: &str) -> Option<&'t str> {
        self.span(string).map(|span| span.of(self.text)).filter(|written| written.len() == string.len())
    }
}

impl<'o> Value<'o> {
    pub(crate) fn as_str(self) -> Option<&'o str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }
}

impl Span {
    /// The last `len` bytes of a text that is so long.
    pub(crate) fn ending_at(end: usize, len: usize) -> Self {
        Self { start: end.saturating_sub(len) as u32, end: end as u32 }
    }

    pub(crate) fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

impl<'o> Items<'o> {
    /// The next value's node and those inside it.
    fn next_node(&mut self) -> Option<(Node, &'o [Node])> {
        let (node, rest) = self.nodes.split_first()?;
        let (inner, after) = rest.split_at_checked(node.inner as usize)?;
        self.nodes = after;
        Some((*node, inner))
    }

    fn value(self, node: Node, inner: &'o [Node]) -> Value<'o> {
        let inside = Items { nodes: inner, ..self };
        match node.kind {
            Kind::Null => Value::Null,
            Kind::True => Value::Bool(true),
            Kind::False => Value::Bool(false),
            Kind::Number => self.text(node).parse().map_or(Value::OtherNumber, Value::Integer),
            Kind::Plain | Kind::Escaped => Value::String(self.text(node)),
            Kind::Array => Value::Array(inside),
            Kind::Object => Value::Object(Members(inside)),
        }
    }

    fn text(self, node: Node) -> &'o str {
        let text = if node.kind == Kind::Escaped { self.unescaped } else { self.text };
        Span { start: node.start, end: node.end }.of(text)
    }
}

impl<'o> Iterator for Items<'o> {
    type Item = Value<'o>;

    fn next(&mut self) -> Option<Value<'o>> {
        let (node, inner) = self.next_node()?;
        Some(self.value(node, inner))
    }
}

impl<'o> Members<'o> {
    /// The members whose names and values stand from this node on.
    pub(super) fn of(text: &'o str, read: &'o Read, first: usize) -> Self {
        Self(Items { text, unescaped: &read.unescaped, nodes: read.nodes.get(first..).unwrap_or_default() })
    }

    pub(crate) fn get(self, name: &str) -> Option<Value<'o>> {
        let Self(items) = self;
        let mut rest = items.nodes;
        while let [member, value, after @ ..] = rest {
            let (inner, next) = after.split_at_checked(value.inner as usize)?;
            if member.len() == name.len() && same(items.text(*member), name) {
                return Some(items.value(*value, inner));
            }
            rest = next;
        }
        None
    }

    pub(super) fn names(mut self) -> impl Iterator<Item = &'o str> {
        std::iter::from_fn(move || {
            let (name, _) = self.0.next_node()?;
            self.0.next_node()?;
            Some(self.0.text(name))
        })
    }
}

/// Whether two names are one. Names are short, and mostly differ in a letter at the front.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().eq(other.bytes())
}

impl<'o> Iterator for Members<'o> {
    type Item = (&'o str, Value<'o>);

    fn next(&mut self) -> Option<(&'o str, Value<'o>)> {
        let (name, _) = self.0.next_node()?;
        Some((self.0.text(name), self.0.next()?))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Theirs;

    use super::super::tree;
    use super::*;

    #[test]
    fn what_stands_in_a_text_is_found_where_it_stands() {
        let text =
            r#" { "a" : "x\u00e9\n" , "b":[1,{"a":2},"y"], "c":{"d":{}} , "e":true,"f":false,"g":null,"h":-1,"\u0069":"z" } "#;
        let object = parse_object(text.as_bytes()).unwrap();
        let beside = [text, &parse_object(text.as_bytes()).unwrap().into_unescaped()].concat();
        let string = |name| {
            let found = object.get(name).and_then(Value::as_str).unwrap();
            let span = object.span(found).unwrap();
            assert_eq!((span.of(&beside), object.at(span)), (found, found));
            found
        };
        assert_eq!((string("a"), string("i")), ("xé\n", "z"));
        let Some(Value::Array(mut items)) = object.get("b") else { panic!() };
        assert!(matches!(items.next(), Some(Value::Integer(1))));
        assert!(matches!(items.next(), Some(Value::Object(inner)) if matches!(inner.get("a"), Some(Value::Integer(2)))));
        assert!(matches!(items.next(), Some(Value::String("y"))) && items.next().is_none());
        let Some(Value::Object(mut members)) = object.get("c") else { panic!() };
        assert!(matches!(members.next(), Some(("d", Value::Object(_)))) && members.next().is_none());
        assert!(matches!(object.get("e"), Some(Value::Bool(true))) && matches!(object.get("f"), Some(Value::Bool(false))));
        assert!(matches!(object.get("g"), Some(Value::Null)) && matches!(object.get("h"), Some(Value::OtherNumber)));
        assert!(object.get("d").is_none() && object.get("").is_none());
        assert!(object.span("from elsewhere").is_none());
    }

    /// A reader written by others agrees about a hundred thousand mutated texts.
    #[test]
    fn what_is_read_here_is_what_another_reader_reads() {
        let seeds = [
            r#"{"iss":"https://id.example.com","aud":["a","b"],"iat":1900000000,"exp":1900000600,"nested":{"a":[1,-2.5e3,null]}}"#,
            r#"{"a":"\u0041\ud83d\udd11\"\\","b":true,"c":false,"d":0,"e":[[[]]],"f":{},"g":1e300}"#,
        ];
        let alphabet = b"{}[]\",:\\ud83 \ntruefalsnlbx-.0123456789eE+\xc3\xa9";
        let mut dice = 7_u64;
        let mut roll = |below: usize| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) as usize % below
        };
        let mut agreed_on_values = 0;
        for turn in 0..100_000 {
            let mut text = seeds[turn % 2].as_bytes().to_vec();
            for _ in 0..=roll(3) {
                let at = roll(text.len());
                match roll(3) {
                    0 => text[at] = alphabet[roll(alphabet.len())],
                    1 => text.insert(at, alphabet[roll(alphabet.len())]),
                    _ => drop(text.remove(at)),
                }
            }
            let theirs = serde_json::from_slice::<Theirs>(&text).ok();
            match (tree::parse_object(&text), theirs) {
                (Ok(ours), Some(Theirs::Object(theirs))) => {
                    assert!(agree(&ours, &theirs), "{}", String::from_utf8_lossy(&text));
                    agreed_on_values += 1;
                }
                (Err(JsonFault::DuplicateMember | JsonFault::TooDeep), _) => {}
                (Err(JsonFault::NotAnObject), Some(Theirs::Object(theirs))) => {
                    assert!(theirs.values().any(is_infinite), "{}", String::from_utf8_lossy(&text));
                }
                (Err(JsonFault::NotAnObject), _) => {}
                (Ok(_), _) => panic!("only we read {}", String::from_utf8_lossy(&text)),
            }
        }
        assert!(agreed_on_values > 10_000, "{agreed_on_values}");
    }

    fn agree(ours: &tree::Object<'_>, theirs: &serde_json::Map<String, Theirs>) -> bool {
        let same = |(name, value)| theirs.get(name).is_some_and(|theirs| agree_on(value, theirs));
        ours.members().count() == theirs.len() && ours.members().all(same)
    }

    fn agree_on(ours: &tree::Value<'_>, theirs: &Theirs) -> bool {
        match (ours, theirs) {
            (tree::Value::Null, Theirs::Null) => true,
            (tree::Value::Bool(ours), Theirs::Bool(theirs)) => ours == theirs,
            (tree::Value::Integer(ours), Theirs::Number(theirs)) => theirs.as_u64() == Some(*ours),
            (tree::Value::OtherNumber, Theirs::Number(theirs)) => !theirs.is_u64(),
            (tree::Value::String(ours), Theirs::String(theirs)) => ours == theirs,
            (tree::Value::Array(ours), Theirs::Array(theirs)) => {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| agree_on(ours, theirs))
            }
            (tree::Value::Object(ours), Theirs::Object(theirs)) => agree(ours, theirs),
            _ => false,
        }
    }

    fn is_infinite(theirs: &Theirs) -> bool {
        match theirs {
            Theirs::Number(number) => number.as_f64().is_none_or(f64::is_infinite),
            Theirs::Array(items) => items.iter().any(is_infinite),
            Theirs::Object(members) => members.values().any(is_infinite),
            _ => false,
        }
    }
}
