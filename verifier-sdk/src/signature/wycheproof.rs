//! The vectors of Project Wycheproof, run by each backend that is compiled in, whichever of them the crate would choose. All
//! backends have to agree on every one: what a token is worth must not depend on a feature.

use wycheproof::rsa_pss_verify::TestGroup as PssGroup;
use wycheproof::{HashFunction, Mgf, TestResult, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

use super::{BACKENDS, Backend, Material};
use crate::algorithm::{Algorithm, Hash, KeyKind};

/// Verifies every vector of a set; answers how many there were. An *acceptable* one is refused: all of those in the sets used here
/// are PKCS#1 v1.5 signatures whose DigestInfo lacks the NULL, which RFC 8017, section 9.2 lets a verifier take and none of ours does.
macro_rules! verified {
    ($backend:expr, $algorithm:expr, $kind:ident::$set:ident, $material:expr) => {{
        let mut count = 0;
        for group in $kind::TestSet::load($kind::TestName::$set).unwrap().test_groups {
            let key = parsed($backend, $algorithm, $material(&group));
            for test in &group.tests {
                let what = (stringify!($set), test.tc_id, &test.comment);
                let good = key.verify(&test.msg, &test.sig);
                assert_eq!(good, test.result == TestResult::Valid, "{} {} {what:?}", $backend.name, $algorithm);
                count += 1;
            }
        }
        count
    }};
}

#[test]
fn v50_v51_signatures_of_pkcs1_v1_5() {
    fn material(group: &rsa_pkcs1_verify::TestGroup) -> Material<'_> {
        rsa(&group.key.n, &group.key.e)
    }
    for backend in BACKENDS {
        let counts = [
            verified!(backend, Algorithm::Rs256, rsa_pkcs1_verify::Rsa2048Sha256, material),
            verified!(backend, Algorithm::Rs384, rsa_pkcs1_verify::Rsa2048Sha384, material),
            verified!(backend, Algorithm::Rs512, rsa_pkcs1_verify::Rsa2048Sha512, material),
            verified!(backend, Algorithm::Rs256, rsa_pkcs1_verify::Rsa3072Sha256, material),
            verified!(backend, Algorithm::Rs384, rsa_pkcs1_verify::Rsa3072Sha384, material),
            verified!(backend, Algorithm::Rs512, rsa_pkcs1_verify::Rsa3072Sha512, material),
            verified!(backend, Algorithm::Rs256, rsa_pkcs1_verify::Rsa4096Sha256, material),
            verified!(backend, Algorithm::Rs384, rsa_pkcs1_verify::Rsa4096Sha384, material),
            verified!(backend, Algorithm::Rs512, rsa_pkcs1_verify::Rsa4096Sha512, material),
            verified!(backend, Algorithm::Rs256, rsa_pkcs1_verify::Rsa8192Sha256, material),
            verified!(backend, Algorithm::Rs384, rsa_pkcs1_verify::Rsa8192Sha384, material),
            verified!(backend, Algorithm::Rs512, rsa_pkcs1_verify::Rsa8192Sha512, material),
        ];
        assert_eq!(counts, [259, 258, 259, 259, 259, 260, 258, 259, 259, 258, 259, 259]);
    }
}

#[test]
fn v50_signatures_of_pss() {
    fn material(group: &PssGroup) -> Material<'_> {
        rsa(&group.key.n, &group.key.e)
    }
    for backend in BACKENDS {
        let counts = [
            verified!(backend, Algorithm::Ps256, rsa_pss_verify::RsaPss2048Sha256Mgf1SaltLen32, material),
            verified!(backend, Algorithm::Ps384, rsa_pss_verify::RsaPss2048Sha384Mgf1SaltLen48, material),
            verified!(backend, Algorithm::Ps256, rsa_pss_verify::RsaPss3072Sha256Mgf1SaltLen32, material),
            verified!(backend, Algorithm::Ps256, rsa_pss_verify::RsaPss4096Sha256Mgf1SaltLen32, material),
            verified!(backend, Algorithm::Ps384, rsa_pss_verify::RsaPss4096Sha384Mgf1SaltLen48, material),
            verified!(backend, Algorithm::Ps512, rsa_pss_verify::RsaPss4096Sha512Mgf1SaltLen64, material),
        ];
        assert_eq!(counts, [108, 141, 108, 108, 141, 179]);
    }
}

