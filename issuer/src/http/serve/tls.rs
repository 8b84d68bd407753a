//! TLS by rustls: 1.2 and 1.3 with its own choice of ciphers, and a certificate that is renewed without a restart.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, InconsistentKeys, ServerConfig, version};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::config::TlsFiles;
use crate::domain::issuer_url::IssuerUrl;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How often it is asked whether that time has passed.
const GLANCE: Duration = Duration::from_secs(1);

/// Why a certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("tls.{key}: {path} cannot be read: {fault}")]
    Unreadable {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        path: String,
        /// Why.
        fault: io::Error,
    },
    /// A file holds something else.
    #[error("tls.{key}: {path} holds no {what}")]
    Missing {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        path: String,
        /// What should be in it.
        what: &'static str,
    },
    /// The key is another certificate's.
    #[error("tls.private_key: this is not the key of the certificate, or the certificate is not the first in its file")]
    OtherKey,
    /// rustls refuses the certificate or the key.
    #[error("tls: {0}")]
    Refused(Error),
}

/// TLS with the certificate of this moment.
pub struct Tls {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
    acceptor: TlsAcceptor,
    /// The digest of what was last read, good or not, so that each change is told once.
    seen: Mutex<Vec<u8>>,
}

struct Current(RwLock<Arc<CertifiedKey>>);

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current(…)")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Tls {
    /// Reads certificate and key. Warns of a key that everybody on the machine can read, and of a certificate for another host.
    pub fn load(files: &TlsFiles, issuer: &IssuerUrl) -> Result<Self, TlsError> {
        // Named, not the process's default: another crate's choice would not be ours.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let read = Read::from(files)?;
        let certified = Arc::new(read.certified(files, &provider)?);
        warn_of_another_host(&certified, issuer);
        warn_of_open_key(&files.private_key);
        let current = Arc::new(Current(RwLock::new(certified)));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(TlsError::Refused)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Current>::clone(&current));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { files: files.clone(), provider, current, acceptor, seen: Mutex::new(read.digest()) })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// Takes over certificate and key if the files have changed. Those that cannot be used leave the ones before in force.
    fn look(&self) {
        let read = Read::from(&self.files);
        let digest = read.as_ref().map(Read::digest).unwrap_or_default();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == digest {
            return;
        }
        *seen = digest;
        match read.and_then(|read| read.certified(&self.files, &self.provider)) {
            Ok(certified) => {
                *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
                tracing::info!("the certificate was renewed");
            }
            Err(fault) => tracing::error!(%fault, "the new certificate cannot be used; the one before stays in force"),
        }
    }
}

/// Looks at the files every minute, for as long as it is polled.
pub(super) async fn renew(tls: Option<Arc<Tls>>, clock: Arc<dyn Clock>) {
    let Some(tls) = tls else { return std::future::pending().await };
    let mut looked = clock.monotonic();
    let mut glance = tokio::time::interval(GLANCE);
    loop {
        glance.tick().await;
        if clock.monotonic().saturating_sub(looked) >= LOOK_EVERY {
            looked = clock.monotonic();
            let tls = Arc::clone(&tls);
            if tokio::task::spawn_blocking(move || tls.look()).await.is_err() {
                tracing::error!("looking at the certificate broke off");
            }
        }
    }
}

/// The bytes of both files.
struct Read {
    certificate: Vec<u8>,
    private_key: Zeroizing<Vec<u8>>,
}

impl Read {
    fn from(files: &TlsFiles) -> Result<Self, TlsError> {
        let read = |key: &'static str, path: &Path| {
            fs::read(path).map_err(|fault| TlsError::Unreadable { key, path: path.display().to_string(), fault })
        };
        Ok(Self {
            certificate: read("certificate", &files.certificate)?,
            private_key: Zeroizing::new(read("private_key", &files.private_key)?),
        })
    }

    fn digest(&self) -> Vec<u8> {
        let length = self.certificate.len().to_be_bytes();
        Sha256::new()
            .chain_update(length)
            .chain_update(&self.certificate)
            .chain_update(self.private_key.as_slice())
            .finalize()
            .to_vec()
    }

    fn certified(&self, files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let missing = |key: &'static str, path: &Path, what: &'static str| TlsError::Missing {
            key,
            path: path.display().to_string(),
            what,
        };
        let no_certificate = || missing("certificate", &files.certificate, "certificate in PEM");
        let no_key = || missing("private_key", &files.private_key, "private key in PEM, unencrypted");
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&self.certificate).collect::<Result<_, _>>().map_err(|_| no_certificate())?;
        if chain.is_empty() {
            return Err(no_certificate());
        }
        let key = PrivateKeyDer::from_pem_slice(&self.private_key).map_err(|_| no_key())?;
        CertifiedKey::from_der(chain, key, provider).map_err(|fault| match fault {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::OtherKey,
            other => TlsError::Refused(other),
        })
    }
}

fn warn_of_another_host(certified: &CertifiedKey, issuer: &IssuerUrl) {
    let host = issuer.host().trim_matches(['[', ']']);
    let parsed = certified.end_entity_cert().and_then(ParsedCertificate::try_from);
    if let (Ok(certificate), Ok(name)) = (parsed, ServerName::try_from(host))
        && verify_server_name(&certificate, &name).is_err()
    {
        tracing::warn!(host, "the certificate is not for the issuer's host: browsers will refuse it");
    }
}

fn warn_of_open_key(path: &Path) {
    if fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o007 != 0) {
        tracing::warn!(path = %path.display(), "everybody on this machine can read or change the private key of TLS: chmod o= it");
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/tls");

    fn fixture(name: &str) -> PathBuf {
        Path::new(FIXTURES).join(name)
    }

    fn in_force(tls: &Tls) -> CertificateDer<'static> {
        tls.current.0.read().unwrap().end_entity_cert().unwrap().clone().into_owned()
    }

    #[test]
    fn broken_certificate_leaves_the_one_before_in_force_and_a_good_one_is_taken_over() {
        let directory = std::env::temp_dir().join(format!("passant-tls-{}", crate::secret::random_id()));
        fs::create_dir(&directory).unwrap();
        let files = TlsFiles { certificate: directory.join("pem"), private_key: directory.join("key") };
        let put = |certificate: &str, key: &str| {
            fs::copy(fixture(certificate), &files.certificate).unwrap();
            fs::copy(fixture(key), &files.private_key).unwrap();
        };
        let expected = |name: &str| CertificateDer::from_pem_file(fixture(name)).unwrap();
        put("first.pem", "first.key");
        let tls = Tls::load(&files, &"https://auth.example.com".parse().unwrap()).unwrap();
        assert_eq!(in_force(&tls), expected("first.pem"));

        for (certificate, key) in [("README.md", "first.key"), ("renewed.pem", "first.key"), ("first.pem", "encrypted.key")] {
            put(certificate, key);
            let before = tls.seen.lock().unwrap().clone();
            tls.look();
            assert_ne!(*tls.seen.lock().unwrap(), before, "{certificate} was looked at");
            assert_eq!(in_force(&tls), expected("first.pem"), "{certificate} with {key}");
        }
        fs::remove_file(&files.certificate).unwrap();
        tls.look();
        assert_eq!(in_force(&tls), expected("first.pem"));
        put("renewed.pem", "renewed.key");
        tls.look();
        assert_eq!(in_force(&tls), expected("renewed.pem"));
        fs::remove_dir_all(&directory).unwrap();
    }
}
