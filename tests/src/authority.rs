//! The certificate authority of the test process: what real clients and browsers trust when they talk to the binary over TLS.
//!
//! It is made on the spot and dies with the process, so that no key rests in the tree and no certificate expires.

use std::sync::OnceLock;

use base64ct::{Base64, Encoding};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
};
use sha2::{Digest, Sha256};

/// The authority, and the one server that it vouches for: `localhost`.
#[derive(Debug)]
pub struct Authority {
    /// The authority's own certificate, as PEM.
    pub root: String,
    /// The server's certificate, as PEM.
    pub certificate: String,
    /// The server's private key, as PEM.
    pub private_key: String,
    /// SHA-256 of the server's public key in base64, as Chromium's `--ignore-certificate-errors-spki-list` wants it.
    pub public_key_hash: String,
}

impl Authority {
    /// The authority of this process.
    pub fn of_this_process() -> &'static Self {
        static AUTHORITY: OnceLock<Authority> = OnceLock::new();
        AUTHORITY.get_or_init(|| Self::new().expect("certificates can be made"))
    }

    /// One that vouches for the same server, and that nobody trusts.
    pub fn another() -> Self {
        Self::new().expect("certificates can be made")
    }

    fn new() -> Result<Self, rcgen::Error> {
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "Passant's tests");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_key = KeyPair::generate()?;
        let root = authority.self_signed(&authority_key)?.pem();

        let mut server = CertificateParams::new(["localhost".to_owned()])?;
        server.distinguished_name.push(DnType::CommonName, "localhost");
        server.use_authority_key_identifier_extension = true;
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let server_key = KeyPair::generate()?;
        let certificate = server.signed_by(&server_key, &Issuer::new(authority, authority_key))?.pem();
        Ok(Self {
            root,
            certificate,
            private_key: server_key.serialize_pem(),
            public_key_hash: Base64::encode_string(&Sha256::digest(server_key.subject_public_key_info())),
        })
    }
}
