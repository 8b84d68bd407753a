//! The steps of the walk: each is done to the issuer and to the model, and what the issuer answered must be what the model expects.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use passant::secret::OpaqueToken;
use passant::store::sessions;
use passant_tests::world::{Agent, Answer, Callback, Registered, Tokens, World};

use super::Dice;
use super::model::{Client, Model, Refresh, User};

/// Names the browsers sign in with; passwords change on the way.
pub(super) const USERS: [&str; 3] = ["ada", "grace", "mary"];
const BROWSERS: usize = 5;
/// How many of the latest of a kind a step chooses from: the old ones are dead anyway.
const RECENT: usize = 24;

/// The issuer and the model, side by side.
pub(super) struct Walk {
    pub(super) world: Arc<World>,
    pub(super) dice: Dice,
    pub(super) model: Model,
    pub(super) agents: Vec<Agent>,
    pub(super) clients: Vec<Registered>,
    said: VecDeque<String>,
    /// How often each step came to each answer.
    tally: BTreeMap<&'static str, BTreeMap<String, usize>>,
}

impl Walk {
    pub(super) async fn begin(world: Arc<World>, dice: Dice) -> Self {
        let mut model = Model { browsers: vec![None; BROWSERS], ..Model::default() };
        for name in USERS {
            let password = format!("{name}: a password to begin with");
            world.user(name, &password).await;
            model.users.push(User { name: name.to_owned(), password, exists: true, disabled: false });
        }
        let first = world.client("first", |_| {}).await;
        let third = world.client("third", |it| it.first_party = false).await;
        let public = world.public_client("public").await;
        for (public, first_party) in [(false, true), (false, false), (true, true)] {
            model.clients.push(Client { exists: true, disabled: false, public, first_party });
        }
        let agents = (0..BROWSERS).map(|_| world.agent()).collect();
        Self { world, dice, model, agents, clients: vec![first, third, public], said: VecDeque::new(), tally: Default::default() }
    }

    /// Takes one step.
    pub(super) async fn step(&mut self) {
        match self.dice.roll(1000) {
            0..150 => self.sign_in().await,
            150..360 => self.authorize().await,
            360..520 => self.redeem().await,
            520..670 => self.refresh().await,
            670..760 => self.userinfo().await,
            760..850 => self.introspect().await,
            850..864 => self.revoke().await,
            864..870 => self.log_out().await,
            870..876 => self.end_one().await,
            876..881 => self.end_others().await,
            881..884 => self.log_out_everywhere().await,
            884..892 => self.withdraw().await,
            892..898 => self.change_password().await,
            898..912 => self.command_on_a_user().await,
            912..926 => self.command_on_a_client().await,
            926..929 => self.command_on_a_session().await,
            929..931 => self.rare_command().await,
            _ => self.wait(),
        }
    }

    /// Fails when a step that can end in several ways always ended in one: then the walk would have shown nothing.
    pub(super) fn end(&self) {
        println!("{:#?}", self.tally);
        for (step, least) in [
            ("sign in", 2),
            ("authorize", 6),
            ("redeem", 3),
            ("refresh", 3),
            ("userinfo", 2),
            ("introspect", 3),
            ("revoke", 2),
            ("change password", 2),
            ("end one session", 1),
            ("end others", 2),
            ("log out everywhere", 1),
            ("list applications", 2),
        ] {
            assert!(self.tally.get(step).is_some_and(|answers| answers.len() >= least), "{step}: {:?}", self.tally.get(step));
        }
    }

    /// Fails with the last steps when issuer and model disagree.
    #[track_caller]
    pub(super) fn agree<T: PartialEq + Debug>(&mut self, step: &'static str, what: String, found: T, expected: T) {
        self.say(format!("{step} {what}: {found:?}"));
        *self.tally.entry(step).or_default().entry(format!("{found:?}")).or_default() += 1;
        if found != expected {
            let said: Vec<&str> = self.said.iter().map(String::as_str).collect();
            panic!("the model expects {expected:?} of the last of these steps:\n{}", said.join("\n"));
        }
    }

