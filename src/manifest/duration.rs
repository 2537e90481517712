//! Durations as a manifest writes them.

use std::time::Duration;

use super::format::{Fault, fault};
use crate::diagnostic::codes;

/// Reads `"5m"`, `"1h30m"`, `"250ms"`, `"1.5s"`.
///
/// # Errors
/// When the text is not numbers with units, each unit at most once and from large to small.
pub fn duration(text: &str) -> Result<Duration, Fault> {
    const UNITS: [(&str, u128); 4] =
        [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000)];
    let bad = |label: &str| {
        let help = match text.trim().parse::<f64>() {
            Ok(_) => format!("give it a unit: `\"{}s\"` or `\"{}m\"`", text.trim(), text.trim()),
            Err(_) => {
                "write numbers with the units `h`, `m`, `s` and `ms`: \"90s\", \"5m\", \"1h30m\", \"250ms\"".to_owned()
            }
        };
        fault(codes::BAD_DURATION, format!("`{text}` is not a duration"), label, help)
    };
    let mut rest = text;
    let mut total: u128 = 0;
    let mut next_unit = 0;
    if rest.is_empty() {
        return bad("empty");
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        if number.is_empty() {
            return bad("a number is missing");
        }
        if unit.is_empty() {
            return bad("the unit is missing");
        }
        let Some(at) = UNITS.iter().position(|(name, _)| *name == unit) else {
            return bad(&format!("`{}` is not a unit", unit.trim()));
        };
        if at < next_unit {
            return bad("units go from large to small, each once");
        }
        next_unit = at + 1;
        let Some(nanoseconds) = scaled(number, UNITS[at].1) else { return bad("not a number") };
        total = total.saturating_add(nanoseconds);
        rest = tail;
    }
    match u64::try_from(total) {
        Ok(nanoseconds) => Ok(Duration::from_nanos(nanoseconds)),
        Err(_) => bad("longer than 500 years"),
    }
}

/// A decimal number times a unit, exact; `None` where it is no number or finer than a nanosecond.
fn scaled(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 18 {
        return None;
    }
    let tens = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let part = fraction.parse::<u128>().ok()?.checked_mul(unit)?;
    if !part.is_multiple_of(tens) {
        return None;
    }
    whole.parse::<u128>().ok()?.checked_mul(unit)?.checked_add(part / tens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_to_the_letter() {
        let check = |text: &str, expected: Option<u64>| {
            let read = duration(text).ok().map(|d| u64::try_from(d.as_millis()).unwrap());
            assert_eq!(read, expected, "{text:?}");
        };
        check("5m", Some(300_000));
        check("1h30m", Some(5_400_000));
        check("250ms", Some(250));
        check("1.5s", Some(1_500));
        check("0s", Some(0));
        for text in [
            "",
            "5",
            "m",
            "5 m",
            "-5m",
            "5d",
            "30m1h",
            "5m5m",
            "1..5s",
            ".5s",
            "5.s",
            "5M",
            "1h 30m",
            "+1s",
            "1e3s",
            "99999999999h",
        ] {
            check(text, None);
        }
    }
}
