//! The interceptor: who gets in, and by which status the others are told.

use passant_verifier::tonic::{AuthInterceptor, caller};
use passant_verifier::{AccessPolicy, Challenges};
use serde_json::json;
use tonic::service::Interceptor as _;
use tonic::{Code, Request, Status};

use crate::support::{TestKey, claims, claims_with, fixed};

fn interceptor() -> AuthInterceptor {
    fixed().0.interceptor().require(AccessPolicy::new().scope("orders:read"))
}

fn ask(mut interceptor: AuthInterceptor, authorization: &[&str]) -> Result<Request<()>, Status> {
    let mut request = Request::new(());
    for value in authorization {
        request.metadata_mut().append("authorization", value.parse().unwrap());
    }
    interceptor.call(request)
}

fn told<'s>(status: &'s Status, name: &str) -> Option<&'s str> {
    status.metadata().get(name).map(|value| value.to_str().unwrap())
}

#[test]
fn a_good_token_reaches_the_method_as_a_proof() {
    let request = ask(interceptor(), &[&format!("Bearer {}", TestKey::first().sign(&claims()))]).unwrap();
    assert_eq!(caller(&request).unwrap().subject(), "u-1");
}

#[test]
fn refusals_are_told_by_their_status_and_challenge() {
    let good = format!("Bearer {}", TestKey::first().sign(&claims()));
    let narrow = format!("Bearer {}", TestKey::first().sign(&claims_with("scope", json!("openid"))));
    let cases: [(&[&str], Code, &str); 5] = [
        (&[], Code::Unauthenticated, "Bearer realm=\"api\""),
        (&["Basic YTpi"], Code::Unauthenticated, "Bearer realm=\"api\""),
        (
            &["Bearer x"],
            Code::Unauthenticated,
            "Bearer realm=\"api\", error=\"invalid_token\", error_description=\"The token is not three parts joined by dots.\"",
        ),
        (
            &[&good, &good],
            Code::Unauthenticated,
            "Bearer realm=\"api\", error=\"invalid_request\", error_description=\"The request carries more than one Authorization header.\"",
        ),
        (
            &[&narrow],
            Code::PermissionDenied,
            "Bearer realm=\"api\", error=\"insufficient_scope\", error_description=\"The token lacks a required scope.\", \
             scope=\"orders:read\"",
        ),
    ];
    for (authorization, code, challenge) in cases {
        let status = ask(interceptor(), authorization).unwrap_err();
        assert_eq!((status.code(), told(&status, "www-authenticate")), (code, Some(challenge)));
        assert_eq!(told(&status, "grpc-retry-pushback-ms"), None);
    }
    let status = ask(interceptor().challenges(Challenges::default().realm("grpc")), &[]).unwrap_err();
    assert_eq!(told(&status, "www-authenticate"), Some("Bearer realm=\"grpc\""));
}

#[test]
fn what_we_lack_is_unavailable_and_says_when_to_come_again() {
    let stale = AccessPolicy::new().require_fresh(std::time::Duration::from_secs(30));
    let token = format!("Bearer {}", TestKey::first().sign(&claims()));
    let status = ask(interceptor().require(stale), &[&token]).unwrap_err();
    assert_eq!((status.code(), told(&status, "grpc-retry-pushback-ms")), (Code::Unavailable, Some("1000")));
    assert_eq!(told(&status, "www-authenticate"), None);
}

#[test]
fn optional_authentication_admits_no_token_but_no_bad_one() {
    let request = ask(interceptor().optional(), &[]).unwrap();
    assert_eq!(caller(&request).unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(ask(interceptor().optional(), &["Bearer x"]).unwrap_err().code(), Code::Unauthenticated);
}
