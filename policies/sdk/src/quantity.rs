//! Kubernetes quantities such as `500m`, `1Gi`, `1e3`, read exactly and compared. They are never written: what users
//! wrote stays as they wrote it.
//!
//! The grammar is that of `k8s.io/apimachinery/pkg/api/resource`: like there, what is finer than a billionth is rounded
//! up, and what is larger than 2^63 - 1 counts as that.

use std::fmt;
use std::str::FromStr;

/// An amount, in billionths of a unit.
///
/// ```
/// use portreeve_sdk::quantity::Quantity;
///
/// let read = |text: &str| text.parse::<Quantity>();
/// assert_eq!(read("0.5")?, read("500m")?);
/// assert!(read("1Gi")? > read("1G")?);
/// # Ok::<(), portreeve_sdk::quantity::QuantityError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Quantity(i128);

/// Text that is not a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuantityError;

impl fmt::Display for QuantityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a quantity such as \"500m\", \"2\", \"1Gi\" or \"1e3\"")
    }
}

impl std::error::Error for QuantityError {}

/// Billionths of a unit.
const UNIT: i128 = 1_000_000_000;
/// The largest amount that Kubernetes keeps.
const LARGEST: i128 = (1 << 63) * UNIT - UNIT;
/// Digits behind the point that are looked at one by one: with `Ei` the eighteenth still decides.
const FINEST: usize = 18;

impl Quantity {
    /// That many units.
    #[must_use]
    pub fn units(count: u32) -> Self {
        Self(i128::from(count) * UNIT)
    }

    /// The amount in units, if it is whole and not negative.
    #[must_use]
    pub fn whole(self) -> Option<u64> {
        if self.0 % UNIT == 0 { u64::try_from(self.0 / UNIT).ok() } else { None }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0).clamp(-LARGEST, LARGEST))
    }

    /// That many times as much.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(i128::from(count)).clamp(-LARGEST, LARGEST))
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let (negative, amount) = match text.strip_prefix('-') {
            Some(amount) => (true, amount),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let number_length = amount.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(amount.len());
        let (number, suffix) = amount.split_at_checked(number_length).ok_or(QuantityError)?;
        let billionths = Scale::read(suffix)?.applied_to(&Decimal::read(number)?);
        Ok(Self(if negative { -billionths } else { billionths }))
    }
}

/// Digits with a point: `digits` times ten to the minus `places`, and a little more if `more`.
struct Decimal {
    digits: i128,
    places: i32,
    more: bool,
}

impl Decimal {
    fn read(number: &str) -> Result<Self, QuantityError> {
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
            return Err(QuantityError);
        }
        let (kept, dropped) = fraction.split_at_checked(FINEST).unwrap_or((fraction, ""));
        let digits = whole
            .bytes()
            .chain(kept.bytes())
            .fold(0_i128, |digits, byte| digits.saturating_mul(10).saturating_add(i128::from(byte.wrapping_sub(b'0'))));
        let places = i32::try_from(kept.len()).map_err(|_| QuantityError)?;
        Ok(Self { digits, places, more: dropped.bytes().any(|byte| byte != b'0') })
    }
}

/// What a suffix stands for: ten to the one power times two to the other.
struct Scale {
    ten: i32,
    two: u32,
}

impl Scale {
    fn read(suffix: &str) -> Result<Self, QuantityError> {
        let decimal = |ten| Ok(Self { ten, two: 0 });
        let binary = |two| Ok(Self { ten: 0, two });
        match suffix {
            "n" => decimal(-9),
            "u" => decimal(-6),
            "m" => decimal(-3),
            "" => decimal(0),
            "k" => decimal(3),
            "M" => decimal(6),
            "G" => decimal(9),
            "T" => decimal(12),
            "P" => decimal(15),
            "E" => decimal(18),
            "Ki" => binary(10),
            "Mi" => binary(20),
            "Gi" => binary(30),
            "Ti" => binary(40),
            "Pi" => binary(50),
            "Ei" => binary(60),
            _ => exponent(suffix).map_or(Err(QuantityError), decimal),
        }
    }