    /// Notes a command, which answers nobody but the operator.
    pub(super) fn note(&mut self, command: &'static str, about: &impl Debug) {
        self.say(format!("{command} {about:?}"));
    }

    fn say(&mut self, what: String) {
        self.said.push_back(format!("{}s {what}", self.model.now));
        if self.said.len() > 60 {
            self.said.pop_front();
        }
    }

    /// A browser in which somebody is signed in, and the session.
    pub(super) fn somebody(&mut self) -> Option<(usize, usize)> {
        let browser = self.dice.roll(BROWSERS);
        self.model.signed_in(browser).map(|session| (browser, session))
    }

    fn wait(&mut self) {
        if self.dice.one_in(200) {
            let before = self.model.now;
            self.model.sleep();
            self.world.advance(Duration::from_secs(self.model.now - before));
        } else {
            let seconds = [0, 1, 1, 2, 3, 5, 8, 20, 120][self.dice.roll(9)];
            self.pass(seconds);
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.model.now += seconds;
        self.world.advance(Duration::from_secs(seconds));
    }

    async fn sign_in(&mut self) {
        let (browser, user) = (self.dice.roll(BROWSERS), self.dice.roll(USERS.len()));
        let right = !self.dice.one_in(6);
        let (name, password) = (self.model.users[user].name.clone(), self.model.users[user].password.clone());
        let password = if right { password } else { "not the password of anybody".to_owned() };
        let other = self.model.signed_in(browser);
        // The sign-in page sends who is signed in home; a request that wants a sign-in brings the form all the same.
        let answer = match other {
            None => self.agents[browser].sign_in(&name, &password).await,
            Some(_) => {
                // A sign-in of this very moment would be fresh enough.
                self.pass(1);
                let client = self.clients[0].clone();
                let page = self.agents[browser].authorize(&client, &[("prompt", "login")]).await;
                if page.status == 400 {
                    // No client, no request, no form.
                    assert!(!self.model.client_works(0));
                    return;
                }
                let page = self.agents[browser].follow(page).await;
                self.agents[browser].submit(&page, "/login", &[("username", &name), ("password", &password)]).await
            }
        };
        let expected = right && self.model.may_sign_in(user);
        if expected {
            self.signed_in_anew(browser, user).await;
        }
        let what = format!("browser {browser}, {name}, {}", if right { "right" } else { "wrong" });
        self.agree("sign in", what, answer.status.as_u16(), if expected { 303 } else { 422 });
    }

    async fn authorize(&mut self) {
        let (browser, client) = (self.dice.roll(BROWSERS), self.dice.roll(self.clients.len()));
        let mut scopes = BTreeSet::from(["openid"]);
        for further in ["profile", "email", "orders:read", "offline_access"] {
            if self.dice.one_in(3) {
                scopes.insert(further);
            }
        }
        let prompt = ["", "", "none", "consent"][self.dice.roll(4)];
        let what = format!("browser {browser}, client {client}, {scopes:?}, prompt {prompt:?}");
        let scope = scopes.iter().copied().collect::<Vec<_>>().join(" ");
        let registered = self.clients[client].clone();
        let answer = self.agents[browser].authorize(&registered, &[("scope", &scope), ("prompt", prompt)]).await;
        let session = self.model.signed_in(browser);
        let (mut found, mut expected) = (outcome(&answer, &registered), "sign-in");
        if !self.model.client_works(client) {
            expected = "page";
        } else if let Some(session) = session {
            let user = self.model.sessions[session].user;
            match (self.model.asks(user, client, &scopes, prompt == "consent"), prompt) {
                (true, "none") => expected = "consent_required",
                (true, _) => {
                    self.agree("authorize", what.clone(), found.as_str(), "consent");
                    let page = self.agents[browser].follow(answer.clone()).await;
                    let allow = !self.dice.one_in(4);
                    let word = if allow { "allow" } else { "deny" };
                    let answered = self.agents[browser].submit(&page, "/consent", &[("answer", word)]).await;
                    found = outcome(&answered, &registered);
                    expected = if allow { "code" } else { "access_denied" };
                    if allow {
                        self.model.remember(user, client, &scopes);
                        self.approved(browser, client, &scopes, &answered);
                    }
                }
                (false, _) => {
                    expected = "code";
                    if found == "code" {
                        self.approved(browser, client, &scopes, &answer);
                    }
                }
            }
        } else if prompt == "none" {
            expected = "login_required";
        }
        self.agree("authorize", what, found.as_str(), expected);
    }

    fn approved(&mut self, browser: usize, client: usize, scopes: &BTreeSet<&'static str>, answer: &Answer) {
        let callback = Callback::parse(answer.location(), self.clients[client].redirect_uri());
        self.model.approve(browser, client, scopes, callback.code().to_owned());
    }

    /// One of the latest of so many, and rather one of the very latest.
    fn recent(&mut self, of: usize) -> Option<usize> {
        (of > 0).then(|| {
            let back = self.dice.roll(of.min(RECENT)) + 1;
            of - 1 - self.dice.roll(back)
        })
    }

    /// Takes over the session that a browser has just been given.
    pub(super) async fn signed_in_anew(&mut self, browser: usize, user: usize) {
        let cookie = OpaqueToken::presented(self.agents[browser].cookies()["__Host-passant-session"].as_str());
        let mut reader = self.world.db().reader().await.unwrap();
        let found = sessions::find_by_cookie(&mut reader.conn(), &cookie.hash()).await.unwrap().expect("there is a session");
        self.model.sign_in(browser, user, found.session.id.as_str());
    }

    async fn redeem(&mut self) {
        let Some(code) = self.recent(self.model.codes.len()) else { return };
        let grant = self.model.codes[code].grant;
        let client = self.model.grants[grant].client;
        let stranger = self.dice.one_in(8);
        let by = if stranger { (client + 1) % self.clients.len() } else { client };
        let text = self.model.codes[code].code.clone();
        let answer = self.clients[by].redeem(&self.agents[0], &text).await;
        let works = self.model.client_works(by);
        let granted = works && by == client && self.model.redeem(code);
        if granted && answer.status == 200 {
            let tokens = Tokens::of(&answer);
            self.model.mint(Some(grant), client, tokens.access().to_owned());
            self.model.grants[grant].family.push(tokens.refresh().to_owned());
        }
        let expected = if granted {
            200
        } else if works {
            400
        } else {
            401
        };
        self.agree("redeem", format!("code {code} of grant {grant}, client {by}"), answer.status.as_u16(), expected);
    }

    async fn refresh(&mut self) {
        let families: Vec<usize> = (0..self.model.grants.len()).filter(|it| !self.model.grants[*it].family.is_empty()).collect();
        let Some(recent) = self.recent(families.len()) else { return };
        let (grant, client) = (families[recent], self.model.grants[families[recent]].client);
        let newest = self.model.grants[grant].family.len() - 1;
        let token = newest.saturating_sub([0, 0, 0, 0, 1, 2][self.dice.roll(6)]);
        let text = self.model.grants[grant].family[token].clone();
        let answer = self.clients[client].refresh(&self.agents[0], &text).await;
        let what = format!("token {token} of {newest} of grant {grant}");
        if !self.model.client_works(client) {
            return self.agree("refresh", what, answer.status.as_u16(), 401);
        }
        let expected = self.model.refresh(grant, token);
        let granted = matches!(expected, Refresh::Successor | Refresh::Again);
        self.agree("refresh", what.clone(), answer.status.as_u16(), if granted { 200 } else { 400 });
        if granted {
            let tokens = Tokens::of(&answer);
            self.model.mint(Some(grant), client, tokens.access().to_owned());
            if expected == Refresh::Again {
                let newest = self.model.grants[grant].family[newest].clone();
                return self.agree("refresh again", what, tokens.refresh() == newest, true);
            }
            let now = self.model.now;
            self.model.grants[grant].family.push(tokens.refresh().to_owned());
            self.model.grants[grant].rotated_at = now;
        }
    }

    async fn userinfo(&mut self) {
        let Some(access) = self.recent(self.model.access.len()) else { return };
        let token = self.model.access[access].token.clone();
        let answer = self.agents[0].userinfo(&token).await;
        let alive = self.model.access_alive(access);
        self.agree("userinfo", format!("token {access}"), answer.status.as_u16(), if alive { 200 } else { 401 });
    }

    /// An access token, or a refresh token, put to /introspect by its client.
    async fn introspect(&mut self) {
        let Some((kind, text, client, alive)) = self.any_token() else { return };
        let answer = self.clients[client].post(&self.world, "/introspect", &[("token", &text)]).await;
        let expected = match self.model.client_works(client) && !self.model.clients[client].public {
            true => format!("200 {alive}"),
            false => "401".to_owned(),
        };
        let found = match answer.status.as_u16() {
            200 => format!("200 {}", answer.json()["active"]),
            other => other.to_string(),
        };
        self.agree("introspect", format!("{kind:?}"), found, expected);
    }

    async fn revoke(&mut self) {
        let Some((kind, text, client, _)) = self.any_token() else { return };
        let answer = self.clients[client].post(&self.world, "/revoke", &[("token", &text)]).await;
        let works = self.model.client_works(client);
        if works {
            match kind {
                Kind::Access(access) => self.model.access[access].alive = false,
                Kind::Refresh(grant) => self.model.kill_grant(grant),
            }
        }
        self.agree("revoke", format!("{kind:?}"), answer.status.as_u16(), if works { 200 } else { 401 });
    }

    /// A token, its client, and whether it is alive.
    fn any_token(&mut self) -> Option<(Kind, String, usize, bool)> {
        if self.dice.one_in(2) {
            let access = self.recent(self.model.access.len())?;
            let token = &self.model.access[access];
            return Some((Kind::Access(access), token.token.clone(), token.client, self.model.access_alive(access)));
        }
        let families: Vec<usize> = (0..self.model.grants.len()).filter(|it| !self.model.grants[*it].family.is_empty()).collect();
        let grant = families[self.recent(families.len())?];
        let family = &self.model.grants[grant].family;
        let newest = family.len() - 1;
        let token = newest.saturating_sub([0, 0, 1][self.dice.roll(3)]);
        let alive = self.model.grant_alive(grant) && token == newest;
        Some((Kind::Refresh(grant), self.model.grants[grant].family[token].clone(), self.model.grants[grant].client, alive))
    }

    async fn log_out(&mut self) {
        let browser = self.dice.roll(BROWSERS);
        let session = self.model.signed_in(browser);
        let home = self.agents[browser].get("/").await;
        let shown = home.body.contains("/logout");
        if shown {
            self.agents[browser].submit(&home, "/logout", &[]).await;
        }
        if let Some(session) = session {
            self.model.kill_session(session);
        }
        self.agree("log out", format!("browser {browser}"), shown, session.is_some());
    }
}

/// Which token.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Access(usize),
    /// One of a grant.
    Refresh(usize),
}

/// What a browser was answered, in a word.
fn outcome(answer: &Answer, client: &Registered) -> String {
    if answer.status != 303 {
        return "page".to_owned();
    }
    let location = answer.location();
    if location.starts_with("/login") {
        return "sign-in".to_owned();
    }
    if location.starts_with("/consent") {
        return "consent".to_owned();
    }
    let callback = Callback::parse(location, client.redirect_uri());
    callback.get("error").unwrap_or("code").to_owned()
}
