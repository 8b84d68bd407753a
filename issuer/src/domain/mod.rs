//! Floor 0: the rules, as pure functions over values. No I/O, no async, no SQL, no HTTP.

pub mod audience;
pub mod client;
pub mod ids;
pub mod issuer_url;
pub mod life;
pub mod redirect_uri;
pub mod resource;
pub mod scope;
pub mod signing_key;
pub mod text;
