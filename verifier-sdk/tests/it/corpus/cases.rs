//! What a token is made of: parts, base64url, JSON, signature, and the algorithms.

use aws_lc_rs::signature::{RSA_PKCS1_SHA384, RSA_PKCS1_SHA512};
use base64ct::Encoding as _;
use serde_json::{Value, json};

use super::{Case, MADE_ELSEWHERE, first, with_claims, with_payload, with_signature};
use crate::support::{TestKey, b64, claims, claims_with};
use crate::vectors::canonical;

pub(super) fn all() -> Vec<Case> {
    [structure(), encoding(), json_text(), signatures(), algorithms()].into_iter().flatten().collect()
}

fn good() -> String {
    with_claims(&claims())
}

fn parts() -> [String; 3] {
    let good = good();
    let mut parts = good.split('.').map(str::to_owned);
    std::array::from_fn(|_| parts.next().unwrap())
}

fn structure() -> Vec<Case> {
    let [header, payload, signature] = parts();
    let rfc = "RFC 7515 section 7.1, V40";
    let mut cases = vec![
        Case::new("a good token", good(), "accept", "RFC 9068 section 4"),
        Case::new("nothing", String::new(), "not_compact", rfc),
        Case::new("one part", header.clone(), "not_compact", rfc),
        Case::new("two parts", format!("{header}.{payload}"), "not_compact", rfc),
        Case::new("four parts", format!("{header}.{payload}.{signature}.{signature}"), "not_compact", rfc),
        Case::new("a dot at the end", format!("{header}.{payload}.{signature}."), "not_compact", rfc),
        Case::new("a dot at the front", format!(".{header}.{payload}.{signature}"), "not_compact", rfc),
        Case::new("two dots", "..".into(), "not_compact", rfc),
        Case::new("eight thousand dots", ".".repeat(8_000), "not_compact", rfc),
        Case::new("six parts", format!("{header}.{payload}.{signature}.a.b.c"), "not_compact", rfc),
        Case::new(
            "five parts, which is a JWE",
            format!("{header}.{payload}.{signature}.a.b"),
            "encrypted",
            "RFC 7516 section 7.1, V15",
        ),
        Case::new("no header", format!(".{payload}.{signature}"), "not_compact", "RFC 7515 section 5.2, V41"),
        Case::new("no payload", format!("{header}..{signature}"), "not_compact", "RFC 7515 section 5.2, V41"),
        Case::new("no signature", format!("{header}.{payload}."), "not_compact", "RFC 7515 section 5.2, V41"),
        Case::new(
            "flattened JSON serialization",
            canonical(&json!({ "protected": header, "payload": payload, "signature": signature }), 0, false),
            "not_compact",
            "RFC 7515 section 7.2.2, V16",
        ),
        Case::new(
            "general JSON serialization",
            canonical(&json!({ "payload": payload, "signatures": [{ "protected": header, "signature": signature }] }), 0, false),
            "not_compact",
            "RFC 7515 section 7.2.1, V16",
        ),
        Case::new(
            "header and payload exchanged",
            format!("{payload}.{header}.{signature}"),
            "alg_not_allowed",
            "RFC 7515 section 5.2, V53",
        ),
    ];
    let room = 8 * 1024 - good().len();
    let padded = |extra: usize| with_claims(&claims_with("pad", json!("x".repeat(extra))));
    // Base64url writes three bytes in four characters, so not every length can be made.
    let fits = (1..room).rev().map(padded).find(|token| token.len() <= 8 * 1024).unwrap();
    cases.push(Case::new("as long as a token may be", fits, "accept", "V48"));
    cases.push(Case::new("longer than 8 KiB", padded(room + 8), "too_large", "V48"));
    cases
}

