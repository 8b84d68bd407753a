//! Floor 0: the rules, as pure functions over values. No I/O, no async, no SQL, no HTTP.

pub mod audit;
pub mod authorization_request;
pub mod claims;
pub mod claims_request;
pub mod client;
pub mod code;
pub mod consent;
pub mod cutoff;
pub mod grant;
pub mod ids;
pub mod issuer_url;
pub mod life;
pub mod logout_request;
pub mod mapped_claim;
pub mod params;
pub mod password;
pub mod pkce;
pub mod profile;
pub mod redirect_uri;
pub mod refresh;
pub mod resource;
pub mod scope;
pub mod session;
pub mod signing_key;
pub mod text;
pub mod user;
