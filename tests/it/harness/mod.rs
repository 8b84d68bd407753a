//! The harness itself: a tool that cannot find what it looks for would let every other test pass.

mod browser;
mod clients;
mod keyboard;
mod killed;
mod postgres;
mod secrets;
