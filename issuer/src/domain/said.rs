//! What a page says, once, about something that was just done.

use super::text::named_values;

named_values!(
    /// What was done.
    Said {
        /// One session was ended.
        SessionEnded = "session-ended",
        /// All other sessions were ended.
        OthersEnded = "others-ended",
        /// Everything was ended.
        LoggedOutEverywhere = "logged-out",
        /// An application may do nothing any more.
        Withdrawn = "withdrawn",
        /// The password was changed.
        PasswordChanged = "password",
    }
);

impl Said {
    /// What people read.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::SessionEnded => "That session has ended.",
            Self::OthersEnded => "You are signed out everywhere else. Services learn of it within a second.",
            Self::LoggedOutEverywhere => "You are signed out everywhere. Services learn of it within a second.",
            Self::Withdrawn => "That application may do nothing for you any more. Services learn of it within a second.",
            Self::PasswordChanged => "Your password is changed, and you are signed out everywhere else.",
        }
    }
}
