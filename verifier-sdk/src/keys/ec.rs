//! Which points on the curves of RFC 7518, section 6.2 are keys. A point that is not on its curve is on another one, where
//! discrete logarithms may be easy; not every backend looks before a signature arrives.

use crate::algorithm::KeyKind;
use crate::keys::field::{Modulus, Number};
use crate::keys::jwks::SkipReason;

/// The uncompressed point of two coordinates, both big-endian as in a JWK and of the curve's full length.
pub(super) fn point(kind: KeyKind, x: &[u8], y: &[u8]) -> Result<Vec<u8>, SkipReason> {
    let curve = match kind {
        KeyKind::P256 => &P256,
        KeyKind::P384 => &P384,
        KeyKind::P521 => &P521,
        KeyKind::Rsa | KeyKind::Ed25519 => return Err(SkipReason::Malformed),
    };
    let len = curve.field.bits.div_ceil(8);
    if x.len() != len || y.len() != len {
        return Err(SkipReason::Malformed);
    }
    if !curve.has(x, y) {
        return Err(SkipReason::InvalidPoint);
    }
    Ok([&[UNCOMPRESSED], x, y].concat())
}

/// `y² = x³ − 3x + b` over a prime field (SP 800-186, section 3.2.1). All its points but the one at infinity, which has no
/// coordinates, are of the same large order.
struct Curve {
    field: Modulus,
    b: Number,
}

impl Curve {
    fn has(&self, x: &[u8], y: &[u8]) -> bool {
        let field = &self.field;
        let coordinate = |bytes| Number::from_big_endian(bytes).filter(|number| *number < field.prime);
        let (Some(x), Some(y)) = (coordinate(x), coordinate(y)) else {
            return false;
        };
        let factor = field.subtract(field.multiply(x, x), Number::small(3));
        field.multiply(y, y) == field.add(field.multiply(factor, x), self.b)
    }
}

/// The first byte of an uncompressed point.
const UNCOMPRESSED: u8 = 4;

const P256: Curve = Curve {
    field: Modulus { prime: Number::hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"), bits: 256 },
    b: Number::hex("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b"),
};

const P384: Curve = Curve {
    field: Modulus {
        prime: Number::hex("fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff"),
        bits: 384,
    },
    b: Number::hex("b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef"),
};

const P521: Curve = Curve {
    field: Modulus {
        prime: Number::hex(concat!(
            "1ff",
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        )),
        bits: 521,
    },
    b: Number::hex(concat!(
        "051",
        "953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e1",
        "56193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00",
    )),
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The base points of SP 800-186, sections 3.2.1.3 to 3.2.1.5.
    const BASE_POINTS: [(KeyKind, &str, &str); 3] = [
        (
            KeyKind::P256,
            "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
            "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
        ),
        (
            KeyKind::P384,
            "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7",
            "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
        ),
        (
            KeyKind::P521,
            concat!(
                "00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3d",
                "baa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66",
            ),
            concat!(
                "011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e66",
                "2c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650",
            ),
        ),
    ];

    fn bytes(hex: &str) -> Vec<u8> {
        hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    #[test]
    fn the_base_points_are_on_their_curves_and_on_no_other() {
        for (kind, x, y) in BASE_POINTS {
            let (x, y) = (bytes(x), bytes(y));
            assert_eq!(point(kind, &x, &y), Ok([&[4], &x[..], &y].concat()), "{kind:?}");
            for other in [KeyKind::P256, KeyKind::P384, KeyKind::P521, KeyKind::Rsa, KeyKind::Ed25519] {
                assert!(other == kind || point(other, &x, &y).is_err(), "{kind:?} {other:?}");
            }
        }
    }

    #[test]
    fn v58_a_point_beside_its_curve_is_refused() {
        for (kind, x, y) in BASE_POINTS {
            let (x, y) = (bytes(x), bytes(y));
            for place in 0..x.len() {
                let (mut beside_x, mut beside_y) = (x.clone(), y.clone());
                beside_x[place] ^= 1;
                beside_y[place] ^= 1;
                assert_eq!(point(kind, &beside_x, &y), Err(SkipReason::InvalidPoint), "{kind:?} {place}");
                assert_eq!(point(kind, &x, &beside_y), Err(SkipReason::InvalidPoint), "{kind:?} {place}");
            }
            let zero = vec![0; x.len()];
            assert_eq!(point(kind, &zero, &zero), Err(SkipReason::InvalidPoint), "{kind:?}");
        }
    }

    #[test]
    fn v59_a_coordinate_has_the_curves_full_length_and_is_below_its_prime() {
        for (kind, x, y) in BASE_POINTS {
            let (x, y) = (bytes(x), bytes(y));
            for odd in [&x[1..], &x[..x.len() - 1], &[&[0][..], &x].concat(), &[]] {
                assert_eq!(point(kind, odd, &y), Err(SkipReason::Malformed), "{kind:?}");
                assert_eq!(point(kind, &y, odd), Err(SkipReason::Malformed), "{kind:?}");
            }
        }
        // Adding the prime of P-521 to a coordinate sets a bit above it and takes one away below: the same point, written twice.
        let (kind, x, y) = BASE_POINTS[2];
        let (mut x, y) = (bytes(x), bytes(y));
        x[0] |= 2;
        assert!(x[65] > 0);
        x[65] -= 1;
        assert_eq!(point(kind, &x, &y), Err(SkipReason::InvalidPoint));
    }
}
