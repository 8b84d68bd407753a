//! What should be true after each step, kept as plainly as possible: flags that a cause sets on everything it reaches. No ticks, so
//! that the model cannot be wrong in the way the issuer might be.

use std::collections::{BTreeMap, BTreeSet};

/// Seconds that an access token lives.
pub(super) const ACCESS_LIFE: u64 = 600;
/// Seconds that a code may be redeemed.
const CODE_LIFE: u64 = 60;
/// Seconds in which a used refresh token gets the same successor again.
const RETRY_WINDOW: u64 = 10;
/// Seconds that a session may lie unused.
pub(super) const SESSION_IDLE: u64 = 12 * 60 * 60;

#[derive(Debug)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) password: String,
    pub(super) exists: bool,
    pub(super) disabled: bool,
}

#[derive(Debug)]
pub(super) struct Client {
    pub(super) exists: bool,
    pub(super) disabled: bool,
    pub(super) public: bool,
    pub(super) first_party: bool,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) user: usize,
    pub(super) sid: String,
    pub(super) alive: bool,
}

#[derive(Debug)]
pub(super) struct Grant {
    pub(super) user: usize,
    pub(super) client: usize,
    pub(super) session: usize,
    pub(super) offline: bool,
    pub(super) alive: bool,
    /// Its refresh tokens, the newest last.
    pub(super) family: Vec<String>,
    /// When the newest one's parent was used.
    pub(super) rotated_at: u64,
}

#[derive(Debug)]
pub(super) struct Code {
    pub(super) code: String,
    pub(super) grant: usize,
    pub(super) expires_at: u64,
    pub(super) used: bool,
}

#[derive(Debug)]
pub(super) struct Access {
    pub(super) token: String,
    /// None for a client's own.
    pub(super) grant: Option<usize>,
    pub(super) client: usize,
    pub(super) expires_at: u64,
    pub(super) alive: bool,
}

/// What a refresh should answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refresh {
    Successor,
    /// The newest token of the family, once more.
    Again,
    Refused,
    /// And everything of the grant is dead from here on.
    Replayed,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    /// Seconds since the walk began.
    pub(super) now: u64,
    pub(super) users: Vec<User>,
    pub(super) clients: Vec<Client>,
    /// Which session each browser's cookie names.
    pub(super) browsers: Vec<Option<usize>>,
    pub(super) sessions: Vec<Session>,
    pub(super) grants: Vec<Grant>,
    pub(super) codes: Vec<Code>,
    pub(super) access: Vec<Access>,
    /// What each user allowed each client, for good.
    pub(super) consents: BTreeMap<(usize, usize), BTreeSet<&'static str>>,
}

impl Model {
    /// The live session of a browser.
    pub(super) fn signed_in(&self, browser: usize) -> Option<usize> {
        self.browsers[browser].filter(|session| self.sessions[*session].alive)
    }

    pub(super) fn client_works(&self, client: usize) -> bool {
        self.clients[client].exists && !self.clients[client].disabled
    }

    pub(super) fn may_sign_in(&self, user: usize) -> bool {
        self.users[user].exists && !self.users[user].disabled
    }

    /// Whether a grant's tokens may be refreshed and its codes redeemed.
    pub(super) fn grant_alive(&self, grant: usize) -> bool {
        let grant = &self.grants[grant];
        grant.alive && (grant.offline || self.sessions[grant.session].alive)
    }

    /// Whether a user's page names the application for this grant's sake.
    pub(super) fn grant_shown(&self, grant: usize) -> bool {
        self.grant_alive(grant)
    }

    pub(super) fn access_alive(&self, access: usize) -> bool {
        let access = &self.access[access];
        access.alive && self.now < access.expires_at && access.grant.is_none_or(|grant| self.grant_alive(grant))
    }

    /// Whether the page with the question comes.
    pub(super) fn asks(&self, user: usize, client: usize, scopes: &BTreeSet<&'static str>, prompt_consent: bool) -> bool {
        let registered = &self.clients[client];
        if prompt_consent {
            return true;
        }
        if registered.first_party {
            return false;
        }
        registered.public || !self.consents.get(&(user, client)).is_some_and(|given| scopes.is_subset(given))
    }

