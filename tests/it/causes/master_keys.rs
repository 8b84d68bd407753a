//! Another master key: while the servers run, wherever it comes from, and wherever it is interrupted.