#[test]
fn a_pss_signature_counts_only_with_the_salt_and_the_mask_that_rfc_7518_prescribes() {
    let groups = || {
        let sets = [
            rsa_pss_verify::TestName::RsaPssmisc,
            rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1SaltLen0,
            rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1Sha1_20,
            rsa_pss_verify::TestName::RsaPss4096Sha512Mgf1SaltLen32,
        ];
        sets.into_iter().flat_map(|set| rsa_pss_verify::TestSet::load(set).unwrap().test_groups)
    };
    for backend in BACKENDS {
        let mut counts = (0, 0);
        for group in groups() {
            let (algorithm, salt_len) = match group.hash {
                HashFunction::Sha2_256 => (Algorithm::Ps256, 32),
                HashFunction::Sha2_384 => (Algorithm::Ps384, 48),
                HashFunction::Sha2_512 => (Algorithm::Ps512, 64),
                _ => continue,
            };
            let as_prescribed =
                group.mgf == Mgf::Mgf1 && group.mgf_hash.as_ref() == Some(&group.hash) && group.salt_size == salt_len;
            let key = parsed(backend, algorithm, rsa(&group.key.n, &group.key.e));
            // What is invalid in such a group may be invalid for having the prescribed salt.
            for test in group.tests.iter().filter(|test| test.result == TestResult::Valid) {
                let counted = key.verify(&test.msg, &test.sig);
                assert_eq!(counted, as_prescribed, "{} {algorithm} {} {}", backend.name, group.salt_size, test.tc_id);
                *(if as_prescribed { &mut counts.0 } else { &mut counts.1 }) += 1;
            }
        }
        assert_eq!(counts, (3, 343));
    }
}

#[test]
fn v54_signatures_of_ecdsa_as_two_integers_of_fixed_length() {
    fn material(group: &ecdsa::TestGroup) -> Material<'_> {
        Material::Point(&group.key.key)
    }
    for backend in BACKENDS {
        assert_eq!(verified!(backend, Algorithm::Es256, ecdsa::EcdsaSecp256r1Sha256P1363, material), 262);
        assert_eq!(verified!(backend, Algorithm::Es384, ecdsa::EcdsaSecp384r1Sha384P1363, material), 280);
        if (backend.supports)(Algorithm::Es512) {
            assert_eq!(verified!(backend, Algorithm::Es512, ecdsa::EcdsaSecp521r1Sha512P1363, material), 318);
        }
    }
}

#[test]
fn v54_a_signature_of_ecdsa_in_der_is_refused() {
    for backend in BACKENDS {
        for group in ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256).unwrap().test_groups {
            let key = parsed(backend, Algorithm::Es256, Material::Point(&group.key.key));
            for test in &group.tests {
                assert!(!key.verify(&test.msg, &test.sig), "{} {}", backend.name, test.tc_id);
            }
        }
    }
}

#[test]
fn v50_signatures_of_ed25519() {
    fn material(group: &eddsa::TestGroup) -> Material<'_> {
        Material::Point(&group.key.pk)
    }
    for backend in BACKENDS {
        assert_eq!(verified!(backend, Algorithm::EdDsa, eddsa::Ed25519, material), 151);
    }
}

#[test]
fn a_backend_says_what_it_can_do_and_takes_no_key_of_another_kind() {
    for backend in BACKENDS {
        for algorithm in Algorithm::ALL {
            assert_eq!((backend.supports)(*algorithm), backend.name != "ring" || *algorithm != Algorithm::Es512);
            let of_another_kind = match algorithm.key_kind() {
                KeyKind::Rsa => Material::Point(&[4; 65]),
                _ => rsa(&[0xff; 256], &[1, 0, 1]),
            };
            assert!((backend.parse)(*algorithm, of_another_kind).is_none(), "{} {algorithm}", backend.name);
        }
    }
}

#[test]
fn every_backend_hashes_alike() {
    // FIPS 180-4, by way of the example that NIST publishes with it.
    let abc = [
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3,
        0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
    ];
    for backend in BACKENDS {
        assert_eq!((backend.sha256)(b"abc"), abc, "{}", backend.name);
        let beginning = |by| hex(&(backend.hash)(by, b"abc")[..8]);
        assert_eq!(beginning(Hash::Sha256), "ba7816bf8f01cfea", "{}", backend.name);
        assert_eq!(beginning(Hash::Sha384), "cb00753f45a35e8b", "{}", backend.name);
        assert_eq!(beginning(Hash::Sha512), "ddaf35a193617aba", "{}", backend.name);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn rsa<'g>(modulus: &'g [u8], exponent: &'g [u8]) -> Material<'g> {
    let bare = |number: &'g [u8]| {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        &number[zeros..]
    };
    Material::Rsa { modulus: bare(modulus), exponent: bare(exponent) }
}

fn parsed(backend: &Backend, algorithm: Algorithm, material: Material<'_>) -> Box<dyn super::PublicKey> {
    (backend.parse)(algorithm, material).unwrap_or_else(|| panic!("{} refuses a key for {algorithm}", backend.name))
}
