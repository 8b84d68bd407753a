//! Revocation as a rule over ticks: what a cut-off names, how the feed's chain is formed, and the one function [`revoked`] by
//! which everything that carries authority is judged.
//!
//! *Read the tick first, then judge, then stamp with it.* A cut-off's tick is greater than any tick that was read before it
//! committed; so whatever was judged on older evidence is born too early, and therefore dead.

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

use super::ids::{ClientId, FeedId, GrantId, KeyId, SessionId, Tick, TokenId, UserId};
use super::text::named_values;
use crate::clock::UnixTime;

/// The level at which keys die.
pub const KEY_LEVEL: &str = "kid";

/// What a cut-off kills: all that this target had before the cut-off's tick, or, for a key, all that it signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Everything.
    Issuer,
    /// What a client had.
    Client(ClientId),
    /// What a user had.
    User(UserId),
    /// What a user had allowed to one client.
    Consent(UserId, ClientId),
    /// A browser's sign-in.
    Session(SessionId),
    /// One approved authorization request.
    Grant(GrantId),
    /// One access token.
    Token(TokenId),
    /// A signing key.
    Key(KeyId),
}

impl Target {
    /// The level's name in the `cutoffs` table and in the feed.
    pub fn level(&self) -> &'static str {
        self.kind().as_str()
    }

    /// The level.
    pub fn kind(&self) -> Level {
        match self {
            Self::Issuer => Level::Issuer,
            Self::Client(_) => Level::Client,
            Self::User(_) => Level::User,
            Self::Consent(..) => Level::Consent,
            Self::Session(_) => Level::Session,
            Self::Grant(_) => Level::Grant,
            Self::Token(_) => Level::Token,
            Self::Key(_) => Level::Key,
        }
    }

    /// The target's name in the feed: 128 bits of SHA-256 over salt, level and identifiers, so that the feed lists nobody.
    pub fn salted(&self, salt: &str) -> String {
        let mut hash = Sha256::new();
        for part in [salt, self.level()].into_iter().chain(self.names()) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let (half, _) = digest.split_at(16);
        Base64UrlUnpadded::encode_string(half)
    }

    fn names(&self) -> Vec<&str> {
        match self {
            Self::Issuer => vec![],
            Self::Client(id) => vec![id.as_str()],
            Self::User(id) => vec![id.as_str()],
            Self::Consent(user, client) => vec![user.as_str(), client.as_str()],
            Self::Session(id) => vec![id.as_str()],
            Self::Grant(id) => vec![id.as_str()],
            Self::Token(id) => vec![id.as_str()],
            Self::Key(id) => vec![id.as_str()],
        }
    }
}

/// One cut-off as the feed and the `cutoffs` table name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedCutoff {
    /// [`Target::level`].
    pub level: String,
    /// [`Target::salted`].
    pub identifier: String,
}

/// The next link of the feed's chain: SHA-256 over the feed id, the previous link, the tick and the cut-offs in their order, in
/// base64url. Each is one line of text, so that an implementation in any language can form it.
pub fn chain(feed_id: &FeedId, previous: &str, tick: Tick, cutoffs: &[NamedCutoff]) -> String {
    let mut sorted: Vec<&NamedCutoff> = cutoffs.iter().collect();
    sorted.sort();
    let mut text = format!("passant-revocations-1\n{feed_id}\n{previous}\n{tick}\n");
    for cutoff in sorted {
        text.push_str(&format!("{} {}\n", cutoff.level, cutoff.identifier));
    }
    Base64UrlUnpadded::encode_string(&Sha256::digest(text.as_bytes()))
}

/// The wall clock's share in the next tick, `max(tick + 1, now in ms)`. A clock beyond 2^52 ms is broken and takes no part.
pub fn tick_floor(now: UnixTime) -> i64 {
    if now.millis() > 1 << 52 { 0 } else { now.millis() }
}

/// How one level stands, as the database showed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The level does not apply: a client's own token has no user, an offline grant's session is not judged.
    NotJudged,
    /// There is no such row: dead.
    Missing,
    /// Disabled, logged out, revoked: dead, whenever it was born.
    Ended,
    /// What was born before this tick is dead. [`Tick::ZERO`] where nothing was ever cut off.
    CutOff(Tick),
}

impl Standing {
    fn kills(self, born: Tick) -> bool {
        match self {
            Self::NotJudged => false,
            Self::Missing | Self::Ended => true,
            Self::CutOff(at) => born < at,
        }
    }
}

/// The state of every level, read by one statement together with the tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The committed tick: what is judged on this evidence is born now, and not a moment later.
    pub tick: Tick,
    /// The issuer-wide cut-off.
    pub issuer: Tick,
    /// The client.
    pub client: Standing,
    /// The user.
    pub user: Standing,
    /// What the user allowed the client.
    pub consent: Standing,
    /// The browser session.
    pub session: Standing,
    /// The grant.
    pub grant: Standing,
    /// The access token itself.
    pub token: Standing,
    /// The key that signed it.
    pub key: Standing,
}

impl Evidence {
    /// Evidence of the issuer alone: a starting point for what judges fewer than all levels.
    pub fn of_issuer(tick: Tick, issuer: Tick) -> Self {
        let not = Standing::NotJudged;
        Self { tick, issuer, client: not, user: not, consent: not, session: not, grant: not, token: not, key: not }
    }
}

