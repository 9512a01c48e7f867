//! Polynomials over a prime field. Numbers are limbs of 32 bits, the lowest first; those that depend on a secret are added,
//! doubled and reduced in the same steps whatever they are. What follows from Key Part Identifiers is public.

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use super::{OTHER_POLYNOMIAL, Scheme, Share, SharingError};
use crate::Entropy;

/// Bytes of the largest Prime Field Size that is taken: 560. The time for one part grows with the square of it; a longer secret
/// is split over GF(2^8) or GF(2^16).
pub(crate) const MODULUS_BYTES_MAX: usize = 560;

/// Exponents of Mersenne primes: 2 to their power, less one, is prime.
const MERSENNE: [usize; 9] = [127, 521, 607, 1279, 2203, 2281, 3217, 4253, 4423];

/// Random bits beyond the modulus' own that a coefficient is reduced from, so that none is likelier than another by more than
/// 2^-64.
const SPARE_BYTES: usize = 8;

const LIMB_BYTES: usize = 4;

type Number = Zeroizing<Vec<u32>>;

/// A prime for a secret of so many bytes, where the client names none: the smallest Mersenne prime that is larger. `None` for a
/// secret that none here is larger than.
pub(crate) fn modulus_for(secret_bytes: usize) -> Option<Vec<u8>> {
    let exponent = *MERSENNE.iter().find(|exponent| **exponent > secret_bytes.saturating_mul(8))?;
    let mut bytes = vec![0xff; exponent.div_ceil(8)];
    if let Some(first) = bytes.first_mut() {
        *first = u8::MAX >> (exponent.div_ceil(8) * 8 - exponent);
    }
    Some(bytes)
}

/// A number's bytes without leading zeros.
pub(crate) fn trimmed(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    bytes.get(start..).unwrap_or_default()
}

struct Field {
    modulus: Vec<u32>,
    bytes: usize,
}

impl Field {
    fn of(scheme: &Scheme) -> Result<Self, SharingError> {
        let missing = SharingError::Scheme("Polynomial Sharing Prime Field needs a Prime Field Size");
        let bytes = trimmed(scheme.modulus.as_deref().ok_or(missing)?);
        if bytes.len() > MODULUS_BYTES_MAX {
            return Err(SharingError::Scheme(
                "the Prime Field Size has more than 560 bytes; over GF(2^8) a key may be as long as it likes",
            ));
        }
        let odd = bytes.last().is_some_and(|byte| byte % 2 == 1);
        // Every Key Part Identifier, and every difference of two, has to have an inverse.
        if !odd || bytes.len() < 2 {
            return Err(SharingError::Scheme("the Prime Field Size is no prime above 255"));
        }
        Ok(Self { modulus: limbs(bytes, bytes.len().div_ceil(LIMB_BYTES)).to_vec(), bytes: bytes.len() })
    }

    fn zero(&self) -> Number {
        Zeroizing::new(vec![0; self.modulus.len()])
    }

    /// A number of the field's width; must lie below the modulus.
    fn read(&self, bytes: &[u8]) -> Number {
        limbs(bytes, self.modulus.len())
    }

