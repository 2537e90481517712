//! Kubernetes quantities: read to the letter, and one spelling for equal amounts.
//!
//! Source: `k8s.io/apimachinery/pkg/api/resource`, the grammar of `Quantity`.

use std::fmt;
use std::str::FromStr;

const BINARY: [(&str, i128); 6] =
    [("Ei", 1 << 60), ("Pi", 1 << 50), ("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];

const DECIMAL: [(&str, i128); 6] = [
    ("E", 1_000_000_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("T", 1_000_000_000_000),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("k", 1_000),
];

/// Parts of one, in nano.
const SMALL: [(&str, i128); 3] = [("m", 1_000_000), ("u", 1_000), ("n", 1)];

const NANO: i128 = 1_000_000_000;

/// The greatest amount that Kubernetes holds, 2⁶³ − 1.
const MAX: i128 = i64::MAX as i128;

/// An amount, exact to a billionth. Its text is the shortest that says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity {
    nano: i128,
}

/// Why a text is no quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuantity {
    #[error("no number")]
    Number,
    #[error("not a unit of Kubernetes")]
    Unit,
    #[error("more than 2^63 - 1")]
    TooLarge,
    #[error("finer than a billionth")]
    TooFine,
}

impl Quantity {
    pub fn is_negative(self) -> bool {
        self.nano < 0
    }

    pub fn is_zero(self) -> bool {
        self.nano == 0
    }

    /// Whether it is a whole number of bytes, say.
    pub fn is_whole(self) -> bool {
        self.nano % NANO == 0
    }

    /// Whether it is a whole number of thousandths.
    pub fn is_milli(self) -> bool {
        self.nano % SMALL[0].1 == 0
    }
}

/// The amount with the suffix that makes it shortest to read; equal amounts give equal texts. What is no quantity comes
/// back as it is.
pub fn canonical(text: &str) -> String {
    text.trim().parse::<Quantity>().map_or_else(|_| text.to_owned(), |quantity| quantity.to_string())
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&spell(self.nano))
    }
}

impl FromStr for Quantity {
    type Err = InvalidQuantity;
    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        nano(text).map(|nano| Self { nano })
    }
}

fn spell(nano: i128) -> String {
    let whole = nano / NANO;
    if nano % NANO != 0 {
        let (suffix, unit) = SMALL.into_iter().find(|(_, unit)| nano % unit == 0).unwrap_or(("n", 1));
        return format!("{}{suffix}", nano / unit);
    }
    let units = BINARY.into_iter().chain(DECIMAL).filter(|(_, unit)| whole != 0 && whole % unit == 0);
    // Of texts of one length the first.
    units
        .map(|(suffix, unit)| format!("{}{suffix}", whole / unit))
        .chain([whole.to_string()])
        .min_by_key(String::len)
        .unwrap_or_default()
}

fn nano(text: &str) -> Result<i128, InvalidQuantity> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let end = unsigned.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || fraction.contains('.') {
        return Err(InvalidQuantity::Number);
    }
    let unit = unit_in_nano(suffix)?;
    if digits.len() > 30 {
        return Err(InvalidQuantity::TooLarge);
    }
    let digits: i128 = digits.parse().map_err(|_| InvalidQuantity::Number)?;
    let shift = 10_i128.checked_pow(u32::try_from(fraction.len()).unwrap_or(u32::MAX));
    let (Some(scaled), Some(shift)) = (digits.checked_mul(unit), shift) else {
        return Err(InvalidQuantity::TooLarge);
    };
    if scaled % shift != 0 {
        return Err(InvalidQuantity::TooFine);
    }
    match scaled / shift {
        amount if amount > MAX * NANO => Err(InvalidQuantity::TooLarge),
        amount => Ok(if text.starts_with('-') { -amount } else { amount }),
    }
}

fn unit_in_nano(suffix: &str) -> Result<i128, InvalidQuantity> {
    if suffix.is_empty() {
        return Ok(NANO);
    }
    if let Some((_, unit)) = SMALL.into_iter().find(|(name, _)| *name == suffix) {
        return Ok(unit);
    }
    if let Some((_, unit)) = BINARY.into_iter().chain(DECIMAL).find(|(name, _)| *name == suffix) {
        return Ok(unit * NANO);
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E']).and_then(|n| n.parse().ok()).ok_or(InvalidQuantity::Unit)?;
    let power = exponent.checked_add(9).ok_or(InvalidQuantity::TooLarge)?;
    match u32::try_from(power) {
        Ok(power) => 10_i128.checked_pow(power).ok_or(InvalidQuantity::TooLarge),
        Err(_) => Err(InvalidQuantity::TooFine),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_amounts_are_spelled_alike() {
        let check = |texts: &[&str], expected: &str| {
            for text in texts {
                assert_eq!(canonical(text), expected, "{text}");
            }
        };
        check(&["1", "1000m", "1.0", "+1", "1e0", "0.001k"], "1");
        check(&["500m", "0.5", ".5", "500000u", "5e-1"], "500m");
        check(&["512Mi", "0.5Gi", "536870912", "536870912000m"], "512Mi");
        check(&["1Gi", "1024Mi", "1073741824"], "1Gi");
        check(&["1G", "1000M", "1e9", "1E9"], "1G");
        check(&["0", "0m", "0Gi"], "0");
        check(&["2E"], "2E");
        check(&["10G", "10000M"], "10G");
        check(&["2048", "2Ki"], "2Ki");
        check(&["-1", "-1000m"], "-1");
    }

    #[test]
    fn what_is_no_quantity_stays() {
        for text in ["", "much", "1 Gi", "1.2.3", "1e", "1e99", "0.1n", "--1", "1Kii", "９"] {
            assert_eq!(canonical(text), text);
        }
    }

    #[test]
    fn faults_are_told_apart() {
        let check = |text: &str, expected: Result<&str, InvalidQuantity>| {
            let read = text.parse::<Quantity>();
            assert_eq!(read.map(|quantity| quantity.to_string()), expected.map(str::to_owned), "{text:?}");
        };
        check("1Gi", Ok("1Gi"));
        check("9223372036854775807", Ok("9223372036854775807"));
        check("1E", Ok("1E"));
        check("", Err(InvalidQuantity::Number));
        check("Gi", Err(InvalidQuantity::Number));
        check("1.2.3", Err(InvalidQuantity::Number));
        check("1-1", Err(InvalidQuantity::Unit));
        check("1GB", Err(InvalidQuantity::Unit));
        check("1K", Err(InvalidQuantity::Unit));
        check("1 Gi", Err(InvalidQuantity::Unit));
        check(" 1Gi", Err(InvalidQuantity::Number));
        check("8Ei", Err(InvalidQuantity::TooLarge));
        check("1e30", Err(InvalidQuantity::TooLarge));
        check("0.1n", Err(InvalidQuantity::TooFine));
        check("1e-10", Err(InvalidQuantity::TooFine));
    }
}
