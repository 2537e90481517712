//! Kubernetes quantities: one spelling for equal amounts.
//!
//! Source: `k8s.io/apimachinery/pkg/api/resource`, the grammar of `Quantity`.

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

/// The amount with the suffix that makes it shortest to read; equal amounts give equal texts. What is no quantity, or
/// finer than nano, comes back as it is.
pub fn canonical(text: &str) -> String {
    nano(text.trim()).map_or_else(|| text.to_owned(), spell)
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

/// `None` for what is no quantity, is finer than nano or too large to count so.
fn nano(text: &str) -> Option<i128> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (negative, number) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > 30 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let shift = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let scaled = digits.parse::<i128>().ok()?.checked_mul(unit_in_nano(suffix)?)?;
    (scaled % shift == 0).then(|| if negative { -scaled / shift } else { scaled / shift })
}

fn unit_in_nano(suffix: &str) -> Option<i128> {
    if suffix.is_empty() {
        return Some(NANO);
    }
    if let Some((_, unit)) = SMALL.into_iter().find(|(name, _)| *name == suffix) {
        return Some(unit);
    }
    if let Some((_, unit)) = BINARY.into_iter().chain(DECIMAL).find(|(name, _)| *name == suffix) {
        return unit.checked_mul(NANO);
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    10_i128.checked_pow(u32::try_from(exponent.checked_add(9)?).ok()?)
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
}
