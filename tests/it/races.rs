//! The races that ticks exist for, and the concurrency that rotation and redemption promise to survive.

use std::sync::Arc;

use axum::http::StatusCode;
use passant::app::checkpoint::Checkpoint;
use passant::domain::audit::{Action, Entry, Event};
use passant::domain::client::ClientOrigin;
use passant::domain::ids::{GrantId, UserId};
use passant::domain::password::{Cost, Password, PasswordHash, Workspace};
use passant::domain::user::Username;
use passant::store::audit::{self, Filter};
use passant::store::{consents, feed_head, grants, registrations, users};
use passant_tests::on_both_engines;
use passant_tests::world::{Answer, Callback, Tokens, World};
use tokio::task::JoinSet;

const ADA: (&str, &str) = ("ada", "an engine that weaves algebra");
const OTHER: &str = "another engine entirely";
const WEAK: &str = "a password hashed long ago";

/// All answers of so many requests at once.
async fn at_once<F>(number: usize, request: impl Fn() -> F) -> Vec<Answer>
where
    F: Future<Output = Answer> + Send + 'static,
{
    let mut all = JoinSet::new();
    for _ in 0..number {
        all.spawn(request());
    }
    all.join_all().await
}

async fn stored_hash(world: &World) -> PasswordHash {
    let mut reader = world.db().reader().await.unwrap();
    let record = users::sign_in_record(&mut reader.conn(), &Username::parse(ADA.0).unwrap()).await.unwrap();
    record.unwrap().password_hash.unwrap()
}

/// A hash of a lower cost than the world's.
fn hashed(password: &str) -> PasswordHash {
    let cost = Cost { memory_kib: 8, iterations: 1, parallelism: 1 };
    PasswordHash::compute(&Password::typed(password).unwrap(), cost, &mut Workspace::default()).unwrap()
}

async fn set_password(world: &World, user: &UserId, password: &str) {
    world.secrets.collect("password", password);
    users::set_password(world.db(), user.clone(), hashed(password), world.app.now()).await.unwrap().unwrap();
}

async fn revoke_grant(world: &World, tokens: &Tokens) {
    let gid = GrantId::new(tokens.claims()["gid"].as_str().unwrap());
    grants::revoke(world.db(), gid, world.app.now()).await.unwrap().expect("the grant lived");
}

/// The audit trail's revocations of tokens.
async fn revocations(world: &World) -> Vec<Entry> {
    let filter = Filter { action: Some(Action::TokenRevoke.as_str().to_owned()), most: 100, ..Filter::default() };
    audit::list(&mut world.db().reader().await.unwrap().conn(), &filter).await.unwrap()
}