    /// The amount in billionths, rounded up, no more than the largest.
    fn applied_to(&self, number: &Decimal) -> i128 {
        let scaled = number.digits.saturating_mul(1 << self.two);
        let ten = self.ten.saturating_add(9).saturating_sub(number.places);
        let power = 10_i128.checked_pow(ten.unsigned_abs());
        let more = i128::from(number.more);
        let billionths = match (ten >= 0, power) {
            (true, Some(power)) => scaled.saturating_mul(power).saturating_add(more),
            (true, None) => {
                if scaled == 0 {
                    0
                } else {
                    LARGEST
                }
            }
            (false, Some(power)) => scaled / power + i128::from(scaled % power != 0 || number.more),
            (false, None) => i128::from(scaled != 0 || number.more),
        };
        billionths.min(LARGEST)
    }
}

/// `e3`, `E-3`: the number behind the letter.
fn exponent(suffix: &str) -> Option<i32> {
    let digits = suffix.strip_prefix(['e', 'E'])?;
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    let plain = !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn billionths(text: &str) -> i128 {
        text.parse::<Quantity>().unwrap_or_else(|_| panic!("{text}")).0
    }

    #[test]
    fn reads_every_suffix() {
        for (text, expected) in [
            ("0", 0),
            ("1n", 1),
            ("1u", 1_000),
            ("500m", UNIT / 2),
            ("2", 2 * UNIT),
            ("2.", 2 * UNIT),
            (".5", UNIT / 2),
            ("+1.5k", 1_500 * UNIT),
            ("3M", 3_000_000 * UNIT),
            ("1G", UNIT * UNIT),
            ("1T", 1_000 * UNIT * UNIT),
            ("1P", 1_000_000 * UNIT * UNIT),
            ("1E", UNIT * UNIT * UNIT),
            ("1Ki", 1024 * UNIT),
            ("0.1Ki", 102_400_000_000),
            ("64Mi", 67_108_864 * UNIT),
            ("1Gi", (1 << 30) * UNIT),
            ("1Ti", (1 << 40) * UNIT),
            ("1Pi", (1 << 50) * UNIT),
            ("1Ei", (1 << 60) * UNIT),
            ("1e3", 1_000 * UNIT),
            ("1E3", 1_000 * UNIT),
            ("12e-3", 12_000_000),
            ("-1", -UNIT),
        ] {
            assert_eq!(billionths(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_finer_than_a_billionth_is_rounded_up() {
        assert_eq!(billionths("0.1n"), 1);
        assert_eq!(billionths("1.0000000000000000001"), UNIT + 1);
        assert_eq!(billionths("1e-100"), 1);
    }

    #[test]
    fn what_is_too_large_counts_as_the_largest() {
        for text in ["9223372036854775807", "8Ei", "1e100", "99999999999999999999999999999999999999999999"] {
            assert_eq!(billionths(text), LARGEST, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_quantity() {
        for text in ["", ".", "m", "1 Gi", "1gi", "1KI", "1.2.3", "1e", "1e3m", "0x10", "1K", "--1", "١", "e3", "1e+-3"]
        {
            assert_eq!(text.parse::<Quantity>(), Err(QuantityError), "{text:?}");
        }
    }

    #[test]
    fn only_whole_amounts_are_whole() {
        assert_eq!("8".parse::<Quantity>().unwrap().whole(), Some(8));
        assert_eq!("1k".parse::<Quantity>().unwrap().whole(), Some(1000));
        assert_eq!("500m".parse::<Quantity>().unwrap().whole(), None);
        assert_eq!("-1".parse::<Quantity>().unwrap().whole(), None);
    }

    proptest! {
        #[test]
        fn thousandths_are_what_they_say(count in 0_u64..1_000_000_000_000) {
            prop_assert_eq!(billionths(&format!("{count}m")), i128::from(count) * UNIT / 1000);
        }

        #[test]
        fn a_decimal_point_is_the_same_as_thousandths(whole in 0_u32..1_000_000, thousandths in 0_u32..1000) {
            let written = format!("{whole}.{thousandths:03}");
            prop_assert_eq!(billionths(&written), billionths(&format!("{whole}{thousandths:03}m")));
        }

        #[test]
        fn no_text_brings_the_parser_down(text in "[-+]?[0-9.]{0,50}[a-zA-Z0-9+-]{0,12}") {
            let _ = text.parse::<Quantity>();
        }
    }
}