fn encoding() -> Vec<Case> {
    let rfc = "RFC 7515 section 2";
    let mut cases = Vec::new();
    for (at, part) in ["header", "payload", "signature"].into_iter().enumerate() {
        let changed = |change: &dyn Fn(&str) -> String| {
            let mut parts = parts();
            parts[at] = change(&parts[at]);
            parts.join(".")
        };
        let inserted = |text: &str| {
            let text = text.to_owned();
            changed(&move |part: &str| format!("{}{text}{}", &part[..8], &part[8..]))
        };
        let mut add = |what: &str, token: String, source| {
            cases.push(Case::new(format!("{what} in the {part}"), token, "bad_base64", source))
        };
        add("padding", changed(&|part| format!("{part}=")), "RFC 7515 section 2, V42");
        add("double padding", changed(&|part| format!("{part}==")), "RFC 7515 section 2, V42");
        add("a plus sign", changed(&|part| format!("{}+{}", &part[..8], &part[9..])), "RFC 4648 section 5, V43");
        add("a slash", changed(&|part| format!("{}/{}", &part[..8], &part[9..])), "RFC 4648 section 5, V43");
        for (what, text) in [
            ("a space", " "),
            ("a tab", "\t"),
            ("a line feed", "\n"),
            ("a carriage return", "\r"),
            ("NUL", "\0"),
            ("a question mark", "?"),
            ("a number sign", "#"),
            ("a line separator", "\u{2028}"),
            ("a percent sign", "%3D"),
            ("a quotation mark", "\""),
            ("a letter that is not ASCII", "\u{e9}"),
        ] {
            add(
                what,
                inserted(text),
                if what.contains("percent") || what.contains("quotation") { "V46" } else { "RFC 7515 section 2, V45, V49" },
            );
        }
        add("a space at the front", changed(&|part| format!(" {part}")), rfc);
        add("a space at the end", changed(&|part| format!("{part} ")), rfc);
        add("a length that no bytes have", changed(&|part| part[..part.len() / 4 * 4 - 3].to_owned()), "RFC 4648 section 4, V47");
    }
    // 256 bytes of signature end in four unused bits, a header of a length that is no multiple of three in two or four.
    let [header, payload, signature] = parts();
    let loose = |part: &str| {
        let (front, last) = part.split_at(part.len() - 1);
        let at = ALPHABET.find(last).unwrap();
        format!("{front}{}", &ALPHABET[at + 1..at + 2])
    };
    cases.push(Case::new(
        "unused bits in the signature",
        format!("{header}.{payload}.{}", loose(&signature)),
        "bad_base64",
        "RFC 4648 section 3.5, V44",
    ));
    cases.push(Case::new(
        "the word Bearer before the token",
        format!("Bearer {}", good()),
        "bad_base64",
        "RFC 6750 section 2.1, V46",
    ));
    cases.push(Case::new("quotation marks around the token", format!("\"{}\"", good()), "bad_base64", "V46"));
    cases
}

const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn json_text() -> Vec<Case> {
    let text = canonical(&claims(), 0, false);
    let inside = text.strip_prefix('{').unwrap().strip_suffix('}').unwrap();
    let nested =
        |open: &str, close: &str, depth: usize| format!("{{{inside},\"x\":{}1{}}}", open.repeat(depth), close.repeat(depth));
    let mut cases = vec![
        Case::new("white space in the payload", with_payload(&format!(" {{ \n\t{inside}\r }} ")), "accept", "RFC 8259 section 2"),
        Case::new(
            "claims that nobody knows",
            with_payload(&format!("{{{inside},\"__proto__\":{{}},\"constructor\":1,\"\":null}}")),
            "accept",
            "RFC 7519 section 4, V69",
        ),
        Case::new(
            "a name that is escaped",
            with_payload(&format!("{{{}}}", inside.replace("\"exp\"", "\"\\u0065xp\""))),
            "accept",
            "RFC 8259 section 7",
        ),
        Case::new("fifteen arrays within the claims", with_payload(&nested("[", "]", 15)), "accept", "V70"),
        Case::new("sixteen arrays within the claims", with_payload(&nested("[", "]", 16)), "bad_json", "V70"),
        Case::new(
            "a hundred and twenty-eight objects within the claims",
            with_payload(&nested("{\"a\":", "}", 128)),
            "bad_json",
            "V70",
        ),
        Case::new(
            "a number of two thousand digits",
            with_payload(&format!("{{{inside},\"x\":{}}}", "9".repeat(2_000))),
            "bad_json",
            "RFC 8259 section 6, V70",
        ),
    ];
    for (what, payload) in [
        ("an array", format!("[{text}]")),
        ("a string", "\"text\"".into()),
        ("a number", "7".into()),
        ("null", "null".into()),
        ("true", "true".into()),
        ("a comma too many", format!("{{{inside},}}")),
        ("a comment", format!("{{{inside}/* */}}")),
        ("NaN", format!("{{{inside},\"x\":NaN}}")),
        ("a byte order mark", format!("\u{feff}{text}")),
        ("something behind it", format!("{text}{{}}")),
        ("no end", text[..text.len() - 1].to_owned()),
        ("single quotation marks", text.replace('"', "'")),
        ("a lone surrogate", format!("{{{inside},\"x\":\"\\ud800\"}}")),
        ("a control character", format!("{{{inside},\"x\":\"\n\"}}")),
        ("a leading zero", format!("{{{inside},\"x\":01}}")),
        ("nothing", " ".into()),
    ] {
        cases.push(Case::new(
            format!("a payload that is no JSON object: {what}"),
            with_payload(&payload),
            "bad_json",
            "RFC 7519 section 7.2, RFC 8259, V73",
        ));
    }
    for (what, member) in [
        ("exp", "\"exp\":1900000600"),
        ("aud", "\"aud\":\"orders-api\""),
        ("sub", "\"sub\":\"u-1\""),
        ("iss", "\"iss\":\"https://id.example.com\""),
        ("exp, once with an escape", "\"\\u0065xp\":1900000600"),
        ("an unknown name", "\"x\":1,\"x\":1"),
        ("a name within a claim", "\"x\":{\"y\":1,\"y\":1}"),
    ] {
        cases.push(Case::new(
            format!("{what} twice"),
            with_payload(&format!("{{{inside},{member}}}")),
            "duplicate_member",
            "RFC 7519 section 4, V68",
        ));
    }
    cases
}

