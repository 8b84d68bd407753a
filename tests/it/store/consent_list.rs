//! The list of consents shows what is still allowed.

use passant::domain::consent::Consent;
use passant::domain::ids::{ClientId, UserId};
use passant::store::consents::{self, GivenConsent};
use passant::store::evidence::{self, Levels};
use passant::store::{accounts, consent_list, users};

use super::rows::{client, password_hash, user};
use super::{NOW, Replicas};

async fn allow(it: &Replicas, user: &UserId, client: &ClientId) {
    let consent = Consent { scopes: "openid".parse().unwrap(), ..Consent::default() };
    let given = GivenConsent { user_id: user.clone(), client_id: client.clone(), consent, updated_at: NOW };
    let born = it.tick().await;
    commit!(it.db, (given, born), |tx, (given, born)| consents::add(tx, given, *born)).unwrap();
}

on_both_databases! {
    async fn what_is_allowed_is_listed_until_it_is_withdrawn_or_cut_off(it) {
        let (ada, bob) = (user(&it.db).await, user(&it.db).await);
        let (shop, till) = (client(&it.db).await.0.client.id.clone(), client(&it.db).await.0.client.id.clone());
        for (user, client) in [(&ada, &shop), (&ada, &till), (&bob, &shop)] {
            allow(&it, &user.id, client).await;
        }
        let listed = async |user, client| read!(it.db, conn => consent_list::live(conn, user, client)).len();
        assert_eq!((listed(None, None).await, listed(Some(&ada.id), None).await), (3, 2));
        assert_eq!(listed(Some(&ada.id), Some(&shop)).await, 1);
        let one = read!(it.db, conn => consent_list::live(conn, Some(&bob.id), None)).remove(0);
        assert_eq!((one.username.as_str(), one.given.client_id.clone(), one.given.consent.scopes.to_string()), (bob.username.as_str(), shop.clone(), "openid".to_owned()));
        consents::withdraw(&it.db, ada.id.clone(), shop.clone(), NOW).await.unwrap();
        assert_eq!(listed(None, None).await, 2);
        accounts::disable(&it.db, bob.id.clone(), accounts::LastAdministrator::Spare, NOW).await.unwrap();
        assert_eq!(listed(None, None).await, 1);
    }

    async fn what_is_listed_is_what_an_approval_would_remember(it) {
        let (ada, shop) = (user(&it.db).await.id, client(&it.db).await.0.client.id.clone());
        let levels = Levels { user: Some(ada.clone()), client: Some(shop.clone()), ..Levels::default() };
        let seen = async || {
            let listed = read!(it.db, conn => consent_list::live(conn, Some(&ada), None)).len();
            (listed, read!(it.db, conn => evidence::read(conn, &levels, NOW)).consent.scopes.to_string())
        };
        allow(&it, &ada, &shop).await;
        assert_eq!(seen().await, (1, "openid".to_owned()));
        users::set_password(&it.db, ada.clone(), password_hash("new"), NOW).await.unwrap().unwrap();
        assert_eq!(seen().await, (0, String::new()), "a thief's yes dies with the old password");
        allow(&it, &ada, &shop).await;
        assert_eq!(seen().await, (1, "openid".to_owned()));
        users::log_out_everywhere(&it.db, ada.clone(), NOW).await.unwrap().unwrap();
        assert_eq!(seen().await, (0, String::new()));
    }
}
