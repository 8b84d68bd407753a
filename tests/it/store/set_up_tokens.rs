//! The link that creates the first administrator: it works once, and no other link after it.

use passant::domain::audit::{Action, Event};
use passant::domain::cutoff::Target;
use passant::secret::TokenHash;
use passant::store::set_up_tokens::{self, SetUp};
use passant::store::users::NewUser;
use passant::store::{Db, feed_head, users};

use super::rows::{HOUR, fresh_hash, fresh_name, new_user};
use super::{NOW, Replicas, count, execute};

async fn link(it: &Replicas) -> TokenHash {
    let token = fresh_hash();
    set_up_tokens::create(&it.db, token.clone(), it.tick().await, NOW + HOUR).await.unwrap();
    token
}

fn administrator(name: &str) -> NewUser {
    NewUser { administrator: true, ..new_user(name) }
}

async fn redeem(db: &Db, token: &TokenHash) -> SetUp {
    set_up_tokens::redeem(db, token.clone(), administrator(&fresh_name())).await.unwrap()
}

async fn alive(it: &Replicas, token: &TokenHash) -> bool {
    read!(it.db, conn => set_up_tokens::alive(conn, token, NOW))
}

/// Two links, and nobody yet whom they made.
async fn two_links(it: &Replicas) -> [TokenHash; 2] {
    execute(&it.db, "DELETE FROM users").await;
    [link(it).await, link(it).await]
}

on_both_databases! {
    async fn a_link_creates_the_first_administrator_and_every_link_dies(it) {
        assert_eq!(read!(it.db, conn => set_up_tokens::needed(conn)), Some(it.tick().await));
        let (used, other) = (link(&it).await, link(&it).await);
        assert!(alive(&it, &used).await && alive(&it, &other).await);
        assert_eq!(redeem(&it.db, &used).await, SetUp::Done);
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM users WHERE administrator").await, 1);
        assert_eq!(read!(it.db, conn => set_up_tokens::needed(conn)), None);
        for token in [used, other, fresh_hash()] {
            assert!(!alive(&it, &token).await);
            assert_eq!(redeem(&it.db, &token).await, SetUp::LinkDead);
        }
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM set_up_tokens WHERE consumed_at IS NULL").await, 0);
    }

    async fn a_taken_name_leaves_the_link_alive(it) {
        let token = link(&it).await;
        assert!(users::create(&it.db, new_user("ada")).await.unwrap());
        let taken = set_up_tokens::redeem(&it.db, token.clone(), administrator("ada")).await.unwrap();
        assert_eq!(taken, SetUp::UsernameTaken);
        assert!(alive(&it, &token).await);
        assert_eq!(redeem(&it.db, &token).await, SetUp::Done);
    }

    async fn a_link_dies_with_its_time_and_with_the_issuers_cut_off(it) {
        let token = link(&it).await;
        assert!(!read!(it.db, conn => set_up_tokens::alive(conn, &token, NOW + HOUR)));
        feed_head::cut_off(&it.db, vec![Target::Issuer], Event::done(Action::IssuerCutOff), NOW).await.unwrap();
        assert!(!alive(&it, &token).await);
        assert_eq!(redeem(&it.db, &token).await, SetUp::LinkDead);
        assert!(alive(&it, &link(&it).await).await, "a link born at the cut-off lives");
    }

    async fn no_link_works_beside_an_administrator(it) {
        let token = link(&it).await;
        assert!(users::create(&it.db, administrator("root")).await.unwrap());
        assert!(!alive(&it, &token).await);
        assert_eq!(redeem(&it.db, &token).await, SetUp::LinkDead);
    }

    async fn a_link_is_consumed_once(it) {
        let token = link(&it).await;
        assert!(commit!(it.db, token.clone(), |tx, token| set_up_tokens::consume(tx, token, NOW)).unwrap());
        assert!(!alive(&it, &token).await);
        assert!(!commit!(it.db, token, |tx, token| set_up_tokens::consume(tx, token, NOW)).unwrap());
        assert!(!commit!(it.db, fresh_hash(), |tx, token| set_up_tokens::consume(tx, token, NOW)).unwrap());
    }

    async fn one_of_two_requests_consumes_a_link(it) {
        it.one_wins(async || link(&it).await, |db, token, _| async move {
            commit!(db, token, |tx, token| set_up_tokens::consume(tx, token, NOW)).unwrap()
        }).await;
    }

    async fn one_link_used_twice_at_once_makes_one_administrator(it) {
        it.one_wins(async || two_links(&it).await, |db, [token, _], _| async move { redeem(&db, &token).await == SetUp::Done }).await;
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM users").await, 1);
    }

    async fn two_links_used_at_once_make_one_administrator(it) {
        it.one_wins(async || two_links(&it).await, |db, links, side| async move { redeem(&db, &links[side]).await == SetUp::Done }).await;
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM users").await, 1);
    }
}