fn signatures() -> Vec<Case> {
    let key = first();
    let signature = key.signature(good().rsplit_once('.').unwrap().0.as_bytes());
    let rfc = "RFC 8017 section 8.2.2, V50";
    let mut cases = Vec::new();
    for at in [0, 1, 7, 31, 63, 127, 128, 191, 223, 254, 255] {
        let mut flipped = signature.clone();
        flipped[at] ^= 1 << (at % 8);
        cases.push(Case::new(
            format!("a bit of byte {at} of the signature flipped"),
            with_signature(&flipped),
            "bad_signature",
            rfc,
        ));
    }
    let n = key.modulus();
    let mut below = n.clone();
    below[255] -= 1;
    for (what, bytes) in [
        ("zero", vec![0; 256]),
        ("one", [vec![0; 255], vec![1]].concat()),
        ("the modulus", n.clone()),
        ("the modulus less one", below),
        ("all ones", vec![255; 256]),
        ("a byte short", signature[..255].to_vec()),
        ("a byte long", [&signature[..], &[0]].concat()),
        ("a zero byte before it", [&[0], &signature[..]].concat()),
        ("one byte", vec![1]),
        ("twice itself", [&signature[..], &signature[..]].concat()),
    ] {
        cases.push(Case::new(format!("a signature that is {what}"), with_signature(&bytes), "bad_signature", rfc));
    }
    cases.push(Case::new("a signature longer than any", with_signature(&[1; 1_025]), "too_large", "RFC 7518 section 3.3, V48"));
    let other = with_claims(&claims_with("sub", json!("u-2")));
    let [header, payload, _] = parts();
    cases.push(Case::new(
        "the signature of another token",
        format!("{header}.{payload}.{}", other.rsplit_once('.').unwrap().1),
        "bad_signature",
        "V53",
    ));
    cases.push(Case::new(
        "the payload of another token",
        format!("{header}.{}.{}", other.split('.').nth(1).unwrap(), parts()[2]),
        "bad_signature",
        "V53",
    ));
    let by_second = TestKey::second().sign_text(&canonical(&key.header(), 0, false), &canonical(&claims(), 0, false));
    cases.push(Case::new("signed by the other key under this one's name", by_second.clone(), "bad_signature", "V53"));
    cases.push(
        Case::new("signed by the other key, which is known too", by_second, "bad_signature", "V53").keys("first and second"),
    );
    let own = TestKey::second().sign_text(&canonical(&TestKey::second().header(), 0, false), &canonical(&claims(), 0, false));
    cases.push(
        Case::new("signed by the second of two keys", own.clone(), "accept", "RFC 7517 section 4.5").keys("first and second"),
    );
    cases.push(Case::new("signed by a key that is not known", own, "unknown_key", "RFC 7517 section 4.5"));
    cases
}

