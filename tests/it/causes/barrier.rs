//! Tokens that are half made when each act comes: all that they rest on was judged before it, and they are signed after it. A
//! verifier that has heard of the act refuses each one that the act concerns, and no other.

use std::sync::Arc;

use passant::app::checkpoint::Checkpoint;
use passant::domain::causes::Cause;
use passant::domain::cutoff::Level;
use passant::jobs::{Job, RotateKeys};
use passant_tests::world::{Answer, Engine, Hold, Served, Tokens};
use passant_verifier::{Reason, Verifier, VerifyError};
use tokio::task::JoinHandle;

use super::scene::Scene;
use super::{ADA, acts, most_sessions};
use crate::follow::{self, PATIENCE, eventually, health, reason};

/// What is being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mint {
    /// Of the scene's grant, by its refresh token.
    Refreshed,
    /// Of another grant of the same session, by its code.
    Redeemed,
    /// The client's own.
    Own,
}

/// Does one act in a world of its own, between judgement and signature.
pub(super) async fn walk(engine: Engine, cause: Cause) {
    // Built before anything is held: a request is not held for ever.
    passant_tests::binary::passant();
    let served = Served::new(engine, |config| config.sessions.most = most_sessions(cause)).await;
    let mut scene = Scene::set(&served.world, cause).await;
    let verifier = follow::builder(&served).build().unwrap();
    verifier.ready(PATIENCE).await.unwrap();

    for (mint, tokens) in finished(hold_all(&scene).await).await {
        assert_eq!(reason(&verifier, &tokens), None, "{mint:?}: without the act it is good");
        if mint == Mint::Refreshed {
            scene.tokens = tokens;
        }
    }
    scene.pending_code = scene.here.callback(&scene.shop, ADA, &[]).await.code().to_owned();

    let held = hold_all(&scene).await;
    if cause == Cause::ClientCreated {
        // As a backup would lose it: nobody was told that the earlier one is gone.
        scene.world.execute("DELETE FROM clients WHERE id = 'shop'").await;
    }
    assert_eq!(reason(&verifier, &scene.tokens), None, "nothing has been cut off yet");
    acts::act(&mut scene, cause).await;
    hears_of_it(&scene, &verifier).await;
    let level = cause.row().level;
    for (mint, tokens) in finished(held).await {
        let refusal = verifier.verify(tokens.access()).err();
        // Of a key the detail says which, behind the level.
        let named = |refusal: &VerifyError| refusal.detail().and_then(|detail| detail.split(' ').next()).map(str::to_owned);
        let found = refusal.as_ref().map(|refusal| (refusal.reason(), named(refusal)));
        let expected = concerns(cause, mint).then(|| (Reason::Revoked, Some(level.to_string())));
        assert_eq!(found, expected, "{mint:?}: signed after it");
    }
    assert_eq!(reason(&verifier, &scene.tokens), Some(Reason::Revoked), "what was finished before is dead too");
    let bystander = matches!(level, Level::Key | Level::Issuer).then_some(Reason::Revoked);
    assert_eq!(reason(&verifier, &scene.bystander), bystander, "somebody else's");

    RotateKeys::default().step(&scene.world.app).await;
    let anew = Tokens::of(&scene.watch.token(&scene.world, &[("grant_type", "client_credentials")]).await);
    eventually("what comes after is good", || reason(&verifier, &anew).is_none()).await;
    // What tells of a dead key is signed by its successor, which may have to be fetched first.
    assert!(health(&verifier).refused_messages <= u64::from(level == Level::Key));
}

/// Waits until the verifier is as far as the history is.
async fn hears_of_it(scene: &Scene, verifier: &Verifier) {
    let head: Vec<(i64,)> = scene.world.rows("SELECT tick FROM feed_head").await;
    let head = u64::try_from(head[0].0).unwrap();
    scene.world.advance(passant::feed::GATHER);
    eventually("it hears of the act", || health(verifier).tick >= Some(head)).await;
}

/// Whether an act is about what a token rests on. Nobody knows the `jti` of one that is not signed.
fn concerns(cause: Cause, mint: Mint) -> bool {
    match cause.row().level {
        Level::Token => false,
        Level::Grant => mint == Mint::Refreshed,
        Level::Consent | Level::Session | Level::User => mint != Mint::Own,
        Level::Client | Level::Key | Level::Issuer => true,
    }
}

/// A token that is held when it is about to be signed.
type Held = (Mint, Hold, JoinHandle<Answer>);

/// Starts one of each, and waits until each stands before its signature.
async fn hold_all(scene: &Scene) -> Vec<Held> {
    let mut all = Vec::new();
    for mint in [Mint::Refreshed, Mint::Redeemed, Mint::Own] {
        let mut hold = scene.world.held.next(Checkpoint::SignerChosen);
        let (shop, world) = (scene.shop.clone(), Arc::clone(&scene.world));
        let (refresh, code) = (scene.tokens.refresh().to_owned(), scene.pending_code.clone());
        let making = tokio::spawn(async move {
            match mint {
                Mint::Refreshed => shop.refresh(&world.agent(), &refresh).await,
                Mint::Redeemed => shop.redeem(&world.agent(), &code).await,
                Mint::Own => shop.token(&world, &[("grant_type", "client_credentials")]).await,
            }
        });
        tokio::time::timeout(PATIENCE, hold.arrived()).await.expect("a token is about to be signed");
        all.push((mint, hold, making));
    }
    all
}

/// Lets them be signed.
async fn finished(held: Vec<Held>) -> Vec<(Mint, Tokens)> {
    let mut all = Vec::new();
    for (mint, hold, making) in held {
        hold.release();
        all.push((mint, Tokens::of(&making.await.unwrap())));
    }
    all
}
