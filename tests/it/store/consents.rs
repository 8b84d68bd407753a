use passant::domain::audit::{Action, Event};
use passant::domain::client::ClientOrigin;
use passant::domain::consent::Consent;
use passant::domain::cutoff::{Level, Standing, Target, revoked};
use passant::domain::ids::{ClientId, Tick, UserId};
use passant::store::accounts::{self, LastAdministrator};
use passant::store::consents::{self, GivenConsent};
use passant::store::evidence::{self, Levels};
use passant::store::{clients, feed_head, registrations, sweep};

use super::rows::{HOUR, client, declared, fresh_name, user};
use super::{NOW, Replicas, at_once, execute_with};

fn allowing(user: &UserId, client: &ClientId, scopes: &str) -> GivenConsent {
    let consent = Consent { scopes: scopes.parse().unwrap(), ..Consent::default() };
    GivenConsent { user_id: user.clone(), client_id: client.clone(), consent, updated_at: NOW }
}

async fn add(it: &Replicas, given: GivenConsent, born: Tick) {
    commit!(it.db, (given, born), |tx, (given, born)| consents::add(tx, given, *born)).unwrap();
}

/// What is still allowed, as an approval would find it.
async fn allowed(it: &Replicas, user: &UserId, client: &ClientId) -> String {
    let levels = Levels { user: Some(user.clone()), client: Some(client.clone()), ..Levels::default() };
    read!(it.db, conn => evidence::read(conn, &levels, NOW)).consent.scopes.to_string()
}

async fn people(it: &Replicas) -> (UserId, ClientId) {
    (user(&it.db).await.id, client(&it.db).await.0.client.id.clone())
}

on_both_databases! {
    async fn a_further_answer_adds_to_the_earlier_one(it) {
        let (user, client) = people(&it).await;
        assert_eq!(allowed(&it, &user, &client).await, "");
        let tick = it.tick().await;
        add(&it, allowing(&user, &client, "openid"), tick).await;
        add(&it, allowing(&user, &client, "email"), tick).await;
        assert_eq!(allowed(&it, &user, &client).await, "email openid");
        let found = read!(it.db, conn => consents::find(conn, &user, &client)).unwrap();
        assert_eq!(found.consent.scopes.to_string(), "email openid");
    }

    async fn two_answers_at_once_lose_nothing(it) {
        let (user, client) = people(&it).await;
        let tick = it.tick().await;
        for round in 0..20 {
            let answer = |side: usize, db: passant::store::Db| {
                let given = allowing(&user, &client, &format!("s{round}.{side}"));
                async move { commit!(db, (given, tick), |tx, (given, tick)| consents::add(tx, given, *tick)).unwrap() }
            };
            at_once(answer(0, it.db.clone()), answer(1, it.other.clone())).await;
        }
        assert_eq!(allowed(&it, &user, &client).await.split(' ').count(), 40);
    }

    async fn withdrawal_cuts_off_at_its_own_level_and_forgets_the_answer(it) {
        let (user, client) = people(&it).await;
        let born = it.tick().await;
        add(&it, allowing(&user, &client, "openid"), born).await;
        let tick = consents::withdraw(&it.db, user.clone(), client.clone(), NOW).await.unwrap();
        assert_eq!(allowed(&it, &user, &client).await, "");
        let levels = Levels { user: Some(user.clone()), client: Some(client.clone()), ..Levels::default() };
        let evidence = read!(it.db, conn => evidence::read(conn, &levels, NOW)).evidence;
        assert_eq!(revoked(born, &evidence), Some(Level::Consent));
        assert_eq!(revoked(tick, &evidence), None);
        let other = Levels { client: Some(crate::store::rows::client(&it.db).await.0.client.id.clone()), ..levels };
        assert_eq!(revoked(it.tick().await, &read!(it.db, conn => evidence::read(conn, &other, NOW)).evidence), None);
        assert!(tick > born);
    }

    async fn what_was_never_remembered_can_be_withdrawn(it) {
        let (user, client) = people(&it).await;
        let born = it.tick().await;
        consents::withdraw(&it.db, user.clone(), client.clone(), NOW).await.unwrap();
        let levels = Levels { user: Some(user), client: Some(client), ..Levels::default() };
        let evidence = read!(it.db, conn => evidence::read(conn, &levels, NOW)).evidence;
        assert_eq!(revoked(born, &evidence), Some(Level::Consent));
    }

    async fn an_answer_that_was_overtaken_by_a_withdrawal_is_not_remembered(it) {
        let (user, client) = people(&it).await;
        let judged_at = it.tick().await;
        consents::withdraw(&it.db, user.clone(), client.clone(), NOW).await.unwrap();
        add(&it, allowing(&user, &client, "openid"), judged_at).await;
        assert_eq!(allowed(&it, &user, &client).await, "");
        // Nor does a later, smaller answer bring it back.
        let tick = it.tick().await;
        add(&it, allowing(&user, &client, "email"), tick).await;
        assert_eq!(allowed(&it, &user, &client).await, "email");
    }

    async fn an_answer_to_an_earlier_client_of_the_same_id_is_not_one_to_this(it) {
        let (user, name) = (user(&it.db).await.id, fresh_name());
        let one = clients::create(&it.db, declared(&name), NOW).await.unwrap().unwrap();
        let id = ClientId::new(name.clone());
        add(&it, allowing(&user, &id, "openid"), one).await;
        assert_eq!(allowed(&it, &user, &id).await, "openid");
        execute_with(&it.db, "DELETE FROM clients WHERE id = $1", name.clone()).await;
        assert_eq!(allowed(&it, &user, &id).await, "");
        clients::create(&it.db, declared(&name), NOW).await.unwrap().unwrap();
        assert_eq!(allowed(&it, &user, &id).await, "");
    }

    async fn what_was_withdrawn_is_never_forgotten(it) {
        let (user, client) = people(&it).await;
        let tick = consents::withdraw(&it.db, user.clone(), client.clone(), NOW).await.unwrap();
        registrations::remove(&it.db, client.clone(), ClientOrigin::CommandLine, NOW).await.unwrap().unwrap();
        accounts::delete(&it.db, user.clone(), LastAdministrator::Spare, NOW).await.unwrap();
        while sweep::batch(&it.db, NOW + HOUR * 1_000_000).await.unwrap() > 0 {}
        let levels = Levels { user: Some(user), client: Some(client), ..Levels::default() };
        let evidence = read!(it.db, conn => evidence::read(conn, &levels, NOW)).evidence;
        assert_eq!(evidence.consent, Standing::CutOff(tick));
    }

    async fn an_issuer_wide_cut_off_ends_every_answer(it) {
        let (user, client) = people(&it).await;
        add(&it, allowing(&user, &client, "openid"), it.tick().await).await;
        feed_head::cut_off(&it.db, vec![Target::Issuer], Event::done(Action::IssuerCutOff), NOW).await.unwrap();
        assert_eq!(allowed(&it, &user, &client).await, "");
    }
}