    /// Big-endian, as many bytes as the modulus has.
    fn write(&self, number: &[u32]) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(number.len() * LIMB_BYTES));
        number.iter().rev().for_each(|limb| bytes.extend_from_slice(&limb.to_be_bytes()));
        let surplus = bytes.len().saturating_sub(self.bytes);
        Zeroizing::new(bytes.get(surplus..).unwrap_or_default().to_vec())
    }

    fn is_below(&self, number: &[u32]) -> bool {
        let (_, borrow) = self.less_modulus(number);
        borrow == 1
    }

    fn less_modulus(&self, number: &[u32]) -> (Number, u32) {
        let mut less = self.zero();
        let mut borrow = 0;
        for ((into, limb), modulus) in less.iter_mut().zip(number).zip(&self.modulus) {
            let (first, once) = limb.overflowing_sub(*modulus);
            let (second, twice) = first.overflowing_sub(borrow);
            *into = second;
            borrow = u32::from(once | twice);
        }
        (less, borrow)
    }

    /// Adds; both lie below the modulus, and so does the sum.
    fn add(&self, into: &mut Number, other: &[u32]) {
        let mut carry = 0;
        for (limb, other) in into.iter_mut().zip(other) {
            let (first, once) = limb.overflowing_add(*other);
            let (second, twice) = first.overflowing_add(carry);
            *limb = second;
            carry = u32::from(once | twice);
        }
        let (less, borrow) = self.less_modulus(into);
        // Below the modulus already, where taking it away borrowed and nothing was carried out before.
        let keeps = Choice::from(u8::from(borrow == 1) & u8::from(carry == 0));
        for (limb, less) in into.iter_mut().zip(less.iter()) {
            *limb = u32::conditional_select(less, limb, keeps);
        }
    }

    /// The product of any number and a public one, which is looked at bit by bit.
    fn times(&self, number: &[u32], public: &[u32]) -> Number {
        let mut product = self.zero();
        for limb in public.iter().rev() {
            self.times_limb(&mut product, number, *limb, u32::BITS);
        }
        product
    }

    /// The product of any number and a Key Part Identifier, or the difference of two.
    fn times_small(&self, number: &[u32], public: u32) -> Number {
        let mut product = self.zero();
        self.times_limb(&mut product, number, public, u8::BITS);
        product
    }

    /// The next bits of a public number, the lowest so many of `limb`.
    fn times_limb(&self, product: &mut Number, number: &[u32], limb: u32, bits: u32) {
        for bit in (0..bits).rev() {
            let same = product.clone();
            self.add(product, &same);
            if limb >> bit & 1 == 1 {
                self.add(product, number);
            }
        }
    }

    /// A public number but zero, negative.
    fn negative(&self, number: &[u32]) -> Number {
        let mut negative = self.zero();
        let mut borrow = 0;
        for ((into, modulus), limb) in negative.iter_mut().zip(&self.modulus).zip(number) {
            let (first, once) = modulus.overflowing_sub(*limb);
            let (second, twice) = first.overflowing_sub(borrow);
            *into = second;
            borrow = u32::from(once | twice);
        }
        negative
    }

    /// A public number divided by one from 1 to 255: by as many times the modulus more as leave no rest. `None` where the modulus
    /// is no prime.
    fn divided(&self, number: &[u32], divisor: u32) -> Option<Number> {
        let divisor = u64::from(divisor);
        let rest = |number: &[u32]| {
            number.iter().rev().fold(0, |rest, limb| ((rest << 32) | u64::from(*limb)) % divisor)
        };
        let (of_number, of_modulus) = (rest(number), rest(&self.modulus));
        let times = (0..divisor).find(|times| (of_number + times * of_modulus) % divisor == 0)?;
        let mut sum = Vec::with_capacity(self.modulus.len() + 1);
        let mut carry = 0;
        for (limb, modulus) in number.iter().zip(&self.modulus) {
            let next = u64::from(*limb) + u64::from(*modulus) * times + carry;
            sum.push(next & u64::from(u32::MAX));
            carry = next >> 32;
        }
        sum.push(carry);
        let mut quotient = vec![0; sum.len()];
        let mut rest = 0;
        for (into, limb) in quotient.iter_mut().zip(sum).rev() {
            let dividend = (rest << 32) | limb;
            *into = u32::try_from(dividend / divisor).ok()?;
            rest = dividend % divisor;
        }
        quotient.truncate(self.modulus.len());
        Some(Zeroizing::new(quotient))
    }

    /// One.
    fn one(&self) -> Number {
        let mut one = self.zero();
        if let Some(first) = one.first_mut() {
            *first = 1;
        }
        one
    }
}

