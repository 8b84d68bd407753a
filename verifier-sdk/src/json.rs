//! JSON read strictly. Two parsers that disagree about a token are a hole (RFC 8725, section 2.7), so what readers commonly
//! disagree about — duplicate members, depth, odd numbers — is refused here, once for tokens, key sets and the feed.

mod escapes;
mod object;
mod reader;
pub(crate) mod tree;

pub(crate) use object::{Object, Span, Value, parse_object};

/// How deep arrays and objects may nest, the outermost object included.
pub(crate) const MAX_DEPTH: usize = 16;

/// What is wrong with a text that should be a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonFault {
    NotAnObject,
    TooDeep,
    DuplicateMember,
}

#[cfg(test)]
mod tests {
    use super::tree::{Value, parse_object};
    use super::{JsonFault, MAX_DEPTH};

    fn nested(depth: usize) -> String {
        format!("{{\"a\":{}1{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1))
    }

    #[test]
    fn v36_v68_duplicate_members_are_refused_at_any_depth_and_in_any_spelling() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"{"b":{"a":1,"a":2}}"#, r#"{"b":[[{"x":1,"\u0078":2}]]}"#] {
            assert_eq!(parse_object(text.as_bytes()), Err(JsonFault::DuplicateMember), "{text}");
        }
        let many: Vec<_> = (0..200).map(|i| format!("\"m{}\":0", i % 199)).collect();
        assert_eq!(parse_object(format!("{{{}}}", many.join(",")).as_bytes()), Err(JsonFault::DuplicateMember));
        let many: Vec<_> = (0..200).map(|i| format!("\"m{i}\":0")).collect();
        assert!(parse_object(format!("{{{}}}", many.join(",")).as_bytes()).is_ok());
    }

    #[test]
    fn v70_depth_is_bounded() {
        assert!(parse_object(nested(MAX_DEPTH).as_bytes()).is_ok());
        for depth in [MAX_DEPTH + 1, 128, 100_000] {
            assert_eq!(parse_object(nested(depth).as_bytes()), Err(JsonFault::TooDeep), "{depth}");
        }
        let objects = format!("{}1{}", "{\"a\":".repeat(MAX_DEPTH + 1), "}".repeat(MAX_DEPTH + 1));
        assert_eq!(parse_object(objects.as_bytes()), Err(JsonFault::TooDeep));
    }

    #[test]
    fn v37_what_is_not_a_json_object_is_refused() {
        let texts: [&[u8]; 20] = [
            b"",
            b"[]",
            b"\"a\"",
            b"1",
            b"null",
            b"{",
            b"{\"a\":1",
            b"{\"a\":1,}",
            b"{\"a\":1}x",
            b"{}{}",
            b"{\"a\":NaN}",
            b"{/**/}",
            b"\xef\xbb\xbf{}",
            b"{\0}",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":01}",
            b"{'a':1}",
            b"{\"a\":1e999}",
            b"{\"a\":\"\n\"}",
        ];
        for text in texts {
            assert_eq!(parse_object(text), Err(JsonFault::NotAnObject), "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(parse_object(&[0xff, 0xfe, b'{', 0, b'}', 0]), Err(JsonFault::NotAnObject));
    }

    #[test]
    fn only_unsigned_integers_count_as_integers() {
        let object = parse_object(br#" { "a" : 18446744073709551615, "b": 1.0, "c": -1, "d": 18446744073709551616 } "#).unwrap();
        assert_eq!(object.get("a"), Some(&Value::Integer(u64::MAX)));
        for name in ["b", "c", "d"] {
            assert_eq!(object.get(name), Some(&Value::OtherNumber), "{name}");
        }
    }

    #[test]
    fn v69_names_that_mean_something_elsewhere_are_plain_data() {
        let object = parse_object(br#"{"__proto__":{"exp":1},"constructor":2}"#).unwrap();
        assert_eq!((object.get("exp"), object.get("constructor")), (None, Some(&Value::Integer(2))));
    }
}
