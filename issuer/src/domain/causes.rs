//! Every cause that raises a cut-off, in one table: what it kills, who does it, by which act, and under which words the audit trail
//! tells of it. A test does each of these acts and looks at what it cut off.

use super::audit::{Action, Outcome};
use super::cutoff::Level;
use super::text::named_values;

named_values!(
    /// An act that raises a cut-off in its own transaction.
    Cause {
        /// A client gives an access token back.
        AccessTokenRevoked = "access_token_revoked",
        /// A client gives a refresh token back, and with it the grant.
        RefreshTokenRevoked = "refresh_token_revoked",
        /// A code is used twice: somebody else has it.
        CodeReplayed = "code_replayed",
        /// A refresh token is used again after its window: somebody else has it.
        RefreshTokenReplayed = "refresh_token_replayed",
        /// The operator ends what one approval allowed.
        GrantEnded = "grant_ended",
        /// A user takes back what an application may do.
        ConsentWithdrawn = "consent_withdrawn",
        /// The operator takes it back for them.
        ConsentWithdrawnByOperator = "consent_withdrawn_by_operator",
        /// A user signs out.
        LoggedOut = "logged_out",
        /// An application asks to sign a user out.
        LoggedOutByApplication = "logged_out_by_application",
        /// A user ends one of their other sessions.
        SessionEnded = "session_ended",
        /// The operator ends a session.
        SessionEndedByOperator = "session_ended_by_operator",
        /// A sign-in beyond the cap takes the place of the session that began first.
        SessionEvicted = "session_evicted",
        /// A user ends everything they have.
        LoggedOutEverywhere = "logged_out_everywhere",
        /// The operator ends everything a user has.
        LoggedOutByOperator = "logged_out_by_operator",
        /// A user ends everything but the browser they sit at.
        OtherSessionsEnded = "other_sessions_ended",
        /// A user changes their password.
        PasswordChanged = "password_changed",
        /// The operator sets a user's password.
        PasswordSet = "password_set",
        /// The operator switches a user off.
        UserDisabled = "user_disabled",
        /// The operator deletes a user.
        UserDeleted = "user_deleted",
        /// A client comes into being: what an earlier one of its id had must not come alive.
        ClientCreated = "client_created",
        /// The operator switches a client off.
        ClientDisabled = "client_disabled",
        /// The operator removes a client that was made by command.
        ClientRemoved = "client_removed",
        /// A client has left the configuration file and is pruned.
        ClientPruned = "client_pruned",
        /// The operator says that a client's secret is stolen.
        SecretLeaked = "secret_leaked",
        /// The operator takes a signing key out.
        KeyRevoked = "key_revoked",
        /// The operator takes every signing key out.
        AllKeysRevoked = "all_keys_revoked",
        /// The operator breaks the glass.
        EverythingRevoked = "everything_revoked",
    }
);

/// Who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// A client that has authenticated.
    Client,
    /// A user in a browser.
    User,
    /// Whoever may run commands.
    Operator,
}

/// A cause's row in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The level at which it kills.
    pub level: Level,
    /// Who does it.
    pub who: Who,
    /// The public act.
    pub act: &'static str,
    /// What the audit trail calls it.
    pub told: (Action, Outcome),
}

