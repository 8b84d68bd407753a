//! The error page: what a person sees when something cannot go on, with a line for the makers of the application.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::views::{ErrorPage, MakersNote};
use super::{Policy, frame, page};
use crate::app::App;
use crate::app::attempts::GateOrStore;
use crate::http::error::{Fault, FaultKind, answers_faults, bare};
use crate::http::form::{ForgeryError, FormError};

/// Why a page cannot be shown; what the person is told of it is in the one match of [`PageError::words`].
#[derive(Debug, Clone)]
pub(crate) struct PageError(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    UnknownClient,
    UnregisteredRedirectUri,
    UnregisteredPostLogoutRedirectUri,
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
    AddressTooLong,
    HeadTooLong,
    Misdirected,
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
    /// The client of an authorization request is unknown.
    pub(crate) fn unknown_client() -> Self {
        Self(Kind::UnknownClient)
    }

    /// The redirect URI is not one of the client's.
    pub(crate) fn unregistered_redirect_uri() -> Self {
        Self(Kind::UnregisteredRedirectUri)
    }

    /// A logout request wants the browser somewhere that is not the client's.
    pub(crate) fn unregistered_post_logout_redirect_uri() -> Self {
        Self(Kind::UnregisteredPostLogoutRedirectUri)
    }

    /// The request cannot be read.
    pub(crate) fn unreadable(why: &dyn std::fmt::Display) -> Self {
        Self(Kind::Unreadable(why.to_string()))
    }

    /// The form cannot be read.
    pub(crate) fn bad_form(why: &FormError) -> Self {
        match why {
            FormError::TooLong => Self(Kind::TooLong),
            FormError::NotAForm | FormError::Unreadable | FormError::Params(_) => Self::unreadable(why),
        }
    }

    /// The kept request was answered, has expired, or belongs to another browser.
    pub(crate) fn request_gone() -> Self {
        Self(Kind::RequestGone)
    }

    /// The set-up link does not work any more.
    pub(crate) fn set_up_link_dead() -> Self {
        Self(Kind::SetUpLinkDead)
    }

    /// Too many attempts failed before; so many seconds to wait.
    pub(crate) fn too_many(seconds: u64) -> Self {
        Self(Kind::TooMany(seconds))
    }

    /// Whoever acted is signed in no more, or something that the act leaned on changed meanwhile.
    pub(crate) fn sign_in_again() -> Self {
        Self(Kind::SignInAgain)
    }

    /// There are as many sessions as there may be.
    pub(crate) fn too_many_sessions() -> Self {
        Self(Kind::TooManySessions)
    }

    /// A form that was not ours, or of another session.
    pub(crate) fn forged(why: &ForgeryError) -> Self {
        tracing::warn!(%why, "refused a form");
        Self(Kind::Forged)
    }

    /// There is no such page.
    pub(crate) fn not_found() -> Self {
        Self(Kind::NotFound)
    }

    fn from_fault(fault: &Fault) -> Self {
        let kind = match fault.report() {
            FaultKind::Unavailable => Kind::Unavailable,
            FaultKind::Internal => Kind::Internal,
        };
        Self(kind)
    }

    /// What a program reads.
    fn code(&self) -> &'static str {
        match &self.0 {
            Kind::SignInAgain => "login_required",
            Kind::Forged | Kind::TooManySessions => "access_denied",
            Kind::NotFound => "not_found",
            Kind::TooMany(_) | Kind::Unavailable => "temporarily_unavailable",
            Kind::Internal => "server_error",
            Kind::UnknownClient
            | Kind::UnregisteredRedirectUri
            | Kind::UnregisteredPostLogoutRedirectUri
            | Kind::Unreadable(_)
            | Kind::TooLong
            | Kind::RequestGone
            | Kind::SetUpLinkDead
            | Kind::WrongMethod
            | Kind::AddressTooLong
            | Kind::HeadTooLong
            | Kind::Misdirected => "invalid_request",
        }
    }

    fn words(&self) -> Words {
        match &self.0 {
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
            Kind::UnregisteredPostLogoutRedirectUri => Words {
                status: StatusCode::BAD_REQUEST,
                title: "This link does not work",
                lead: "The application that sent you here to sign out asked us to return you to an address that it has not \
                       registered, so we stopped.",
                advice: "You have done nothing wrong, and you were not signed out. You can do that on the front page; if it happens \
                         once more, tell the application's makers:",
                note: Some(("post_logout_redirect_uri", "is not registered for this client.".to_owned())),
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
            Kind::AddressTooLong => Words {
                status: StatusCode::URI_TOO_LONG,
                title: "This link does not work",
                lead: "Its address is longer than we can take.",
                advice: NOTHING_SENT,
                note: Some(("invalid_request", "the address is longer than 8 KiB; send long requests by POST.".to_owned())),
            },
            Kind::HeadTooLong => Words {
                status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                title: "That was too much",
                lead: "Your browser sent more along than we can take.",
                advice: "Delete the cookies of this site and load the page again.",
                note: None,
            },
            Kind::Misdirected => Words {
                status: StatusCode::MISDIRECTED_REQUEST,
                title: "This is not the right address",
                lead: "You have come here by an address that is not ours.",
                advice: "Sign in only where the address bar shows the name above.",
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
    /// A status and what goes on the page: the outermost layer, which knows the request's id, puts the page around it.
    fn into_response(self) -> Response {
        let mut bare = self.words().status.into_response();
        bare.extensions_mut().insert(self);
        bare
    }
}

/// Who is to be told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The request's own id, which is in the log too: what a person can quote.
    pub(crate) request_id: &'a str,
    /// Whether a program asks, and wants no page.
    pub(crate) json: bool,
}

/// Renders the page of an error, or of an answer that the router or a limit gave without words.
pub(crate) fn rendered(app: &App, asked: Asked<'_>, answer: Response) -> Response {
    let kind = match (answer.extensions().get::<PageError>(), bare(&answer)) {
        (Some(PageError(kind)), _) => kind.clone(),
        (None, Some(StatusCode::BAD_REQUEST)) => Kind::Unreadable("it does not name the one host that it is for".to_owned()),
        (None, Some(StatusCode::METHOD_NOT_ALLOWED)) => Kind::WrongMethod,
        (None, Some(StatusCode::URI_TOO_LONG)) => Kind::AddressTooLong,
        (None, Some(StatusCode::MISDIRECTED_REQUEST)) => Kind::Misdirected,
        (None, Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)) => Kind::HeadTooLong,
        (None, Some(StatusCode::SERVICE_UNAVAILABLE)) => Kind::Unavailable,
        (None, Some(StatusCode::INTERNAL_SERVER_ERROR)) => Kind::Internal,
        (None, _) => return answer,
    };
    let error = PageError(kind);
    let words = error.words();
    tracing::info!(kind = ?error.0, "showed an error page");
    let template = ErrorPage {
        frame: &frame(app, app.now()),
        status: words.status.as_u16(),
        title: words.title,
        lead: words.lead,
        advice: words.advice,
        for_the_makers: words.note.as_ref().map(|(code, description)| MakersNote { code, description }),
        reference: asked.request_id,
    };
    let mut page = match asked.json {
        true => (words.status, Json(json!({ "error": error.code(), "error_description": words.lead }))).into_response(),
        false => page(words.status, &template, Policy::default()).unwrap_or_else(|_| words.status.into_response()),
    };
    if let Kind::TooMany(seconds) = error.0 {
        page.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if words.status == StatusCode::SERVICE_UNAVAILABLE {
        page.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    }
    if let Some(allow) = answer.headers().get(header::ALLOW) {
        page.headers_mut().insert(header::ALLOW, allow.clone());
    }
    page
}
