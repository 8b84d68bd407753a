//! The audit trail's words: what happened, who did it, from where, how it ended. An [`Event`] is written in the transaction of the
//! act that it tells of, so that neither exists without the other; it never holds a secret.

use serde::Serialize;

use super::ids::{ClientId, GrantId, SessionId, Tick, UserId};
use super::text::named_values;
use crate::clock::UnixTime;

named_values!(
    /// What was done, or tried.
    Action {
        /// Somebody signed in with a password.
        SignIn = "sign_in",
        /// A session was ended, by its owner or by the operator.
        SessionEnd = "session_end",
        /// A user ended everything they had.
        LogOutEverywhere = "log_out_everywhere",
        /// A user ended all sessions but one.
        OtherSessionsEnd = "other_sessions_end",
        /// A user changed their password.
        PasswordChange = "password_change",
        /// The operator set a password.
        PasswordSet = "password_set",
        /// A user came into being.
        UserCreate = "user_create",
        /// Claims, roles or attributes changed.
        UserUpdate = "user_update",
        /// A user may do nothing any more.
        UserDisable = "user_disable",
        /// A disabled user may sign in again.
        UserEnable = "user_enable",
        /// A user is gone.
        UserDelete = "user_delete",
        /// The right to administer was given or taken.
        AdministratorGrant = "administrator_grant",
        /// The link that makes the first administrator was used.
        SetUp = "set_up",
        /// A user allowed a client something.
        GrantApprove = "grant_approve",
        /// A user refused a client.
        GrantDeny = "grant_deny",
        /// A grant was ended.
        GrantEnd = "grant_end",
        /// What a user had allowed to a client was withdrawn.
        ConsentWithdraw = "consent_withdraw",
        /// An authorization code was presented.
        CodeRedeem = "code_redeem",
        /// A refresh token was presented; only what went wrong is told.
        TokenRefresh = "token_refresh",
        /// A token was revoked.
        TokenRevoke = "token_revoke",
        /// A client tried to prove who it is; only what went wrong is told.
        ClientAuthentication = "client_authentication",
        /// A client was registered.
        ClientCreate = "client_create",
        /// A registration changed.
        ClientUpdate = "client_update",
        /// A client may do nothing any more.
        ClientDisable = "client_disable",
        /// A disabled client may go on.
        ClientEnable = "client_enable",
        /// A client is gone.
        ClientRemove = "client_remove",
        /// A client was given another secret.
        SecretRotate = "secret_rotate",
        /// A client's secrets were declared stolen.
        SecretLeak = "secret_leak",
        /// A signing key came, or schedules moved.
        KeyRotate = "key_rotate",
        /// A signing key died before its time.
        KeyRevoke = "key_revoke",
        /// Another master key came into force.
        MasterKeyRotate = "master_key_rotate",
        /// Everything this issuer had made was cut off.
        IssuerCutOff = "issuer_cut_off",
        /// The revocation feed's history turned out to have been put back in time.
        HistoryContradict = "history_contradict",
        /// The operator has seen the alarms about it.
        AlarmAcknowledge = "alarm_acknowledge",
    }
);

named_values!(
    /// How it ended.
    Outcome {
        /// It was done.
        Done = "done",
        /// It was refused, and nothing changed.
        Refused = "refused",
        /// Something used up was used again; what descends from it is dead.
        Replayed = "replayed",
        /// It came too soon after failures, and was not looked at.
        Throttled = "throttled",
    }
);

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Passant itself: its jobs and its start.
    Passant,
    /// Whoever may run commands on this machine, by the name of the operating system's account.
    Operator(String),
    /// A user in a browser, once it is known which.
    User(UserId),
    /// A client, once it has authenticated.
    Client(ClientId),
    /// Nobody who has proved anything.
    Anonymous,
}

impl Actor {
    /// Its kind in the `audit` table.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Passant => "passant",
            Self::Operator(_) => "operator",
            Self::User(_) => "user",
            Self::Client(_) => "client",
            Self::Anonymous => "anonymous",
        }
    }

    /// Which one of its kind.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Passant | Self::Anonymous => None,
            Self::Operator(name) => Some(name),
            Self::User(id) => Some(id.as_str()),
            Self::Client(id) => Some(id.as_str()),
        }
    }
}

