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
    if last % 2 == 0 || has_small_factor(modulus) {
        return Err(SkipReason::WeakModulus);
    }
    if exponent == F4 { Ok(()) } else { Err(SkipReason::WeakExponent) }
}

/// Whether a prime below 256 divides the modulus: no key generator makes such a key, but a careless hand does.
fn has_small_factor(modulus: &[u8]) -> bool {
    (3..256u32)
        .step_by(2)
        .filter(|p| (3..*p).step_by(2).all(|d| p % d != 0))
        .any(|p| modulus.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % p) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number of so many bits that no prime below 256 divides; nothing here needs it to be a product of two primes.
    fn modulus(bits: usize) -> Vec<u8> {
        let mut bytes = vec![0xff; bits.div_ceil(8)];
        bytes[0] >>= bytes.len() * 8 - bits;
        let last = bytes.len() - 1;
        while has_small_factor(&bytes) {
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
}
