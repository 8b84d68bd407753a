//! Floor 1: the only place that names sqlx. Two typed pools speak one SQL text; one file a table family.

#[macro_use]
pub mod db;

pub mod accounts;
pub mod anew;
pub mod applications;
pub mod attempts;
pub mod audit;
pub mod authorization_requests;
pub mod client_secrets;
pub mod clients;
pub mod codes;
pub mod consents;
mod error;
pub mod everything;
pub mod evidence;
pub mod feed_head;
pub mod feed_tail;
pub mod grants;
pub mod master_keys;
mod migrate;
pub mod refresh_tokens;
pub mod registrations;
pub mod session_list;
pub mod sessions;
pub mod set_up_tokens;
pub mod signing_keys;
pub mod status_lists;
pub mod sweep;
pub mod users;
pub mod wake;

pub use db::{Conn, Db, Tx};
pub use error::StoreError;