fn algorithms() -> Vec<Case> {
    let made: Value = serde_json::from_str(MADE_ELSEWHERE).unwrap();
    let mut cases = Vec::new();
    for (name, token) in made["tokens"].as_object().unwrap() {
        let token = token.as_str().unwrap().to_owned();
        let source = if name == "EdDSA" { "RFC 8037 section 3.1, V06" } else { "RFC 7518 section 3.1, V06" };
        cases.push(
            Case::new(format!("{name}, which is listed"), token.clone(), "accept", source)
                .keys("OpenSSL's")
                .policy("every algorithm"),
        );
        let expect = if name == "RS256" { "accept" } else { "alg_not_allowed" };
        cases.push(Case::new(format!("{name} where RS256 alone is listed"), token.clone(), expect, source).keys("OpenSSL's"));
        let (front, signature) = token.rsplit_once('.').unwrap();
        let other = if signature.starts_with('A') { "B" } else { "A" };
        let forged = format!("{front}.{other}{}", &signature[1..]);
        cases.push(
            Case::new(format!("{name}, forged"), forged, "bad_signature", source).keys("OpenSSL's").policy("every algorithm"),
        );
    }
    let by = |alg: &str, signature: &dyn Fn(&[u8]) -> Vec<u8>| {
        let header = canonical(&json!({ "alg": alg, "typ": "at+jwt", "kid": "first" }), 0, false);
        let message = format!("{}.{}", b64(header.as_bytes()), b64(canonical(&claims(), 0, false).as_bytes()));
        format!("{message}.{}", b64(&signature(message.as_bytes())))
    };
    let key = first;
    for alg in [
        "none", "None", "NONE", "nOnE", " none", "none\0", "HS256", "HS384", "HS512", "rs256", "RS256 ", "", "ES256K", "RS1",
        "dir", "A128KW",
    ] {
        let token = by(alg, &|_| b"not empty".to_vec());
        cases.push(Case::new(format!("alg {alg:?}"), token, "alg_not_allowed", "RFC 8725 section 3.1 and 3.2, V01 to V04, V07"));
    }
    let [_, payload, _] = parts();
    let none = b64(canonical(&json!({ "alg": "none", "typ": "at+jwt" }), 0, false).as_bytes());
    cases.push(Case::new("alg none and no signature", format!("{none}.{payload}."), "not_compact", "RFC 8725 section 2.1, V01"));
    // With the key's public half as the secret of an HMAC.
    let der = key().public_der();
    let pem =
        format!("-----BEGIN RSA PUBLIC KEY-----\n{}\n-----END RSA PUBLIC KEY-----\n", base64ct::Base64::encode_string(&der));
    let jwk = canonical(&key().jwk(), 0, false);
    for (what, secret) in [
        ("the modulus", key().modulus()),
        ("the JWK", jwk.into_bytes()),
        ("the DER", der),
        ("the PEM", pem.clone().into_bytes()),
        ("the PEM without its last line feed", pem.trim_end().into()),
        ("the PEM behind a blank", format!(" {pem}").into_bytes()),
        ("the PEM behind a tab", format!("\t{pem}").into_bytes()),
        ("the PEM behind a line feed", format!("\r\n{pem}").into_bytes()),
        ("the PEM behind a byte order mark", format!("\u{feff}{pem}").into_bytes()),
    ] {
        let token = by("HS256", &|message| {
            use aws_lc_rs::hmac;
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message).as_ref().to_vec()
        });
        cases.push(Case::new(
            format!("HS256 with {what} as the secret"),
            token,
            "alg_not_allowed",
            "RFC 8725 section 2.1, V04, V05",
        ));
    }
    let pkcs1_384 = by("RS384", &|message| key().signature_by(&RSA_PKCS1_SHA384, message));
    cases.push(
        Case::new("RS384 with a key that is for RS256", pkcs1_384.clone(), "alg_mismatch", "RFC 7517 section 4.4, V09")
            .policy("every algorithm"),
    );
    cases.push(
        Case::new("RS384 with a key that says nothing, RS384 listed first", pkcs1_384, "accept", "V08")
            .keys("first without alg")
            .policy("RS384 or PS256"),
    );
    cases.push(Case::new(
        "RS256 by a signature of RS512",
        by("RS256", &|message| key().signature_by(&RSA_PKCS1_SHA512, message)),
        "bad_signature",
        "V52",
    ));
    cases
}