fn limbs(bytes: &[u8], count: usize) -> Number {
    let mut number = Zeroizing::new(Vec::with_capacity(count));
    for chunk in bytes.rchunks(LIMB_BYTES) {
        number.push(chunk.iter().fold(0, |limb, byte| limb << 8 | u32::from(*byte)));
    }
    number.resize(count, 0);
    number
}

pub(super) fn split(
    scheme: &Scheme,
    secret: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Vec<Share>, SharingError> {
    let field = Field::of(scheme)?;
    // "a prime bigger than 2^L"
    if trimmed(scheme.modulus.as_deref().unwrap_or_default()).len() <= secret.len() {
        return Err(SharingError::Scheme("the Prime Field Size is not larger than any key of that length"));
    }
    let secret = field.read(secret);
    let mut highest_first = Vec::with_capacity(usize::from(scheme.threshold));
    for _ in 1..scheme.threshold {
        highest_first.push(random(&field, entropy));
    }
    let place = |identifier: u16| {
        let powers = highest_first.iter().fold(field.zero(), |mut sum, next| {
            field.add(&mut sum, next);
            field.times_small(&sum, u32::from(identifier))
        });
        let mut value = powers;
        field.add(&mut value, &secret);
        Share { identifier, bytes: field.write(&value) }
    };
    Ok((1..=scheme.parts).map(place).collect())
}

/// A random element: more bits than it has, reduced.
fn random(field: &Field, entropy: &mut dyn Entropy) -> Number {
    let mut bytes = Zeroizing::new(vec![0; field.bytes.saturating_add(SPARE_BYTES)]);
    entropy.fill(&mut bytes);
    let one = field.one();
    let mut element = field.zero();
    for byte in bytes.iter() {
        for bit in (0..u8::BITS).rev() {
            let same = element.clone();
            field.add(&mut element, &same);
            let set = Choice::from(byte >> bit & 1);
            let mut more = field.zero();
            for (into, from) in more.iter_mut().zip(one.iter()) {
                *into = u32::conditional_select(&0, from, set);
            }
            field.add(&mut element, &more);
        }
    }
    element
}

pub(super) fn join(scheme: &Scheme, shares: &[&Share]) -> Result<Zeroizing<Vec<u8>>, SharingError> {
    let field = Field::of(scheme)?;
    if shares.iter().any(|share| share.bytes.len() != field.bytes) {
        return Err(SharingError::Parts("a part is not of the Prime Field Size's length"));
    }
    let values: Vec<(u32, Number)> =
        shares.iter().map(|share| (u32::from(share.identifier), field.read(&share.bytes))).collect();
    if values.iter().any(|(_, value)| !field.is_below(value)) {
        return Err(SharingError::Parts("a part is larger than the Prime Field Size"));
    }
    let (making, others) = values.split_at(usize::from(scheme.threshold).min(values.len()));
    for (place, value) in others {
        let expected = at(&field, *place, making)?;
        let same = expected.iter().zip(value.iter()).fold(Choice::from(1), |same, (a, b)| same & a.ct_eq(b));
        if !bool::from(same) {
            return Err(OTHER_POLYNOMIAL);
        }
    }
    Ok(field.write(&at(&field, 0, making)?))
}

/// The polynomial through these values, at a place.
fn at(field: &Field, place: u32, values: &[(u32, Number)]) -> Result<Number, SharingError> {
    let mut sum = field.zero();
    for (own, value) in values {
        // The weight of a part follows from Key Part Identifiers alone.
        let mut weight = field.one();
        let mut negative = false;
        for (other, _) in values.iter().filter(|(other, _)| other != own) {
            weight = field.times_small(&weight, place.abs_diff(*other));
            let divided = field.divided(&weight, own.abs_diff(*other));
            weight = divided.ok_or(SharingError::Scheme("the Prime Field Size is no prime"))?;
            negative ^= (place < *other) != (own < other);
        }
        if negative {
            weight = field.negative(&weight);
        }
        field.add(&mut sum, &field.times(value, &weight));
    }
    Ok(sum)
}
