//! The error page: what a person sees when something cannot go on, with a line for the makers of the application.

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::views::{ErrorPage, MakersNote};
use super::{Policy, frame, page};
use crate::app::App;
use crate::app::attempts::GateOrStore;
use crate::http::error::{Fault, FaultKind, answers_faults, bare};
use crate::http::form::{ForgeryError, FormError};
use crate::secret::random_id;

/// Why a page cannot be shown; what the person is told of it is in the one match of [`PageError::words`].
pub(crate) struct PageError {
    kind: Kind,
    app: Option<Arc<App>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    UnknownClient,
    UnregisteredRedirectUri,
    Unreadable(String),
    TooLong,
    RequestGone,
    SetUpLinkDead,
    TooMany(u64),
    SignInAgain,
    TooManySessions,
    Forged,
    NotFound,
    WrongMethod,
    Unavailable,
    Internal,
}

struct Words {
    status: StatusCode,
    title: &'static str,
    lead: &'static str,
    advice: &'static str,
    note: Option<(&'static str, String)>,
}

const NOTHING_SENT: &str = "You have done nothing wrong, and nothing was sent. Go back to the application and try again; if it \
                            happens once more, tell its makers:";
const AGAIN: &str = "Go back to where you came from and start again.";

impl PageError {
    fn new(app: &Arc<App>, kind: Kind) -> Self {
        Self { kind, app: Some(Arc::clone(app)) }
    }

    /// The client of an authorization request is unknown.
    pub(crate) fn unknown_client(app: &Arc<App>) -> Self {
        Self::new(app, Kind::UnknownClient)
    }

    /// The redirect URI is not one of the client's.
    pub(crate) fn unregistered_redirect_uri(app: &Arc<App>) -> Self {
        Self::new(app, Kind::UnregisteredRedirectUri)
    }

    /// The request cannot be read.
    pub(crate) fn unreadable(app: &Arc<App>, why: &dyn std::fmt::Display) -> Self {
        Self::new(app, Kind::Unreadable(why.to_string()))
    }

    /// The form cannot be read.
    pub(crate) fn bad_form(app: &Arc<App>, why: &FormError) -> Self {
        match why {
            FormError::TooLong => Self::new(app, Kind::TooLong),
            FormError::NotAForm | FormError::Unreadable | FormError::Params(_) => Self::unreadable(app, why),
        }
    }

    /// The kept request was answered, has expired, or belongs to another browser.
    pub(crate) fn request_gone(app: &Arc<App>) -> Self {
        Self::new(app, Kind::RequestGone)
    }

    /// The set-up link does not work any more.
    pub(crate) fn set_up_link_dead(app: &Arc<App>) -> Self {
        Self::new(app, Kind::SetUpLinkDead)
    }

    /// Too many attempts failed before; so many seconds to wait.
    pub(crate) fn too_many(app: &Arc<App>, seconds: u64) -> Self {
        Self::new(app, Kind::TooMany(seconds))
    }

    /// Whoever acted is signed in no more, or something that the act leaned on changed meanwhile.
    pub(crate) fn sign_in_again(app: &Arc<App>) -> Self {
        Self::new(app, Kind::SignInAgain)
    }

    /// There are as many sessions as there may be.
    pub(crate) fn too_many_sessions(app: &Arc<App>) -> Self {
        Self::new(app, Kind::TooManySessions)
    }

    /// A form that was not ours, or of another session.
    pub(crate) fn forged(app: &Arc<App>, why: &ForgeryError) -> Self {
        tracing::warn!(%why, "refused a form");
        Self::new(app, Kind::Forged)
    }

    /// There is no such page.
    pub(crate) fn not_found(app: &Arc<App>) -> Self {
        Self::new(app, Kind::NotFound)
    }

    fn from_fault(fault: &Fault) -> Self {
        let kind = match fault.report() {
            FaultKind::Unavailable => Kind::Unavailable,
            FaultKind::Internal => Kind::Internal,
        };
        Self { kind, app: None }
    }

