//! The verifier from outside: hostile tokens (V01–V76), hostile key servers (V80–V93), and axum.

#[cfg(test)]
mod builder;
#[cfg(test)]
mod claims;
#[cfg(test)]
mod key_sets;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tokens;
