//! The verifier from outside: hostile tokens (V01–V76), several issuers, hostile key servers (V80–V93), the revocation feed, and
//! the adapters.

#![cfg(any(feature = "aws-lc-rs", feature = "ring", feature = "rust-crypto"))]

#[cfg(test)]
mod algorithms;
#[cfg(test)]
mod attacks;
#[cfg(feature = "axum")]
#[cfg(test)]
mod axum_layer;
#[cfg(test)]
mod builder;
#[cfg(test)]
mod claims;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod feed;
#[cfg(feature = "http")]
#[cfg(test)]
mod feed_server;
#[cfg(test)]
mod following;
#[cfg(feature = "http")]
#[cfg(test)]
mod hostile_feeds;
#[cfg(feature = "http")]
#[cfg(test)]
mod hostile_servers;
#[cfg(test)]
mod id_tokens;
#[cfg(test)]
mod kept;
#[cfg(feature = "http")]
#[cfg(test)]
mod key_server;
#[cfg(test)]
mod key_sets;
#[cfg(test)]
mod logout_tokens;
#[cfg(test)]
mod mutations;
#[cfg(test)]
mod observers;
#[cfg(feature = "http")]
#[cfg(test)]
mod outages;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod remembered;
#[cfg(feature = "http")]
#[cfg(test)]
mod restarts;
#[cfg(test)]
mod several_issuers;
#[cfg(test)]
mod support;
#[cfg(feature = "testing")]
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tokens;
#[cfg(feature = "tonic")]
#[cfg(test)]
mod tonic_interceptor;
#[cfg(feature = "tower")]
#[cfg(test)]
mod tower_layer;
#[cfg(feature = "http")]
#[cfg(test)]
mod unknown_keys;
#[cfg(test)]
mod vectors;
#[cfg(feature = "rust-crypto")]
#[cfg(test)]
mod wasm;
