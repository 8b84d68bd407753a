//! Passant, a central OpenID Connect token issuer.
//!
//! Floors, from the ground up; an import goes down any number of floors, never up and never sideways:
//! `clock, secret, measures` ← `domain, config` ← `keys, store` ← `feed` ← `app` ← `http, jobs` ← `cli` ← `main`.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod feed;
pub mod http;
pub mod jobs;
pub mod keys;
pub mod measures;
pub mod secret;
pub mod store;
