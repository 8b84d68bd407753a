//! Access policies: what each demand admits, and what the refused are told.

use std::time::Duration;

use passant_verifier::{AccessPolicy, Reason};
use serde_json::{Value, json};

use crate::support::{NOW, TestKey, claims_with, fixed};

/// How a policy judges a good token with this claim, at a time after [`NOW`] by so many seconds.
fn judged(policy: &AccessPolicy, claim: &str, value: Value, later: i64) -> Option<(Reason, String)> {
    let caller = fixed().0.verify(&TestKey::first().sign(&claims_with(claim, value))).unwrap();
    policy.check(&caller, NOW + later).err().map(|refused| (refused.reason(), refused.challenge().unwrap_or_default()))
}

#[test]
fn all_scopes_are_demanded_and_one_of_each_choice_and_the_challenge_names_what_would_do() {
    let policy = AccessPolicy::new().scopes(["a", "b"]).any_scope(["c", "d"]);
    for scope in ["a b c", "d b a x", "a b c d"] {
        assert_eq!(judged(&policy, "scope", json!(scope), 0), None, "{scope}");
    }
    for scope in ["", "a", "a b", "a c", "ab c", "A b c"] {
        let (reason, challenge) = judged(&policy, "scope", json!(scope), 0).unwrap();
        assert_eq!(reason, Reason::InsufficientScope, "{scope}");
        assert!(challenge.ends_with(", scope=\"a b c\""), "{challenge}");
    }
    let nobody = AccessPolicy::new().any_scope([""; 0]);
    assert_eq!(judged(&nobody, "scope", json!("a"), 0).unwrap().0, Reason::InsufficientScope);
}

#[test]
fn roles_are_read_where_the_policy_says() {
    let admins = AccessPolicy::new().role("admin").any_role(["x", "y"]);
    assert_eq!(judged(&admins, "roles", json!(["y", "admin"]), 0), None);
    for roles in [json!(["admin"]), json!(["x"]), json!("admin x"), json!({ "admin": 1, "x": 1 }), json!(null)] {
        let (reason, challenge) = judged(&admins, "roles", roles.clone(), 0).unwrap();
        assert_eq!(reason, Reason::InsufficientRole, "{roles}");
        assert!(challenge.contains("error=\"insufficient_scope\"") && !challenge.contains("scope=\""), "{challenge}");
    }
    let keycloak = AccessPolicy::new().roles_in(["realm_access", "roles"]).role("admin");
    assert_eq!(judged(&keycloak, "realm_access", json!({ "roles": ["admin"] }), 0), None);
    assert_eq!(judged(&keycloak, "roles", json!(["admin"]), 0).unwrap().0, Reason::InsufficientRole);
}

#[test]
fn rfc_9470_a_sign_in_that_is_too_weak_or_too_old_is_challenged_with_what_would_do() {
    let strong = AccessPolicy::new().acr(["key", "mfa"]).max_auth_age(Duration::from_secs(600));
    let (reason, challenge) = judged(&strong, "acr", json!("pwd"), 0).unwrap();
    assert_eq!(reason, Reason::InsufficientAcr);
    assert_eq!(
        challenge,
        "Bearer realm=\"api\", error=\"insufficient_user_authentication\", \
         error_description=\"The user did not prove who they are in a required way.\", acr_values=\"key mfa\", max_age=\"600\""
    );
    let recent = AccessPolicy::new().max_auth_age(Duration::from_secs(3_600)).max_auth_age(Duration::from_secs(60));
    assert_eq!(judged(&recent, "auth_time", json!(NOW - 50), 10), None);
    let (reason, challenge) = judged(&recent, "auth_time", json!(NOW - 50), 11).unwrap();
    assert_eq!(reason, Reason::AuthTooOld);
    assert!(challenge.ends_with(", max_age=\"60\"") && !challenge.contains("acr_values"), "{challenge}");
    assert_eq!(judged(&recent, "acr", json!("mfa"), 0).unwrap().0, Reason::AuthTooOld, "a sign-in of no known time is too old");
    assert_eq!(
        judged(&recent, "auth_time", json!(NOW + 86_400), 61).unwrap().0,
        Reason::AuthTooOld,
        "nobody signs in after the token was issued"
    );
}

#[test]
fn freshness_is_demanded_last_and_is_our_fault() {
    let policy = AccessPolicy::new().scope("orders:read").require_fresh(Duration::from_secs(30));
    assert_eq!(judged(&policy, "scope", json!("orders:read"), 0), Some((Reason::RevocationsMissing, String::new())));
    assert_eq!(judged(&policy, "scope", json!("openid"), 0).unwrap().0, Reason::InsufficientScope);
}

#[test]
fn the_verifier_judges_by_its_own_clock() {
    let (verifier, clock) = fixed();
    let caller = verifier.verify(&TestKey::first().sign(&claims_with("auth_time", json!(NOW)))).unwrap();
    let recent = AccessPolicy::new().max_auth_age(Duration::from_secs(60));
    clock.advance(Duration::from_millis(60_999));
    assert!(verifier.authorize(&caller, &recent).is_ok());
    clock.advance(Duration::from_millis(1));
    assert_eq!(verifier.authorize(&caller, &recent).unwrap_err().reason(), Reason::AuthTooOld);
}