impl Cause {
    /// Its row.
    pub const fn row(self) -> Row {
        use Level::{Client, Consent, Grant, Issuer, Key, Session, Token, User};
        use Outcome::{Done, Replayed};
        let (level, who, act, told) = match self {
            Self::AccessTokenRevoked => (Token, Who::Client, "POST /revoke", (Action::TokenRevoke, Done)),
            Self::RefreshTokenRevoked => (Grant, Who::Client, "POST /revoke", (Action::TokenRevoke, Done)),
            Self::CodeReplayed => (Grant, Who::Client, "POST /token", (Action::CodeRedeem, Replayed)),
            Self::RefreshTokenReplayed => (Grant, Who::Client, "POST /token", (Action::TokenRefresh, Replayed)),
            Self::GrantEnded => (Grant, Who::Operator, "passant grants end", (Action::GrantEnd, Done)),
            Self::ConsentWithdrawn => {
                (Consent, Who::User, "POST /account/applications/withdraw", (Action::ConsentWithdraw, Done))
            }
            Self::ConsentWithdrawnByOperator => {
                (Consent, Who::Operator, "passant consents revoke", (Action::ConsentWithdraw, Done))
            }
            Self::LoggedOut => (Session, Who::User, "POST /logout", (Action::SessionEnd, Done)),
            Self::LoggedOutByApplication => (Session, Who::User, "GET /end_session", (Action::SessionEnd, Done)),
            Self::SessionEnded => (Session, Who::User, "POST /account/sessions/end", (Action::SessionEnd, Done)),
            Self::SessionEndedByOperator => (Session, Who::Operator, "passant sessions end", (Action::SessionEnd, Done)),
            Self::SessionEvicted => (Session, Who::User, "POST /login", (Action::SessionEnd, Done)),
            Self::LoggedOutEverywhere => (User, Who::User, "POST /account/sessions/end-all", (Action::LogOutEverywhere, Done)),
            Self::LoggedOutByOperator => (User, Who::Operator, "passant sessions end --all", (Action::LogOutEverywhere, Done)),
            Self::OtherSessionsEnded => (User, Who::User, "POST /account/sessions/end-others", (Action::OtherSessionsEnd, Done)),
            Self::PasswordChanged => (User, Who::User, "POST /account/password", (Action::PasswordChange, Done)),
            Self::PasswordSet => (User, Who::Operator, "passant users set-password", (Action::PasswordSet, Done)),
            Self::UserDisabled => (User, Who::Operator, "passant users disable", (Action::UserDisable, Done)),
            Self::UserDeleted => (User, Who::Operator, "passant users delete", (Action::UserDelete, Done)),
            Self::ClientCreated => (Client, Who::Operator, "passant clients add", (Action::ClientCreate, Done)),
            Self::ClientDisabled => (Client, Who::Operator, "passant clients disable", (Action::ClientDisable, Done)),
            Self::ClientRemoved => (Client, Who::Operator, "passant clients remove", (Action::ClientRemove, Done)),
            Self::ClientPruned => (Client, Who::Operator, "passant clients apply --prune", (Action::ClientRemove, Done)),
            Self::SecretLeaked => (Client, Who::Operator, "passant clients rotate-secret --leaked", (Action::SecretLeak, Done)),
            Self::KeyRevoked => (Key, Who::Operator, "passant keys revoke", (Action::KeyRevoke, Done)),
            Self::AllKeysRevoked => (Key, Who::Operator, "passant keys revoke --all", (Action::KeyRevoke, Done)),
            Self::EverythingRevoked => (Issuer, Who::Operator, "passant revoke-everything", (Action::IssuerCutOff, Done)),
        };
        Row { level, who, act, told }
    }
}

/// Whether the audit trail may tell of a cut-off under this action. Every action stands on one side: a new one does not compile until
/// somebody has thought of it.
pub const fn raises(action: Action) -> bool {
    match action {
        Action::TokenRevoke
        | Action::CodeRedeem
        | Action::TokenRefresh
        | Action::GrantEnd
        | Action::ConsentWithdraw
        | Action::SessionEnd
        | Action::LogOutEverywhere
        | Action::OtherSessionsEnd
        | Action::PasswordChange
        | Action::PasswordSet
        | Action::UserDisable
        | Action::UserDelete
        | Action::ClientCreate
        | Action::ClientDisable
        | Action::ClientRemove
        | Action::SecretLeak
        | Action::KeyRevoke
        | Action::IssuerCutOff => true,
        Action::SignIn
        | Action::UserCreate
        | Action::UserUpdate
        | Action::UserEnable
        | Action::AdministratorGrant
        | Action::SetUp
        | Action::GrantApprove
        | Action::GrantDeny
        | Action::ClientAuthentication
        | Action::ClientUpdate
        | Action::ClientEnable
        | Action::SecretRotate
        | Action::KeyRotate
        | Action::MasterKeyRotate => false,
    }
}

/// Whether some cause is told of by this action and cuts off at this level.
pub fn is_known(action: Action, level: Level) -> bool {
    Cause::ALL.iter().map(|cause| cause.row()).any(|row| row.told.0 == action && row.level == level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_cut_off_by_some_cause_and_every_action_that_raises_has_one() {
        for level in Level::ALL {
            assert!(Cause::ALL.iter().any(|cause| cause.row().level == *level), "{level}");
        }
        for action in Action::ALL {
            assert_eq!(raises(*action), Cause::ALL.iter().any(|cause| cause.row().told.0 == *action), "{action}");
        }
    }
}
