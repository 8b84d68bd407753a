//! Grants: written with their code or not at all, ended once.

use std::time::Duration;

use passant::clock::UnixTime;
use passant::domain::audit::{Action, Event};
use passant::domain::consent::Consent;
use passant::domain::cutoff::Standing;
use passant::domain::ids::{ClientId, GrantId, SessionId, Tick, UserId};
use passant::secret::TokenHash;
use passant::store::evidence::{self, Levels};
use passant::store::grants::{self, Approval, Approved};
use passant::store::{authorization_requests, codes};

use super::rows::{HOUR, approval, client, keep, new_approval, session, user};
use super::{NOW, Replicas, count, rows};

fn answering(handle: TokenHash) -> Approval {
    let approval = new_approval(&UserId::new("u"), &ClientId::new("c"), &SessionId::new("s"), Tick::new(1));
    Approval { answers: Some(handle), ..approval }
}

async fn standing(it: &Replicas, id: &GrantId) -> Standing {
    let levels = Levels { grant: Some(id.clone()), ..Levels::default() };
    read!(it.db, conn => evidence::read(conn, &levels, NOW)).evidence.grant
}

on_both_databases! {
    async fn an_approval_leaves_a_grant_and_its_code(it) {
        let approval = approval(&it.db).await;
        assert_eq!(read!(it.db, conn => grants::find(conn, &approval.grant.id)), Some(approval.grant.clone()));
        let code = read!(it.db, conn => codes::find(conn, &approval.code_hash)).unwrap();
        assert_eq!((code.grant_id, code.consumed), (approval.grant.id, false));
        assert!(read!(it.db, conn => grants::find(conn, &GrantId::random())).is_none());
    }

    async fn an_approval_answers_its_request(it) {
        let handle = keep(&it.db, None).await.handle_hash;
        assert_eq!(grants::approve(&it.db, answering(handle.clone())).await.unwrap(), Approved::Written);
        assert!(read!(it.db, conn => authorization_requests::find(conn, &handle, NOW)).is_none());
    }

    async fn an_approval_that_comes_too_late_writes_nothing(it) {
        let handle = keep(&it.db, None).await.handle_hash;
        assert!(authorization_requests::refuse(&it.db, handle.clone(), Event::done(Action::GrantDeny), NOW).await.unwrap());
        let remember = Some(Consent { scopes: "openid".parse().unwrap(), ..Consent::default() });
        assert_eq!(grants::approve(&it.db, Approval { remember, ..answering(handle) }).await.unwrap(), Approved::AnsweredBefore);
        let written = "SELECT (SELECT COUNT(*) FROM grants) + (SELECT COUNT(*) FROM codes) + (SELECT COUNT(*) FROM consents)";
        assert_eq!(count(&it.db, written).await, 0);
    }

    async fn a_session_gets_so_many_codes_within_the_life_of_one(it) {
        let handle = keep(&it.db, None).await.handle_hash;
        let approve = async |session: &str, answers: Option<&TokenHash>, now: UnixTime| {
            let approval = new_approval(&UserId::new("u"), &ClientId::new("c"), &SessionId::new(session), Tick::new(1));
            grants::approve(&it.db, Approval { room: 2, answers: answers.cloned(), now, ..approval }).await.unwrap()
        };
        let later = |seconds| NOW + Duration::from_secs(seconds);
        assert_eq!(approve("s", None, NOW).await, Approved::Written);
        assert_eq!(approve("s", None, later(1)).await, Approved::Written);
        assert_eq!(approve("s", Some(&handle), later(59)).await, Approved::TooMany);
        assert!(read!(it.db, conn => authorization_requests::find(conn, &handle, NOW)).is_some(), "the request waits on");
        assert_eq!(approve("other", None, later(59)).await, Approved::Written);
        assert_eq!(approve("s", Some(&handle), later(60)).await, Approved::Written);
        assert_eq!(approve("s", None, later(60)).await, Approved::TooMany);
    }

    async fn an_approval_is_remembered_as_far_as_it_says(it) {
        let (user, (client, _)) = (user(&it.db).await, client(&it.db).await);
        let session = session(&it.db, &user.id).await.session;
        let levels = Levels { user: Some(user.id.clone()), client: Some(client.client.id.clone()), ..Levels::default() };
        for (remember, expected) in [(None, ""), (Some("openid"), "openid")] {
            let approval = new_approval(&user.id, &client.client.id, &session.id, it.tick().await);
            let remember = remember.map(|scopes| Consent { scopes: scopes.parse().unwrap(), ..Consent::default() });
            assert_eq!(grants::approve(&it.db, Approval { remember, ..approval }).await.unwrap(), Approved::Written);
            assert_eq!(read!(it.db, conn => evidence::read(conn, &levels, NOW)).consent.scopes.to_string(), expected);
        }
    }

    async fn a_revoked_grant_is_cut_off_once(it) {
        let (mine, other) = (approval(&it.db).await.grant.id, approval(&it.db).await.grant.id);
        let before = it.tick().await;
        let tick = grants::revoke(&it.db, mine.clone(), NOW).await.unwrap().unwrap();
        assert!(tick > before);
        assert_eq!(standing(&it, &mine).await, Standing::Ended);
        assert_eq!(standing(&it, &other).await, Standing::CutOff(Tick::ZERO));
        assert_eq!(commit!(it.db, mine, |tx, id| grants::end(tx, id, NOW)).unwrap(), None);
        assert_eq!(grants::revoke(&it.db, GrantId::random(), NOW).await.unwrap(), None, "an unknown one");
        assert_eq!(it.tick().await, tick);
    }

    async fn a_lock_notes_the_use_of_a_grant(it) {
        let id = approval(&it.db).await.grant.id;
        assert!(commit!(it.db, id, |tx, id| grants::lock(tx, id, NOW + HOUR)).unwrap());
        let used: Vec<(i64,)> = rows(&it.db, "SELECT last_used_at FROM grants").await;
        assert_eq!(used, [((NOW + HOUR).millis(),)]);
        assert!(!commit!(it.db, GrantId::random(), |tx, id| grants::lock(tx, id, NOW)).unwrap());
    }

    async fn one_of_two_approvals_answers_a_request(it) {
        it.one_wins(async || keep(&it.db, None).await.handle_hash, |db, handle, _| async move {
            grants::approve(&db, answering(handle)).await.unwrap() == Approved::Written
        }).await;
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM grants").await, 40);
    }

    async fn one_of_two_requests_ends_a_grant(it) {
        it.one_wins(async || approval(&it.db).await.grant.id, |db, id, side| async move {
            if side == 0 {
                grants::revoke(&db, id, NOW).await.unwrap().is_some()
            } else {
                commit!(db, id, |tx, id| grants::end(tx, id, NOW)).unwrap().is_some()
            }
        }).await;
    }

    async fn the_grants_of_a_session_are_those_that_were_not_ended(it) {
        let (one, other) = (approval(&it.db).await.grant, approval(&it.db).await.grant);
        let of = async |user: &passant::domain::ids::UserId| read!(it.db, conn => grants::of_session(conn, user, &one.session_id));
        assert_eq!(of(&one.user_id).await, std::slice::from_ref(&one));
        assert_eq!(of(&other.user_id).await, []);
        grants::revoke(&it.db, one.id.clone(), NOW).await.unwrap().unwrap();
        assert_eq!(of(&one.user_id).await, []);
    }
}
