//! Which RSA keys are strong enough. A weak key in a set verifies whatever its breaker likes, so it is as good as none.

use crate::keys::jwks::SkipReason;

const MIN_BITS: usize = 2048;
const MAX_BITS: usize = 8192;
const F4: [u8; 3] = [1, 0, 1];

/// Judges a modulus and an exponent, both big-endian as in a JWK (RFC 7518, section 6.3.1).
pub(super) fn check(modulus: &[u8], exponent: &[u8]) -> Result<(), SkipReason> {
    let (Some(first), Some(last)) = (modulus.first(), modulus.last()) else {
        return Err(SkipReason::Malformed);
    };
    if *first == 0 {
        return Err(SkipReason::Malformed);
    }
    let bits = (modulus.len() * 8).saturating_sub(first.leading_zeros() as usize);
    if !(MIN_BITS..=MAX_BITS).contains(&bits) {
        return Err(SkipReason::WeakModulus);
    }
    let residues = residues(modulus);
    if last % 2 == 0 || has_small_factor(&residues) || is_square(&residues) || has_roca_fingerprint(&residues) {
        return Err(SkipReason::WeakModulus);
    }
    if exponent == F4 { Ok(()) } else { Err(SkipReason::WeakExponent) }
}

/// The odd primes below 256, each with the rest that the modulus leaves.
fn residues(modulus: &[u8]) -> Vec<(u32, u32)> {
    let is_prime = |p: &u32| (3..*p).step_by(2).all(|d| p % d != 0);
    let rest = |p: u32| modulus.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % p);
    (3..256).step_by(2).filter(is_prime).map(|p| (p, rest(p))).collect()
}

/// No key generator makes such a key, but a careless hand does.
fn has_small_factor(residues: &[(u32, u32)]) -> bool {
    residues.iter().any(|(_, rest)| *rest == 0)
}

/// Whether one prime was taken twice: the square of a number is a square modulo every prime, and the product of two primes is one
/// modulo all 53 of these by a chance of 2^-53.
fn is_square(residues: &[(u32, u32)]) -> bool {
    residues.iter().all(|(p, rest)| (1..*p).any(|root| root * root % p == *rest))
}

/// CVE-2017-15361: a widely used chip made its primes as `k·M + 65537^a mod M`, with M the product of the first primes, which gives
/// away enough of them to factor the modulus. Then the modulus too is a power of 65537 modulo each of them (Nemec et al., *The
/// Return of Coppersmith's Attack*, section 5.1). For keys of 2048 bits and more M has all primes below 256; another key meets the
/// condition for all of them by a chance of 2^-51.
fn has_roca_fingerprint(residues: &[(u32, u32)]) -> bool {
    residues.iter().all(|(p, rest)| powers_of_f4(*p).any(|power| power == *rest))
}

/// All of them modulo p: each begins anew after at most p − 1.
fn powers_of_f4(p: u32) -> impl Iterator<Item = u32> {
    (1..p).scan(1, move |power, _| {
        *power = *power * (65_537 % p) % p;
        Some(*power)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number of so many bits that no prime below 256 divides; nothing here needs it to be a product of two primes.
    fn modulus(bits: usize) -> Vec<u8> {
        let mut bytes = vec![0xff; bits.div_ceil(8)];
        bytes[0] >>= bytes.len() * 8 - bits;
        let last = bytes.len() - 1;
        while has_small_factor(&residues(&bytes)) {
            bytes[last] -= 2;
        }
        bytes
    }

    #[test]
    fn v56_the_bit_length_counts_and_not_the_byte_length() {
        for bits in [512, 1024, 2040, 2047, 8193, 16384] {
            assert_eq!(check(&modulus(bits), &F4), Err(SkipReason::WeakModulus), "{bits}");
        }
        for bits in [2048, 2049, 3072, 4096, 8192] {
            assert_eq!(check(&modulus(bits), &F4), Ok(()), "{bits}");
        }
    }

    #[test]
    fn v57_only_65537_is_accepted_as_exponent() {
        let exponents: [&[u8]; 8] = [&[], &[0], &[1], &[2], &[3], &[1, 0, 0], &[1, 0, 0, 0, 1], &[0, 1, 0, 1]];
        for exponent in exponents {
            assert_eq!(check(&modulus(2048), exponent), Err(SkipReason::WeakExponent), "{exponent:?}");
        }
    }

    #[test]
    fn v58_even_zero_padded_or_smooth_moduli_are_refused() {
        let good = modulus(2048);
        let mut even = good.clone();
        *even.last_mut().unwrap() -= 1;
        assert_eq!(check(&even, &F4), Err(SkipReason::WeakModulus));
        assert_eq!(check(&vec![0xff; 256], &F4), Err(SkipReason::WeakModulus), "3 divides it");
        assert_eq!(check(&[&[0][..], &good].concat(), &F4), Err(SkipReason::Malformed));
        assert_eq!(check(&[], &F4), Err(SkipReason::Malformed));
    }

    /// Two primes of 1024 bits, made as the chip made them.
    const ROCA: &str = concat!(
        "ad7cc33509aea377ed19fcf54c64764f62388e60542c0ec30342bcba91ebb11e",
        "5a960ef4f8d85512da0d3d05a64d933ab84537f771282b0358e20ec0b5b3d47f",
        "3d93fb16e70c5ce856e42c86594a4367ff6f0f91fe36c7a9fb3727ba90a130ce",
        "b20a7ecf387cb8f6c3510d9f3c6e31b674360b7302156d7cb15fe6269f31e238",
        "b82345db120f8625730eb958c91e21ef59f2547120e68c430f842d2229a79496",
        "afcb3100650cec0b1c5fcba15f0a67f396dd02af9c858d00d9112705dbb05788",
        "dd2e2e18a8bf61e4bef79a7e211369293e91c4aa9f10f1dca6b374e34f662933",
        "6d1b3a52d27606bfa4d6bd4e8caa23e53811bf2ef7a090ae7adb99cd58851b8b",
    );

    #[test]
    fn v58_a_modulus_with_the_fingerprint_of_roca_is_refused() {
        let roca: Vec<u8> =
            ROCA.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect();
        assert_eq!(check(&roca, &F4), Err(SkipReason::WeakModulus));
        assert!(has_roca_fingerprint(&residues(&roca)));
        assert!(!has_small_factor(&residues(&roca)) && !is_square(&residues(&roca)), "by nothing but its fingerprint");
        for bits in [2048, 3072, 4096, 8192] {
            assert!(!has_roca_fingerprint(&residues(&modulus(bits))), "{bits}");
        }
    }

    #[test]
    fn v58_one_prime_taken_twice_is_refused() {
        // No prime, but without a small factor: nothing here needs more.
        let root = [&[0xff; 64][..], &[0; 63], &[1]].concat();
        let square = squared(&root);
        assert_eq!(square.len(), 256);
        assert!(is_square(&residues(&square)) && !is_square(&residues(&modulus(2048))));
        assert_eq!(check(&square, &F4), Err(SkipReason::WeakModulus));
    }

    fn squared(root: &[u8]) -> Vec<u8> {
        let mut digits = vec![0_u32; 2 * root.len()];
        for (i, a) in root.iter().rev().enumerate() {
            for (j, b) in root.iter().rev().enumerate() {
                digits[i + j] += u32::from(*a) * u32::from(*b);
            }
        }
        let mut carry = 0;
        let mut bytes: Vec<u8> = digits
            .iter()
            .map(|digit| {
                carry += digit;
                let byte = carry as u8;
                carry >>= 8;
                byte
            })
            .collect();
        bytes.reverse();
        bytes
    }
}
