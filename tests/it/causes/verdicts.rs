//! What is dead after each act and what lives, by level; the few acts that differ are named where they do.

use axum::http::StatusCode;
use passant::domain::causes::Cause;
use passant::domain::cutoff::Level;
use passant::jobs::{Job, RotateKeys};
use passant_tests::world::Tokens;

use super::acts::Done;
use super::scene::{Held, Scene, signed_in};
use super::{ADA, NEXT};

/// What of the scene lives on.
struct Lives {
    access: bool,
    refresh: bool,
    code: bool,
    here: bool,
    there: bool,
    own: bool,
    bystander: bool,
}

impl Lives {
    fn after(cause: Cause) -> Self {
        let all = Self { access: true, refresh: true, code: true, here: true, there: true, own: true, bystander: true };
        match cause.row().level {
            Level::Token => Self { access: false, ..all },
            Level::Grant => Self { access: false, refresh: false, ..all },
            Level::Consent => Self { access: false, refresh: false, code: false, ..all },
            Level::Session => Self { access: false, refresh: false, code: false, here: false, ..all },
            // What hangs on the browser that stays is born anew; only the tokens themselves cannot be.
            Level::User if cause == Cause::OtherSessionsEnded => Self { access: false, there: false, ..all },
            Level::User => Self { access: false, refresh: false, code: false, here: false, there: false, ..all },
            Level::Client => Self { access: false, refresh: false, code: false, own: false, ..all },
            Level::Key => Self { access: false, own: false, bystander: false, ..all },
            Level::Issuer => {
                Self { access: false, refresh: false, code: false, here: false, there: false, own: false, bystander: false }
            }
        }
    }
}

pub(super) async fn of_what_was_before(scene: &mut Scene, cause: Cause) {
    let lives = Lives::after(cause);
    assert_eq!(scene.lives(&scene.tokens).await, lives.access, "the access token");
    assert_eq!(scene.lives(&scene.own).await, lives.own, "the client's own token");
    assert_eq!(scene.lives(&scene.bystander).await, lives.bystander, "somebody else's token");
    let [here, there] = &mut scene.copies;
    assert_eq!(signed_in(here).await, lives.here, "the browser here");
    assert_eq!(signed_in(there).await, lives.there, "the browser there");
}

/// What was judged before the act is dead on arrival wherever its own level was cut off; what the act has nothing to do with is not.
pub(super) async fn of_what_was_held(scene: &mut Scene, cause: Cause, mut held: Held, done: &Done) {
    let (lives, level) = (Lives::after(cause), cause.row().level);
    held.release();
    let (mut third, _) = held.sign_in.await.unwrap();
    let (approval, refresh, own) = (held.approval.await.unwrap(), held.refresh.await.unwrap(), held.own.await.unwrap());
    assert_eq!(signed_in(&mut third).await, !of_a_user(level), "a sign-in whose password was proved");
    if let Some(account) = held.account {
        assert_eq!(account.await.unwrap().status, StatusCode::CONFLICT, "an act on the account that was judged");
    }
    if let Some(secret) = &done.secret {
        scene.world.secrets.collect("client secret", secret);
        scene.shop.secret = Some(secret.clone());
    }
    let late = Tokens::of(&refresh);
    assert_eq!(scene.lives(&late).await, level == Level::Token, "an access token whose refresh token was spent");
    assert_eq!(scene.lives(&Tokens::of(&own)).await, lives.own, "a token of a client that had authenticated");
    assert_eq!(scene.refreshes(late.refresh()).await.is_some(), lives.refresh, "the refresh token that came with it");
    let late_code = scene.callback(&approval).expect("the approval was judged before").code().to_owned();
    // Born before the cut-off, and not there when the grants of the browser that stays were born anew.
    let survives = lives.code && cause != Cause::OtherSessionsEnded;
    assert_eq!(scene.redeems(&late_code).await.is_some(), survives, "a code whose approval was judged");
    assert_eq!(scene.redeems(&scene.pending_code).await.is_some(), lives.code, "a code that was pending");
}

fn of_a_user(level: Level) -> bool {
    matches!(level, Level::User | Level::Issuer)
}

/// Whoever may begin anew does, and what they get is alive.
pub(super) async fn of_what_comes_after(scene: &mut Scene, cause: Cause, done: &mut Done) {
    RotateKeys::default().step(&scene.world.app).await;
    if let Some(agent) = &mut done.agent {
        assert!(signed_in(agent).await, "the browser that the act let in");
    }
    if matches!(cause, Cause::PasswordChanged | Cause::OtherSessionsEnded) {
        assert!(signed_in(&mut scene.here).await, "the browser that goes on");
    }
    let gone = matches!(cause, Cause::UserDisabled | Cause::UserDeleted);
    let password = if matches!(cause, Cause::PasswordChanged | Cause::PasswordSet) { NEXT } else { ADA.1 };
    let mut agent = scene.world.agent();
    agent.sign_in(ADA.0, password).await;
    assert_eq!(signed_in(&mut agent).await, !gone, "a new sign-in");

    let may_ask = !matches!(cause, Cause::ClientDisabled | Cause::ClientRemoved | Cause::ClientPruned);
    let own = scene.shop.token(&scene.world, &[("grant_type", "client_credentials")]).await;
    assert_eq!(own.status == StatusCode::OK, may_ask, "{}", own.body);
    if may_ask {
        assert!(scene.lives(&Tokens::of(&own)).await, "a client's new token");
    }
    if may_ask && !gone {
        let silent = agent.authorize(&scene.shop, &[("prompt", "none")]).await;
        let answer = scene.callback(&silent).expect("an answer comes without a page");
        let forgotten = matches!(cause.row().level, Level::Consent | Level::User | Level::Client | Level::Issuer);
        assert_eq!(answer.get("error"), forgotten.then_some("consent_required"), "what was remembered");
        let tokens = agent.tokens(&scene.shop, (ADA.0, password), &[]).await;
        assert!(scene.lives(&tokens).await, "a user's new token");
        let next = scene.refreshes(tokens.refresh()).await.expect("a new refresh token works");
        assert!(scene.lives(&next).await);
    }
}