    fn words(&self) -> Words {
        match &self.kind {
            Kind::UnknownClient => Words {
                status: StatusCode::BAD_REQUEST,
                title: "This link does not work",
                lead: "The application that sent you here is not registered with us, so we stopped.",
                advice: NOTHING_SENT,
                note: Some(("client_id", "is missing or not registered here.".to_owned())),
            },
            Kind::UnregisteredRedirectUri => Words {
                status: StatusCode::BAD_REQUEST,
                title: "This link does not work",
                lead: "The application that sent you here asked us to return you to an address that it has not registered, so \
                       we stopped.",
                advice: NOTHING_SENT,
                note: Some(("redirect_uri", "is missing or not registered for this client.".to_owned())),
            },
            Kind::Unreadable(why) => Words {
                status: StatusCode::BAD_REQUEST,
                title: "This link does not work",
                lead: "The request that brought you here cannot be read.",
                advice: NOTHING_SENT,
                note: Some(("invalid_request", format!("{why}."))),
            },
            Kind::TooLong => Words {
                status: StatusCode::PAYLOAD_TOO_LARGE,
                title: "That was too much",
                lead: "The form holds more than we can take.",
                advice: "Go back, shorten what you typed and send it again.",
                note: None,
            },
            Kind::RequestGone => Words {
                status: StatusCode::BAD_REQUEST,
                title: "This page is no longer current",
                lead: "It was answered already, waited too long, or was opened in another browser.",
                advice: AGAIN,
                note: None,
            },
            Kind::SetUpLinkDead => Words {
                status: StatusCode::GONE,
                title: "This set-up link does not work any more",
                lead: "It works once, for fifteen minutes, and only while there is no administrator.",
                advice: "Whoever runs this server finds a fresh link on its terminal after each start.",
                note: None,
            },
            Kind::TooMany(_) => Words {
                status: StatusCode::TOO_MANY_REQUESTS,
                title: "Too many attempts",
                lead: "Too many links that do not work were opened from your network.",
                advice: "Wait a while, then open the link again.",
                note: None,
            },
            Kind::SignInAgain => Words {
                status: StatusCode::CONFLICT,
                title: "Please sign in again",
                lead: "You are no longer signed in here, or your account changed in another place just now.",
                advice: "Nothing was done. Start from the front page.",
                note: None,
            },
            Kind::TooManySessions => Words {
                status: StatusCode::FORBIDDEN,
                title: "You are signed in in too many places",
                lead: "Name and password are right, but this account may not be signed in in one more place.",
                advice: "Sign out in a browser that you no longer need, or choose to log out everywhere there; then sign in here.",
                note: None,
            },
            Kind::Forged => Words {
                status: StatusCode::FORBIDDEN,
                title: "We did not do that",
                lead: "The page was open too long, or the request did not come from it.",
                advice: AGAIN,
                note: None,
            },
            Kind::NotFound => Words {
                status: StatusCode::NOT_FOUND,
                title: "There is nothing here",
                lead: "No page has this address.",
                advice: "Check the address, or start from the front page.",
                note: None,
            },
            Kind::WrongMethod => Words {
                status: StatusCode::METHOD_NOT_ALLOWED,
                title: "This page cannot be opened this way",
                lead: "Its address is for a form to be sent to, not for the address bar.",
                advice: "Start from the front page, or from the application that you want to use.",
                note: None,
            },
            Kind::Unavailable => Words {
                status: StatusCode::SERVICE_UNAVAILABLE,
                title: "Please try again in a moment",
                lead: "There is more to do just now than we can take on.",
                advice: "Nothing was lost. Wait a few seconds and load the page again.",
                note: None,
            },
            Kind::Internal => Words {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                title: "Something went wrong here",
                lead: "The fault is ours, and it was written down.",
                advice: "Try again in a while; if it stays, tell whoever runs this server the reference below.",
                note: None,
            },
        }
    }
}

answers_faults!(PageError);

impl From<GateOrStore> for PageError {
    fn from(fault: GateOrStore) -> Self {
        match fault {
            GateOrStore::Gate(fault) => fault.into(),
            GateOrStore::Store(fault) => fault.into(),
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let words = self.words();
        let reference = random_id();
        tracing::info!(kind = ?self.kind, %reference, "showed an error page");
        let Some(app) = self.app else {
            // A fault deep inside knows no App to render with; the outermost layer puts the page around it.
            let mut bare = words.status.into_response();
            bare.extensions_mut().insert(Unrendered(self.kind));
            return bare;
        };
        let template = ErrorPage {
            frame: &frame(&app, app.now()),
            status: words.status.as_u16(),
            title: words.title,
            lead: words.lead,
            advice: words.advice,
            for_the_makers: words.note.as_ref().map(|(code, description)| MakersNote { code, description }),
            reference: &reference,
        };
        let mut answer = page(words.status, &template, Policy::default()).unwrap_or_else(|_| words.status.into_response());
        if let Kind::TooMany(seconds) = self.kind {
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if words.status == StatusCode::SERVICE_UNAVAILABLE {
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        answer
    }
}

/// Marks an answer whose error page is still to be rendered.
#[derive(Debug, Clone)]
struct Unrendered(Kind);

/// Renders the page of a fault that had no App at hand, or of an answer that the router or a limit gave without words.
pub(crate) fn rendered(app: &Arc<App>, answer: Response) -> Response {
    let kind = match (answer.extensions().get::<Unrendered>(), bare(&answer)) {
        (Some(Unrendered(kind)), _) => kind.clone(),
        (None, Some(StatusCode::METHOD_NOT_ALLOWED)) => Kind::WrongMethod,
        (None, Some(StatusCode::SERVICE_UNAVAILABLE)) => Kind::Unavailable,
        (None, Some(StatusCode::INTERNAL_SERVER_ERROR)) => Kind::Internal,
        (None, _) => return answer,
    };
    let mut page = PageError::new(app, kind).into_response();
    if let Some(allow) = answer.headers().get(header::ALLOW) {
        page.headers_mut().insert(header::ALLOW, allow.clone());
    }
    page
}
