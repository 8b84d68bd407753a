//! `[tls]`: the certificate and the key with which Passant itself speaks TLS.

use std::path::PathBuf;

use serde::Deserialize;

use super::error::ConfigError;
use super::source::{Source, Step::Key};
use crate::domain::issuer_url::IssuerUrl;

/// Where certificate and key are. They are read at the start and looked at again while the server runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// The certificate and those that lead to its root, in PEM, its own first.
    pub certificate: PathBuf,
    /// Its private key, in PEM and not encrypted.
    pub private_key: PathBuf,
}

/// `[tls]` as it stands in the file.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub(super) struct TlsSection {
    certificate: Option<PathBuf>,
    private_key: Option<PathBuf>,
}

impl TlsSection {
    pub(super) fn resolve(self, source: &Source<'_>, issuer: &IssuerUrl) -> Result<Option<TlsFiles>, ConfigError> {
        let missing = |given: &str, other: &str| {
            let reason = format!("give {other} as well: the one is of no use without the other");
            Err(source.fault(&[Key("tls"), Key(given)], reason))
        };
        match (self.certificate, self.private_key) {
            (None, None) => Ok(None),
            (Some(_), None) => missing("certificate", "private_key"),
            (None, Some(_)) => missing("private_key", "certificate"),
            (Some(_), Some(_)) if !issuer.is_https() => {
                let reason = format!("the issuer is {issuer}; with a certificate it begins with https://");
                Err(source.fault(&[Key("tls"), Key("certificate")], reason))
            }
            (Some(certificate), Some(private_key)) => Ok(Some(TlsFiles { certificate, private_key })),
        }
    }
}
