//! The harness of Passant's tests: real engines, a real browser and a watch for leaked secrets.
//!
//! What needs a server that is not installed panics with a sentence that says so; nothing here ever skips a test.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "test-only code: a harness that cannot go on must fail the test loudly"
)]

pub mod authority;
pub mod bench;
pub mod binary;
pub mod browser;
pub mod clients;
pub mod follower;
pub mod issuer;
mod keeper;
pub mod postgres;
pub mod proxy;
pub mod readme;
pub mod running;
pub mod secrets;
pub mod status_list;
pub mod world;