named_values!(
    /// The levels at which something can be dead, from the widest to the narrowest, as the feed calls them.
    Level {
        /// The key that signed it is dead.
        Key = "kid",
        /// The issuer cut everything off.
        Issuer = "iss",
        /// Its client is.
        Client = "client_id",
        /// Its user is.
        User = "sub",
        /// What its user allowed its client was withdrawn.
        Consent = "sub+client_id",
        /// Its session is.
        Session = "sid",
        /// Its grant is.
        Grant = "gid",
        /// It was itself revoked.
        Token = "jti",
    }
);

/// Whether what was born at `born` is dead, and at which level. The one judgement: /token, /userinfo and the cookie check use it,
/// and verifiers apply the same rule to the cut-offs they follow.
pub fn revoked(born: Tick, evidence: &Evidence) -> Option<Level> {
    [
        (Level::Key, evidence.key),
        (Level::Issuer, Standing::CutOff(evidence.issuer)),
        (Level::Client, evidence.client),
        (Level::User, evidence.user),
        (Level::Consent, evidence.consent),
        (Level::Session, evidence.session),
        (Level::Grant, evidence.grant),
        (Level::Token, evidence.token),
    ]
    .into_iter()
    .find_map(|(level, standing)| standing.kills(born).then_some(level))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clear(tick: i64) -> Evidence {
        Evidence {
            tick: Tick::new(tick),
            issuer: Tick::ZERO,
            client: Standing::CutOff(Tick::ZERO),
            user: Standing::CutOff(Tick::ZERO),
            consent: Standing::CutOff(Tick::ZERO),
            session: Standing::CutOff(Tick::ZERO),
            grant: Standing::CutOff(Tick::ZERO),
            token: Standing::CutOff(Tick::ZERO),
            key: Standing::CutOff(Tick::ZERO),
        }
    }

    /// Sets one level and nothing else, so that a level that is not judged shows.
    fn with(level: Level, standing: Standing) -> Evidence {
        let mut evidence = clear(100);
        match (level, standing) {
            (Level::Key, it) => evidence.key = it,
            (Level::Issuer, Standing::CutOff(at)) => evidence.issuer = at,
            (Level::Issuer, _) => unreachable!("the issuer has only a cut-off"),
            (Level::Client, it) => evidence.client = it,
            (Level::User, it) => evidence.user = it,
            (Level::Consent, it) => evidence.consent = it,
            (Level::Session, it) => evidence.session = it,
            (Level::Grant, it) => evidence.grant = it,
            (Level::Token, it) => evidence.token = it,
        }
        evidence
    }

    #[test]
    fn what_was_born_before_a_cutoff_is_dead_and_what_was_born_at_it_lives() {
        for level in Level::ALL.iter().copied() {
            let evidence = with(level, Standing::CutOff(Tick::new(50)));
            assert_eq!(revoked(Tick::new(49), &evidence), Some(level));
            assert_eq!(revoked(Tick::new(50), &evidence), None);
        }
    }

    #[test]
    fn missing_and_ended_rows_mean_dead_whenever_it_was_born() {
        for level in Level::ALL.iter().copied().filter(|level| *level != Level::Issuer) {
            for standing in [Standing::Missing, Standing::Ended] {
                assert_eq!(revoked(Tick::MAX, &with(level, standing)), Some(level));
            }
            assert_eq!(revoked(Tick::ZERO, &with(level, Standing::NotJudged)), None);
        }
    }

    #[test]
    fn a_clock_beyond_two_to_the_52_takes_no_part_in_the_tick() {
        assert_eq!(tick_floor(UnixTime::from_millis(1 << 52)), 1 << 52);
        assert_eq!(tick_floor(UnixTime::from_millis((1 << 52) + 1)), 0);
    }

    #[test]
    fn the_chain_depends_on_each_of_its_parts_but_not_on_the_order_of_cutoffs() {
        let one = NamedCutoff { level: "sub".into(), identifier: "a".into() };
        let two = NamedCutoff { level: "sid".into(), identifier: "b".into() };
        let feed = FeedId::new("feed");
        let base = chain(&feed, "p", Tick::new(7), &[one.clone(), two.clone()]);
        assert_eq!(base, chain(&feed, "p", Tick::new(7), &[two.clone(), one.clone()]));
        for other in [
            chain(&FeedId::new("deef"), "p", Tick::new(7), &[one.clone(), two.clone()]),
            chain(&feed, "q", Tick::new(7), &[one.clone(), two.clone()]),
            chain(&feed, "p", Tick::new(8), &[one.clone(), two]),
            chain(&feed, "p", Tick::new(7), &[one]),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn salted_names_do_not_repeat_across_levels_salts_or_joined_names() {
        let user = Target::User(UserId::new("x"));
        assert_eq!(user.salted("salt").len(), 22);
        assert_ne!(user.salted("salt"), user.salted("pepper"));
        assert_ne!(user.salted("salt"), Target::Client(ClientId::new("x")).salted("salt"));
        let joined = |user: &str, client: &str| Target::Consent(UserId::new(user), ClientId::new(client)).salted("salt");
        assert_ne!(joined("ab", "c"), joined("a", "bc"));
    }
}
