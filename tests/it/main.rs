//! Everything that tests Passant from outside, in one binary: linking is slow, and one cluster and one browser serve all.

#[cfg(test)]
mod harness;
#[cfg(test)]
mod http;
#[cfg(test)]
mod whole_path;
