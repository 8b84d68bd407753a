//! The log tells which request a line belongs to, and no secret.
