//! passant-tests.
