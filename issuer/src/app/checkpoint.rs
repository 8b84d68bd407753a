//! Places between a judgement and what is done with it, at which a test can hold a request while the world changes. In a running
//! issuer nobody waits there.

use futures_util::future::BoxFuture;

/// Where a request can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Checkpoint {
    /// The password was right; no session has been made.
    PasswordProved,
    /// A request was found to need no page; no approval has been judged.
    StepChosen,
    /// The approval was judged; no grant has been made.
    ApprovalJudged,
    /// The client proved who it is; no token has been made for it.
    ClientProved,
    /// Somebody who is signed in may change their password or end their other sessions; nothing has been written.
    AccountChangeJudged,
    /// A code or refresh token was spent; no token has been signed.
    GrantSpent,
    /// All that a token rests on was judged, and the key that will sign it was chosen; it is not signed.
    SignerChosen,
    /// A token has its place in a status list; it has not been judged again.
    PlaceTaken,
    /// All tokens of a status list were judged; it has not been signed.
    ListJudged,
    /// The first administrator was created by a link; no session has been made.
    LinkSpent,
    /// The revocation feed's tail is about to look at the head.
    TailTurn,
}

/// Who may hold requests.
pub trait Checkpoints: Send + Sync {
    /// Returns when the request may go on.
    fn reached(&self, checkpoint: Checkpoint) -> BoxFuture<'_, ()>;
}

/// Nobody holds anything.
#[derive(Debug, Clone, Copy)]
pub struct Unattended;

impl Checkpoints for Unattended {
    fn reached(&self, _: Checkpoint) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
