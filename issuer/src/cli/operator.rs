//! Who runs a command: the operating system's own account, which the environment cannot make another. Audited acts bear its name.

use crate::domain::audit::{Actor, Source};
use crate::domain::text::is_misleading;

/// The longest name that is taken over into the trail.
const LONGEST: usize = 64;

/// Whoever runs this command, at this machine.
pub(super) fn source() -> Source {
    let uid = uzers::get_current_uid();
    // Asked of the system's directory (getpwuid_r), so that accounts of LDAP and the like have their names. One that cannot be
    // asked, or knows no name, does not stop the command.
    let account = uzers::get_user_by_uid(uid).map(|user| user.name().to_string_lossy().into_owned());
    let claimed = std::env::var_os("SUDO_USER").map(|name| name.to_string_lossy().into_owned());
    Source { actor: Actor::Operator(named(uid, account.as_deref(), claimed.as_deref())), ..Source::PASSANT }
}

/// `root`, or `root (SUDO_USER claims ada)`. Whoever runs the command sets its environment: sudo tells the truth there, and anybody
/// else might.
fn named(uid: u32, account: Option<&str>, claimed: Option<&str>) -> String {
    let account = account.and_then(plain).unwrap_or_else(|| format!("uid {uid}"));
    match claimed.and_then(plain).filter(|claimed| *claimed != account) {
        Some(claimed) => format!("{account} (SUDO_USER claims {claimed})"),
        None => account,
    }
}

/// A name in one short line, which closes no parenthesis of ours.
fn plain(name: &str) -> Option<String> {
    let name: String = name.chars().filter(|c| !is_misleading(*c) && !"()".contains(*c)).take(LONGEST).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_is_named_by_the_account_and_a_claim_is_told_as_one() {
        for (account, claimed, name) in [
            (Some("root"), None, "root"),
            (Some("root"), Some("ada"), "root (SUDO_USER claims ada)"),
            (Some("ada"), Some("ada"), "ada"),
            (None, None, "uid 12345"),
            (None, Some("ada"), "uid 12345 (SUDO_USER claims ada)"),
            (Some("root"), Some(""), "root"),
            (Some("root"), Some("x) and (y\n\u{202e}"), "root (SUDO_USER claims x and y)"),
            (Some("EXAMPLE\\ada"), None, "EXAMPLE\\ada"),
        ] {
            assert_eq!(named(12345, account, claimed), name, "{account:?} {claimed:?}");
        }
        assert_eq!(named(1, Some(&"x".repeat(99)), None).len(), LONGEST);
    }
}
