//! The cut-off of the whole issuer.

use passant::domain::consent::Consent;
use passant::store::everything::{self, Alive};
use passant::store::grants::{self, Approved};
use passant::store::{feed_head, sessions};

use super::rows::{approval, client, new_approval, session, user};
use super::{NOW, count, rows};

on_both_databases! {
    async fn it_is_one_cut_off_and_counts_what_it_ends(it) {
        let alive = async || read!(it.db, conn => everything::alive(conn, NOW));
        assert_eq!(alive().await, Alive { sessions: 0, grants: 0, consents: 0 });
        let (ada, (shop, _)) = (user(&it.db).await, client(&it.db).await);
        let session = session(&it.db, &ada.id).await.session;
        let consent = Consent { scopes: "openid".parse().unwrap(), ..Consent::default() };
        let mut remembered = new_approval(&ada.id, &shop.client.id, &session.id, session.born);
        remembered.remember = Some(consent);
        assert_eq!(grants::approve(&it.db, remembered).await.unwrap(), Approved::Written);
        let ended = approval(&it.db).await.grant;
        assert_eq!(alive().await, Alive { sessions: 2, grants: 2, consents: 1 });
        grants::revoke(&it.db, ended.id, NOW).await.unwrap().unwrap();
        sessions::end(&it.db, ended.session_id, NOW).await.unwrap().unwrap();
        assert_eq!(alive().await, Alive { sessions: 1, grants: 1, consents: 1 });
        let before = it.tick().await;
        let tick = everything::revoke(&it.db, NOW).await.unwrap();
        assert!(tick > before && read!(it.db, conn => feed_head::read(conn)).tick == tick);
        let named: Vec<(String,)> = rows(&it.db, "SELECT level FROM cutoffs WHERE tick = (SELECT tick FROM feed_head)").await;
        assert_eq!(named, [("iss".to_owned(),)]);
        assert_eq!(count(&it.db, "SELECT COUNT(*) FROM audit WHERE action = 'issuer_cut_off' AND tick IS NOT NULL").await, 1);
        assert_eq!(alive().await, Alive { sessions: 0, grants: 0, consents: 0 });
    }
}
