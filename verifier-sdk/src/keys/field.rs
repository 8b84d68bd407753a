//! Arithmetic modulo a prime of at most 521 bits, just enough to see whether a public point is on its curve. It is slow and
//! takes a time that depends on its input: it sees public keys alone, and each of them once, when a set arrives.

use std::cmp::Ordering;

/// A number below the modulus that it is used with; its limbs are little-endian, and wide enough to double it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number([u64; 9]);

impl Number {
    pub(super) const ZERO: Self = Self::small(0);
    pub(super) const ONE: Self = Self::small(1);

    pub(super) const fn small(value: u64) -> Self {
        Self([value, 0, 0, 0, 0, 0, 0, 0, 0])
    }

    /// A constant, in lower-case hexadecimal digits.
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses to go out of bounds")]
    pub(super) const fn hex(digits: &str) -> Self {
        let (digits, mut limbs) = (digits.as_bytes(), [0; 9]);
        let mut place = 0;
        while place < digits.len() {
            let digit = match digits[digits.len() - 1 - place] {
                digit @ b'0'..=b'9' => digit - b'0',
                digit => digit - b'a' + 10,
            };
            limbs[place / 16] |= (digit as u64) << (place % 16 * 4);
            place += 1;
        }
        Self(limbs)
    }

    /// `None` where the bytes are too many.
    pub(super) fn from_big_endian(bytes: &[u8]) -> Option<Self> {
        let mut limbs = [0; 9];
        for (place, byte) in bytes.iter().rev().enumerate() {
            *limbs.get_mut(place / 8)? |= u64::from(*byte) << (place % 8 * 8);
        }
        Some(Self(limbs))
    }

    fn bit(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|limb| limb >> (place % 64) & 1 == 1)
    }

    fn lowest_bits(&self, mask: u64) -> u64 {
        let [lowest, ..] = self.0;
        lowest & mask
    }

    fn halved(self) -> Self {
        let mut above = 0;
        let mut limbs = self.0;
        for limb in limbs.iter_mut().rev() {
            (*limb, above) = (*limb >> 1 | above << 63, *limb & 1);
        }
        Self(limbs)
    }

    fn plus(self, other: Self) -> Self {
        let mut carry = false;
        let mut limbs = self.0;
        for (limb, other) in limbs.iter_mut().zip(other.0) {
            let (sum, over) = limb.overflowing_add(other);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            (*limb, carry) = (sum, over || over_again);
        }
        Self(limbs)
    }

    /// `other` is not the larger one.
    fn minus(self, other: Self) -> Self {
        let mut borrow = false;
        let mut limbs = self.0;
        for (limb, other) in limbs.iter_mut().zip(other.0) {
            let (rest, under) = limb.overflowing_sub(other);
            let (rest, under_again) = rest.overflowing_sub(u64::from(borrow));
            (*limb, borrow) = (rest, under || under_again);
        }
        Self(limbs)
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A prime, and how many bits it has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Modulus {
    pub(super) prime: Number,
    pub(super) bits: usize,
}

impl Modulus {
    pub(super) fn add(&self, a: Number, b: Number) -> Number {
        let sum = a.plus(b);
        if sum < self.prime { sum } else { sum.minus(self.prime) }
    }

    pub(super) fn subtract(&self, a: Number, b: Number) -> Number {
        if a < b { a.plus(self.prime).minus(b) } else { a.minus(b) }
    }

    pub(super) fn multiply(&self, a: Number, b: Number) -> Number {
        (0..self.bits).rev().fold(Number::ZERO, |product, place| {
            let doubled = self.add(product, product);
            if a.bit(place) { self.add(doubled, b) } else { doubled }
        })
    }

    /// Whether a number other than zero is the square of another: the Legendre symbol, by the binary algorithm.
    pub(super) fn is_square(&self, number: Number) -> bool {
        let (mut a, mut n, mut square) = (number, self.prime, true);
        while a != Number::ZERO {
            while a.lowest_bits(1) == 0 {
                a = a.halved();
                square ^= matches!(n.lowest_bits(7), 3 | 5);
            }
            if a < n {
                (a, n) = (n, a);
                square ^= a.lowest_bits(3) == 3 && n.lowest_bits(3) == 3;
            }
            a = a.minus(n);
        }
        square
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Modulus = Modulus { prime: Number::small(10_007), bits: 14 };
    /// 2^127 − 1
    const LARGE: Modulus = Modulus { prime: Number::hex("7fffffffffffffffffffffffffffffff"), bits: 127 };

    #[test]
    fn small_numbers_come_out_as_machine_arithmetic_has_it() {
        let mut squares = vec![false; 10_007];
        (1..10_007_u64).for_each(|root| squares[(root * root % 10_007) as usize] = true);
        for a in (1..10_007).step_by(13) {
            assert_eq!(SMALL.is_square(Number::small(a)), squares[a as usize], "{a}");
            for b in (0..10_007).step_by(997) {
                let (left, right) = (Number::small(a), Number::small(b));
                assert_eq!(SMALL.add(left, right), Number::small((a + b) % 10_007));
                assert_eq!(SMALL.subtract(left, right), Number::small((a + 10_007 - b) % 10_007));
                assert_eq!(SMALL.multiply(left, right), Number::small(a * b % 10_007));
            }
        }
    }

    #[test]
    fn carries_cross_the_limbs() {
        let a = Number::hex("123456789abcdef0fedcba9876543210");
        let b = Number::from_big_endian(&[0xff; 15]).unwrap();
        let sum = LARGE.add(a, b);
        assert_eq!(sum, Number::hex("133456789abcdef0fedcba987654320f"));
        assert_eq!((LARGE.subtract(sum, a), LARGE.subtract(sum, b)), (b, a));
        assert_eq!(LARGE.multiply(a, b), LARGE.multiply(b, a));
        assert_eq!(LARGE.multiply(a, LARGE.add(b, Number::ONE)), LARGE.add(LARGE.multiply(a, b), a));
        assert!(LARGE.is_square(LARGE.multiply(a, a)) && LARGE.is_square(LARGE.multiply(b, b)));
        assert!(!LARGE.is_square(LARGE.subtract(Number::ZERO, Number::ONE)), "the prime is 3 modulo 4");
    }

    #[test]
    fn bytes_and_digits_read_alike_and_too_many_bytes_are_none() {
        assert_eq!(Number::from_big_endian(&[0x01, 0x23, 0x45]), Some(Number::hex("12345")));
        assert_eq!(Number::from_big_endian(&[1; 72]).map(|number| number.bit(568)), Some(true));
        assert_eq!(Number::from_big_endian(&[1; 73]), None);
    }
}
