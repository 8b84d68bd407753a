//! Which points on Ed25519 are keys (RFC 8037, section 2). Whoever publishes a point of small order publishes a key under which
//! signatures can be made without any secret, and not every backend refuses one.

use crate::keys::field::{Modulus, Number};
use crate::keys::jwks::SkipReason;

/// Judges a public key in the form of RFC 8032, section 5.1.2: the y-coordinate, little-endian, and the sign of x as the top bit.
pub(super) fn check(key: &[u8]) -> Result<(), SkipReason> {
    let Ok(mut y) = <[u8; 32]>::try_from(key) else {
        return Err(SkipReason::Malformed);
    };
    y.reverse();
    let [top, ..] = &mut y;
    *top &= 0x7f;
    let y = Number::from_big_endian(&y).filter(|y| *y < FIELD.prime).ok_or(SkipReason::InvalidPoint)?;
    if is_on_the_curve(y) && !is_of_small_order(y) { Ok(()) } else { Err(SkipReason::InvalidPoint) }
}

/// Whether `−x² + y² = 1 + dx²y²` has a solution: whether `(y² − 1) / (dy² + 1)` is a square, as it is where the product is one.
/// The divisor is never zero, and where the dividend is, the point is of small order.
fn is_on_the_curve(y: Number) -> bool {
    let y2 = FIELD.multiply(y, y);
    let dividend = FIELD.subtract(y2, Number::ONE);
    let divisor = FIELD.add(FIELD.multiply(D, y2), Number::ONE);
    FIELD.is_square(FIELD.multiply(dividend, divisor))
}

/// Whether eight times the point is the neutral one. Of order 1 and 2 are the points with y² = 1, of order 4 those with y = 0, and
/// of order 8 those whose double has y = 0, which is to say dy⁴ + 2y² = 1.
fn is_of_small_order(y: Number) -> bool {
    let y2 = FIELD.multiply(y, y);
    let of_the_double = FIELD.add(FIELD.multiply(D, FIELD.multiply(y2, y2)), FIELD.add(y2, y2));
    y == Number::ZERO || y2 == Number::ONE || of_the_double == Number::ONE
}

/// 2^255 − 19
const FIELD: Modulus =
    Modulus { prime: Number::hex("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed"), bits: 255 };

/// −121665/121666
const D: Number = Number::hex("52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3");

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    #[test]
    fn the_keys_of_rfc_8032_are_good() {
        for key in [
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
        ] {
            assert_eq!(check(&bytes(key)), Ok(()), "{key}");
        }
    }

    #[test]
    fn v58_points_of_small_order_are_refused_in_every_encoding() {
        for y in [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ] {
            let mut key = bytes(y);
            assert_eq!(check(&key), Err(SkipReason::InvalidPoint), "{y}");
            key[31] |= 0x80;
            assert_eq!(check(&key), Err(SkipReason::InvalidPoint), "{y} with its sign");
        }
    }

    #[test]
    fn v58_a_y_without_an_x_is_refused() {
        let on_the_curve: Vec<u8> = (2..20).filter(|y| check(&[&[*y][..], &[0; 31]].concat()).is_ok()).collect();
        assert_eq!(on_the_curve, [3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 19], "as Euler's criterion has it");
    }

    #[test]
    fn v59_a_key_has_32_bytes() {
        for len in [0, 31, 33, 64] {
            assert_eq!(check(&vec![5; len]), Err(SkipReason::Malformed), "{len}");
        }
    }
}