on_both_engines! {
    async fn ten_uses_of_one_refresh_token_at_once_give_one_live_successor_and_log_nobody_out(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let first = agent.tokens(&client, ADA, &[]).await;
        let (client, token) = (Arc::new(client), Arc::new(first.refresh().to_owned()));
        let answers = at_once(10, || {
            let (client, token, world) = (Arc::clone(&client), Arc::clone(&token), Arc::clone(&world));
            async move { client.refresh(&world.agent(), &token).await }
        })
        .await;
        let successors: Vec<String> = answers.iter().map(|answer| Tokens::of(answer).refresh().to_owned()).collect();
        assert!(successors.iter().all(|successor| *successor == successors[0]), "there is one live leaf");
        let next = Tokens::of(&client.refresh(&agent, &successors[0]).await);
        assert_eq!(agent.userinfo(next.access()).await.status, StatusCode::OK);

        assert_eq!(client.refresh(&agent, &token).await.error(), "invalid_grant");
        assert_eq!(client.refresh(&agent, next.refresh()).await.error(), "invalid_grant", "the parent after its successor's use kills the grant");
        assert_eq!(agent.userinfo(next.access()).await.status, StatusCode::UNAUTHORIZED);
    }

    async fn a_hundred_redemptions_of_one_code_at_once_give_one_success_and_then_a_dead_grant(world) {
        world.user(ADA.0, ADA.1).await;
        let client = Arc::new(world.client("shop-web", |_| {}).await);
        let mut agent = world.agent();
        let code = Arc::new(agent.callback(&client, ADA, &[]).await.code().to_owned());
        let answers = at_once(100, || {
            let (client, code, world) = (Arc::clone(&client), Arc::clone(&code), Arc::clone(&world));
            async move { client.redeem(&world.agent(), &code).await }
        })
        .await;
        let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == StatusCode::OK);
        assert_eq!((good.len(), bad.len()), (1, 99));
        assert!(bad.iter().all(|answer| answer.error() == "invalid_grant"));
        let tokens = Tokens::of(&good[0]);
        assert_eq!(agent.userinfo(tokens.access()).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(client.refresh(&agent, tokens.refresh()).await.error(), "invalid_grant");
    }

    async fn a_sign_in_whose_password_was_checked_before_it_was_changed_is_dead_on_arrival(world) {
        let ada = world.user(ADA.0, ADA.1).await;
        let mut hold = world.held.next(Checkpoint::PasswordProved);
        let mut agent = world.agent();
        let signing_in = tokio::spawn(async move {
            let answer = agent.sign_in(ADA.0, ADA.1).await;
            (agent, answer)
        });
        hold.arrived().await;
        set_password(&world, &ada, OTHER).await;
        hold.release();
        let (mut agent, answer) = signing_in.await.unwrap();
        assert_eq!(answer.location(), "/");
        assert!(agent.get("/").await.field("csrf").is_none(), "nobody is signed in");
        agent.sign_in(ADA.0, OTHER).await;
        assert!(agent.get("/").await.field("csrf").is_some(), "the new password signs in");
    }

    async fn an_approval_judged_before_the_password_was_changed_gives_a_dead_code(world) {
        let ada = world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let mut hold = world.held.next(Checkpoint::ApprovalJudged);
        let (approving, asking) = (client.clone(), tokio::sync::oneshot::channel());
        let task = tokio::spawn(async move {
            let callback = agent.callback(&approving, ADA, &[]).await;
            asking.0.send(callback).unwrap();
        });
        hold.arrived().await;
        set_password(&world, &ada, OTHER).await;
        hold.release();
        task.await.unwrap();
        let callback = asking.1.await.unwrap();
        assert_eq!(client.redeem(&world.agent(), callback.code()).await.error(), "invalid_grant");
    }

    async fn a_silent_approval_judged_before_consent_was_withdrawn_gives_a_dead_code(world) {
        let ada = world.user(ADA.0, ADA.1).await;
        let client = world.client("third", |it| it.first_party = false).await;
        let mut agent = world.agent();
        agent.tokens(&client, ADA, &[]).await;
        let mut hold = world.held.next(Checkpoint::ApprovalJudged);
        let approving = client.clone();
        let task = tokio::spawn(async move {
            let answer = agent.authorize(&approving, &[("prompt", "none")]).await;
            (agent, answer)
        });
        hold.arrived().await;
        consents::withdraw(world.db(), ada, client.client.id.clone(), world.app.now()).await.unwrap();
        hold.release();
        let (mut agent, answer) = task.await.unwrap();
        let callback = Callback::parse(answer.location(), client.redirect_uri());
        assert_eq!(client.redeem(&agent, callback.code()).await.error(), "invalid_grant");
        let answer = agent.authorize(&client, &[("prompt", "none")]).await;
        assert_eq!(Callback::parse(answer.location(), client.redirect_uri()).get("error"), Some("consent_required"));
    }

    async fn consent_withdrawn_between_the_choice_of_a_page_and_the_approval_leads_to_the_question(world) {
        let ada = world.user(ADA.0, ADA.1).await;
        let client = world.client("third", |it| it.first_party = false).await;
        for (change, error) in [(&[("prompt", "none")][..], Some("consent_required")), (&[], None)] {
            let mut agent = world.agent();
            agent.tokens(&client, ADA, &[("prompt", "consent")]).await;
            let mut hold = world.held.next(Checkpoint::StepChosen);
            let asking = client.clone();
            let change = change.to_vec();
            let task = tokio::spawn(async move {
                let answer = agent.authorize(&asking, &change).await;
                (agent, answer)
            });
            hold.arrived().await;
            consents::withdraw(world.db(), ada.clone(), client.client.id.clone(), world.app.now()).await.unwrap();
            hold.release();
            let (mut agent, answer) = task.await.unwrap();
            match error {
                Some(error) => assert_eq!(Callback::parse(answer.location(), client.redirect_uri()).get("error"), Some(error)),
                None => assert!(agent.follow(answer).await.body.contains("asks for access")),
            }
        }
    }

    async fn a_client_made_anew_after_the_registration_was_read_gets_nothing_of_the_earlier_ones(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop", |_| {}).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let mut hold = world.held.next(Checkpoint::StepChosen);
        let asking = client.clone();
        let task = tokio::spawn(async move { agent.authorize(&asking, &[]).await });
        hold.arrived().await;
        let (id, now) = (client.client.id.clone(), world.app.now());
        registrations::remove(world.db(), id, ClientOrigin::CommandLine, now).await.unwrap().expect("the client was there");
        world.client("shop", |it| it.first_party = false).await;
        hold.release();
        let answer = task.await.unwrap();
        assert!(answer.status.is_client_error() && answer.header("location").is_none(), "{}", answer.status);
    }

    async fn a_yes_that_was_overtaken_by_a_withdrawal_is_dead_and_not_remembered(world) {
        let ada = world.user(ADA.0, ADA.1).await;
        let client = world.client("third", |it| it.first_party = false).await;
        let mut agent = world.agent();
        agent.sign_in(ADA.0, ADA.1).await;
        let answer = agent.authorize(&client, &[]).await;
        let page = agent.follow(answer).await;
        let mut hold = world.held.next(Checkpoint::ApprovalJudged);
        let task = tokio::spawn(async move {
            let answer = agent.submit(&page, "/consent", &[("answer", "allow")]).await;
            (agent, answer)
        });
        hold.arrived().await;
        consents::withdraw(world.db(), ada, client.client.id.clone(), world.app.now()).await.unwrap();
        hold.release();
        let (mut agent, answer) = task.await.unwrap();
        let callback = Callback::parse(answer.location(), client.redirect_uri());
        assert_eq!(client.redeem(&agent, callback.code()).await.error(), "invalid_grant");
        let answer = agent.authorize(&client, &[("prompt", "none")]).await;
        assert_eq!(Callback::parse(answer.location(), client.redirect_uri()).get("error"), Some("consent_required"));
    }

    async fn twenty_revocations_of_one_access_token_at_once_are_one_cut_off(world) {
        world.user(ADA.0, ADA.1).await;
        let client = Arc::new(world.client("shop-web", |_| {}).await);
        let tokens = Arc::new(world.agent().tokens(&client, ADA, &[]).await);
        let answers = at_once(20, || {
            let (client, tokens, world) = (Arc::clone(&client), Arc::clone(&tokens), Arc::clone(&world));
            async move { client.post(&world, "/revoke", &[("token", tokens.access())]).await }
        })
        .await;
        assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
        assert_eq!(revocations(&world).await.len(), 1);
    }

    async fn a_token_minted_from_a_grant_that_was_read_before_its_revocation_is_dead_on_arrival(world) {
        world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        let mut agent = world.agent();
        let first = agent.tokens(&client, ADA, &[]).await;
        let mut hold = world.held.next(Checkpoint::GrantSpent);
        let (refreshing, token, other) = (client.clone(), first.refresh().to_owned(), world.agent());
        let task = tokio::spawn(async move { refreshing.refresh(&other, &token).await });
        hold.arrived().await;
        revoke_grant(&world, &first).await;
        hold.release();
        let late = Tokens::of(&task.await.unwrap());
        assert_eq!(agent.userinfo(late.access()).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(client.refresh(&agent, late.refresh()).await.error(), "invalid_grant");
    }

    async fn a_token_minted_from_a_grant_that_was_read_before_its_user_was_cut_off_is_dead_on_arrival(world) {
        let ada = world.user(ADA.0, ADA.1).await;
        let client = world.client("shop-web", |_| {}).await;
        for spends_a_code in [true, false] {
            let mut agent = world.agent();
            let code = agent.callback(&client, ADA, &[]).await.code().to_owned();
            let first = if spends_a_code { None } else { Some(Tokens::of(&client.redeem(&agent, &code).await)) };
            let mut hold = world.held.next(Checkpoint::GrantSpent);
            let (asking, other) = (client.clone(), world.agent());
            let task = tokio::spawn(async move {
                match first {
                    None => asking.redeem(&other, &code).await,
                    Some(first) => asking.refresh(&other, first.refresh()).await,
                }
            });
            hold.arrived().await;
            users::log_out_everywhere(world.db(), ada.clone(), world.app.now()).await.unwrap().unwrap();
            hold.release();
            let late = Tokens::of(&task.await.unwrap());
            assert_eq!(agent.userinfo(late.access()).await.status, StatusCode::UNAUTHORIZED);
            assert_eq!(client.refresh(&agent, late.refresh()).await.error(), "invalid_grant");
        }
    }

    async fn a_clients_own_token_whose_secret_was_checked_before_a_cut_off_is_born_before_it(world) {
        let client = world.client("batch", |_| {}).await;
        let mut hold = world.held.next(Checkpoint::ClientProved);
        let (asking, other) = (client.clone(), Arc::clone(&world));
        let task = tokio::spawn(async move { asking.token(&other, &[("grant_type", "client_credentials")]).await });
        hold.arrived().await;
        let issuer_wide = vec![passant::domain::cutoff::Target::Issuer];
        let tick = feed_head::cut_off(world.db(), issuer_wide, Event::done(Action::IssuerCutOff), world.app.now()).await.unwrap();
        hold.release();
        let late = Tokens::of(&task.await.unwrap());
        assert!(late.claims()["born"].as_i64().unwrap() < tick.get());
        let after = Tokens::of(&client.token(&world, &[("grant_type", "client_credentials")]).await);
        assert!(after.claims()["born"].as_i64().unwrap() >= tick.get());
    }

    async fn a_rehash_never_brings_back_the_password_that_was_replaced(world) {
        let ada = world.user(ADA.0, ADA.1).await;
        set_password(&world, &ada, WEAK).await;
        let mut hold = world.held.next(Checkpoint::PasswordProved);
        let mut agent = world.agent();
        let signing_in = tokio::spawn(async move { agent.sign_in(ADA.0, WEAK).await });
        hold.arrived().await;
        set_password(&world, &ada, OTHER).await;
        hold.release();
        signing_in.await.unwrap();
        let mut agent = world.agent();
        assert_eq!(agent.sign_in(ADA.0, WEAK).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(agent.sign_in(ADA.0, OTHER).await.location(), "/");
    }

    async fn a_hash_of_a_lower_cost_is_replaced_at_sign_in(world) {
        let ada = world.user(ADA.0, ADA.1).await;
        set_password(&world, &ada, WEAK).await;
        assert!(world.app.passwords.outgrown(&stored_hash(&world).await));
        assert_eq!(world.agent().sign_in(ADA.0, WEAK).await.location(), "/");
        assert!(!world.app.passwords.outgrown(&stored_hash(&world).await));
        assert_eq!(world.agent().sign_in(ADA.0, WEAK).await.location(), "/");
    }

    async fn four_planners_at_once_find_one_new_key(world) {
        let planners: Vec<_> = { let mut all = Vec::new(); for _ in 0..4 { all.push(world.replica().await); } all };
        let before = world.app.keys.rows().len();
        world.advance(world.app.config.keys.period - world.app.config.keys.lead);
        let mut all = JoinSet::new();
        for planner in planners.clone() {
            all.spawn(async move { passant::app::rotation::plan(&planner).await });
        }
        for planned in all.join_all().await {
            planned.unwrap();
        }
        passant::app::rotation::reload(&world.app).await.unwrap();
        assert_eq!(world.app.keys.rows().len(), before + 1);
        for planner in &planners {
            assert_eq!(planner.keys.jwks(world.app.now()).unwrap().bytes, world.app.keys.jwks(world.app.now()).unwrap().bytes);
        }
    }
}
