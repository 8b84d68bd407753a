//! passant-verifier.
