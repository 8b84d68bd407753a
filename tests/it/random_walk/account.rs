//! What people do on their own page.

use std::collections::BTreeSet;

use passant_tests::world::Answer;

use super::steps::Walk;

impl Walk {
    /// Presses one of the page's buttons, if it is there.
    async fn press(&mut self, browser: usize, path: &str, fields: &[(&str, &str)]) -> Option<Answer> {
        let page = self.agents[browser].get("/").await;
        let there = page.body.contains(&format!("action=\"{path}\""));
        if there { Some(self.agents[browser].submit(&page, path, fields).await) } else { None }
    }

    /// The page shows exactly the live sessions of its user, and ends one of the others.
    pub(super) async fn end_one(&mut self) {
        let Some((browser, here)) = self.somebody() else { return };
        let user = self.model.sessions[here].user;
        let live = self.model.sessions.iter().enumerate().filter(|(index, it)| it.alive && it.user == user && *index != here);
        let live: Vec<(usize, String)> = live.map(|(index, it)| (index, it.sid.clone())).collect();
        let page = self.agents[browser].get("/").await;
        let shown: BTreeSet<&str> =
            page.body.split("name=\"session\" value=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let expected: BTreeSet<&str> = live.iter().map(|(_, sid)| sid.as_str()).collect();
        let matches = shown == expected;
        self.agree("list sessions", format!("browser {browser}, {} others", live.len()), matches, true);
        let Some((other, sid)) = live.first().cloned() else { return };
        // Sometimes somebody else's page asks for it.
        let stranger =
            (0..self.agents.len()).find(|it| self.model.signed_in(*it).is_some_and(|it| self.model.sessions[it].user != user));
        let by = stranger.filter(|_| self.dice.one_in(3)).unwrap_or(browser);
        let page = self.agents[by].get("/").await;
        let answer = self.agents[by].submit(&page, "/account/sessions/end", &[("session", &sid)]).await;
        if by == browser {
            self.model.kill_session(other);
        }
        self.agree("end one session", format!("session {other} by browser {by}"), answer.status.as_u16(), 303);
    }

    pub(super) async fn end_others(&mut self) {
        let Some((browser, here)) = self.somebody() else { return };
        let user = self.model.sessions[here].user;
        let others = self.model.sessions.iter().enumerate().any(|(index, it)| it.alive && it.user == user && index != here);
        let pressed = self.press(browser, "/account/sessions/end-others", &[]).await.is_some();
        if others {
            self.model.kill_others(here);
        }
        self.agree("end others", format!("browser {browser}"), pressed, others);
    }

    pub(super) async fn log_out_everywhere(&mut self) {
        let Some((browser, here)) = self.somebody() else { return };
        let pressed = self.press(browser, "/account/sessions/end-all", &[]).await.is_some();
        self.model.kill_user(self.model.sessions[here].user);
        self.agree("log out everywhere", format!("browser {browser}"), pressed, true);
    }

    pub(super) async fn withdraw(&mut self) {
        let Some((browser, here)) = self.somebody() else { return };
        let (user, client) = (self.model.sessions[here].user, self.dice.roll(self.clients.len()));
        let id = self.clients[client].id().to_owned();
        let page = self.agents[browser].get("/").await;
        let shown = page.body.contains(&format!("name=\"client\" value=\"{id}\""));
        let live = (0..self.model.grants.len()).any(|it| {
            let grant = &self.model.grants[it];
            grant.user == user && grant.client == client && self.model.grant_shown(it)
        });
        let expected = self.model.client_works(client) && (live || self.model.consents.contains_key(&(user, client)));
        self.agree("list applications", format!("browser {browser}, client {client}"), shown, expected);
        if shown {
            self.agents[browser].submit(&page, "/account/applications/withdraw", &[("client", &id)]).await;
            self.model.withdraw(user, client);
        }
    }

    pub(super) async fn change_password(&mut self) {
        let Some((browser, here)) = self.somebody() else { return };
        let user = self.model.sessions[here].user;
        let right = !self.dice.one_in(3);
        let current = if right { self.model.users[user].password.clone() } else { "not the password of anybody".to_owned() };
        let new = format!("password number {} of {}", self.model.now, self.model.users[user].name);
        self.world.secrets.collect("password", &new);
        let page = self.agents[browser].get("/account/password").await;
        let answer = self.agents[browser].submit(&page, "/account/password", &[("current", &current), ("new", &new)]).await;
        let expected = if right && current != new { 303 } else { 422 };
        let what = format!("browser {browser}, {}", if right { "right" } else { "wrong" });
        self.agree("change password", what, answer.status.as_u16(), expected);
        if expected == 303 {
            self.model.kill_user(user);
            self.model.users[user].password = new;
            self.signed_in_anew(browser, user).await;
        }
    }
}