/// Where an act comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Who acts.
    pub actor: Actor,
    /// The client's address, where there is a connection.
    pub address: Option<String>,
    /// The request's id, by which the log tells more.
    pub request_id: Option<String>,
}

impl Source {
    /// Passant itself.
    pub const PASSANT: Self = Self { actor: Actor::Passant, address: None, request_id: None };

    /// The same place with a known actor.
    pub fn with(&self, actor: Actor) -> Self {
        Self { actor, ..self.clone() }
    }
}

/// One act and what it was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// The tick of the cut-off it raised.
    pub tick: Option<Tick>,
    /// The user it is about.
    pub user: Option<UserId>,
    /// The client it is about.
    pub client: Option<ClientId>,
    /// The session it is about.
    pub session: Option<SessionId>,
    /// The grant it is about.
    pub grant: Option<GrantId>,
    /// A few words more, such as the reason of a refusal; never a secret, never longer than 200 characters.
    pub detail: Option<String>,
}

impl Event {
    /// Something that was done.
    pub fn done(action: Action) -> Self {
        Self::new(action, Outcome::Done)
    }

    /// A change, and what it changed.
    pub fn changed(action: Action, what: &[String]) -> Self {
        let what = if what.is_empty() { "nothing".to_owned() } else { what.join(", ") };
        Self::done(action).saying(format!("changed {what}"))
    }

    /// Something that was refused, and why.
    pub fn refused(action: Action, why: impl Into<String>) -> Self {
        Self::new(action, Outcome::Refused).saying(why)
    }

    /// Something of which nothing but the outcome is known yet.
    pub fn new(action: Action, outcome: Outcome) -> Self {
        Self { action, outcome, tick: None, user: None, client: None, session: None, grant: None, detail: None }
    }

    /// With the user it is about.
    pub fn of_user(self, user: &UserId) -> Self {
        Self { user: Some(user.clone()), ..self }
    }

    /// With the client it is about.
    pub fn of_client(self, client: &ClientId) -> Self {
        Self { client: Some(client.clone()), ..self }
    }

    /// With the session it is about.
    pub fn of_session(self, session: &SessionId) -> Self {
        Self { session: Some(session.clone()), ..self }
    }

    /// With the grant it is about.
    pub fn of_grant(self, grant: &GrantId) -> Self {
        Self { grant: Some(grant.clone()), ..self }
    }

    /// With the tick of the cut-off it raised.
    pub fn at(self, tick: Tick) -> Self {
        Self { tick: Some(tick), ..self }
    }

    /// With a few words more; control characters are dropped.
    pub fn saying(self, detail: impl Into<String>) -> Self {
        let detail = detail.into().chars().filter(|c| !c.is_control()).take(200).collect();
        Self { detail: Some(detail), ..self }
    }
}

/// An event as it stands in the trail, with the names that users and clients have now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its id: random, and in no order.
    pub id: String,
    /// When.
    pub at: UnixTime,
    /// [`Action`].
    pub action: String,
    /// [`Outcome`].
    pub outcome: String,
    /// [`Actor::kind`].
    pub actor_kind: String,
    /// [`Actor::name`].
    pub actor: Option<String>,
    /// The name that an acting user signs in with, while there is such a user.
    pub actor_username: Option<String>,
    /// The address it came from.
    pub address: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// The tick of the cut-off it raised.
    pub tick: Option<i64>,
    /// `sub`.
    pub user_id: Option<String>,
    /// The name that this user signs in with, while there is such a user.
    pub username: Option<String>,
    /// `client_id`.
    pub client_id: Option<String>,
    /// What this client is called, while there is such a client.
    pub client_name: Option<String>,
    /// `sid`.
    pub session_id: Option<String>,
    /// `gid`.
    pub grant_id: Option<String>,
    /// A few words more.
    pub detail: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_is_short_and_one_line() {
        let event = Event::refused(Action::SignIn, format!("a\r\nb{}", "x".repeat(300)));
        assert_eq!(event.detail, Some(format!("ab{}", "x".repeat(198))));
    }

    #[test]
    fn an_actor_has_a_kind_and_perhaps_a_name() {
        assert_eq!((Actor::Passant.kind(), Actor::Passant.name()), ("passant", None));
        let client = Actor::Client(ClientId::new("shop"));
        assert_eq!((client.kind(), client.name()), ("client", Some("shop")));
    }
}
