//! What somebody who is signed in may do about their own account: one file a form of the page at `/`.

pub(crate) mod applications_withdraw;
pub(crate) mod password;
pub(crate) mod sessions_end;
pub(crate) mod sessions_end_all;
pub(crate) mod sessions_end_others;

use std::sync::Arc;

use axum::http::header;
use axum::response::Response;

use super::error::PageError;
use crate::app::App;
use crate::domain::ids::Tick;
use crate::domain::params::Params;
use crate::domain::said::Said;
use crate::http::cookies::Cookie;
use crate::http::signed_in::SignedIn;
use crate::http::visit::{Sender, Submission};
use crate::http::{effect, redirect, said};
use crate::store::Db;
use crate::store::anew::ActingSession;

/// A form of somebody who is signed in, checked.
struct Checked {
    /// Who.
    signed_in: SignedIn,
    /// What was sent.
    params: Params,
    /// From where.
    sender: Sender,
}

impl Checked {
    async fn of(app: &Arc<App>, submission: Submission) -> Result<Self, PageError> {
        let Submission { form, sender } = submission;
        // Before anything else: another site's form must learn nothing from the answer.
        form.came_from_us().map_err(|why| PageError::forged(&why))?;
        let Some(signed_in) = sender.signed_in(app).await? else { return Err(PageError::sign_in_again()) };
        let params = form.verify(app, &signed_in.cookie).map_err(|why| PageError::forged(&why))?;
        Ok(Self { signed_in, params, sender })
    }

    /// The database, on behalf of this user.
    fn db(&self, app: &App) -> Db {
        self.signed_in.db(app, &self.sender.source)
    }

    /// The session that acts, as it was found.
    fn acting(&self) -> ActingSession {
        let SignedIn { session, cookie, .. } = &self.signed_in;
        ActingSession { id: session.id.clone(), user_id: session.user_id.clone(), cookie_hash: cookie.hash(), born: session.born }
    }

    /// Says what was cut off at this tick, which this browser outlives: its device is known anew.
    fn done_known(&self, app: &App, said: Said, tick: Tick) -> Response {
        let mut answer = self.done(app, said, Some(tick));
        let device = app.device_cookie(&self.signed_in.user.id, tick);
        answer.headers_mut().append(header::SET_COOKIE, Cookie::Device.set(app, &device));
        answer
    }

    /// Says what was done: a program is told the tick, and a person on the page that they come back to. Where nothing was cut off, there
    /// is nothing to say.
    fn done(&self, app: &App, said: Said, tick: Option<Tick>) -> Response {
        if effect::wants_json(&self.sender.headers) {
            return effect::answer(tick);
        }
        let mut answer = redirect::to("/");
        if tick.is_some() {
            answer.headers_mut().append(header::SET_COOKIE, said::cookie(app, said, &self.sender.browser));
        }
        answer
    }
}
