//! Everything that tests Passant from outside, in one binary: linking is slow, and one cluster and one browser serve all.

#[cfg(test)]
mod browser;
#[cfg(test)]
mod causes;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod edges;
#[cfg(test)]
mod feed;
#[cfg(test)]
mod floors;
#[cfg(test)]
mod follow;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod http;
#[cfg(test)]
mod integrators;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod oidc;
#[cfg(test)]
mod races;
#[cfg(test)]
mod random_walk;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod secrets_at_rest;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod store;
#[cfg(test)]
mod whole_path;