    pub(super) fn approve(&mut self, browser: usize, client: usize, scopes: &BTreeSet<&'static str>, code: String) {
        let session = self.signed_in(browser).expect("somebody approved");
        let user = self.sessions[session].user;
        self.codes.push(Code { code, grant: self.grants.len(), expires_at: self.now + CODE_LIFE, used: false });
        self.grants.push(Grant {
            user,
            client,
            session,
            offline: scopes.contains("offline_access"),
            alive: true,
            family: vec![],
            rotated_at: 0,
        });
    }

    pub(super) fn remember(&mut self, user: usize, client: usize, scopes: &BTreeSet<&'static str>) {
        if !self.clients[client].public {
            self.consents.entry((user, client)).or_default().extend(scopes);
        }
    }

    /// Whether a code gets tokens; a second use ends its grant.
    pub(super) fn redeem(&mut self, code: usize) -> bool {
        let Code { grant, expires_at, used, .. } = self.codes[code];
        if used {
            self.kill_grant(grant);
            return false;
        }
        if self.now >= expires_at {
            return false;
        }
        self.codes[code].used = true;
        self.grant_alive(grant)
    }

    pub(super) fn refresh(&mut self, grant: usize, token: usize) -> Refresh {
        if !self.grant_alive(grant) {
            return Refresh::Refused;
        }
        let family = &self.grants[grant];
        match family.family.len() - 1 - token {
            0 => Refresh::Successor,
            1 if self.now < family.rotated_at + RETRY_WINDOW => Refresh::Again,
            _ => {
                self.kill_grant(grant);
                Refresh::Replayed
            }
        }
    }

    pub(super) fn mint(&mut self, grant: Option<usize>, client: usize, token: String) {
        self.access.push(Access { token, grant, client, expires_at: self.now + ACCESS_LIFE, alive: true });
    }

    /// A browser's sign-in: the same person's session goes on, another's there ends.
    pub(super) fn sign_in(&mut self, browser: usize, user: usize, sid: &str) {
        if let Some(before) = self.signed_in(browser) {
            if self.sessions[before].user == user {
                return;
            }
            self.kill_session(before);
        }
        self.browsers[browser] = Some(self.sessions.len());
        self.sessions.push(Session { user, sid: sid.to_owned(), alive: true });
    }

    pub(super) fn kill_grant(&mut self, grant: usize) {
        self.grants[grant].alive = false;
    }

    pub(super) fn kill_session(&mut self, session: usize) {
        self.sessions[session].alive = false;
    }

    /// Everything a user had, and allowed.
    pub(super) fn kill_user(&mut self, user: usize) {
        self.consents.retain(|(whose, _), _| *whose != user);
        self.sessions.iter_mut().filter(|it| it.user == user).for_each(|it| it.alive = false);
        self.grants.iter_mut().filter(|it| it.user == user).for_each(|it| it.alive = false);
    }

    /// Everything but one session and what hangs on it; tokens that were handed out die all the same.
    pub(super) fn kill_others(&mut self, kept: usize) {
        let user = self.sessions[kept].user;
        self.consents.retain(|(whose, _), _| *whose != user);
        for (index, session) in self.sessions.iter_mut().enumerate() {
            session.alive &= session.user != user || index == kept;
        }
        for (index, grant) in self.grants.iter_mut().enumerate().filter(|(_, grant)| grant.user == user) {
            grant.alive &= grant.session == kept && !grant.offline;
            self.access.iter_mut().filter(|it| it.grant == Some(index)).for_each(|it| it.alive = false);
        }
    }

    /// Everything a client had, and what it was allowed.
    pub(super) fn kill_client(&mut self, client: usize) {
        self.grants.iter_mut().filter(|it| it.client == client).for_each(|it| it.alive = false);
        self.access.iter_mut().filter(|it| it.client == client).for_each(|it| it.alive = false);
        self.consents.retain(|(_, known), _| *known != client);
    }

    /// What a user had allowed a client.
    pub(super) fn withdraw(&mut self, user: usize, client: usize) {
        self.grants.iter_mut().filter(|it| it.user == user && it.client == client).for_each(|it| it.alive = false);
        self.consents.remove(&(user, client));
    }

    /// Everything.
    pub(super) fn kill_all(&mut self) {
        self.sessions.iter_mut().for_each(|it| it.alive = false);
        self.grants.iter_mut().for_each(|it| it.alive = false);
        self.access.iter_mut().for_each(|it| it.alive = false);
        self.consents.clear();
    }

    /// So long that every session has lain unused for too long.
    pub(super) fn sleep(&mut self) {
        self.now += SESSION_IDLE + 1;
        self.sessions.iter_mut().for_each(|it| it.alive = false);
    }
}
