//! What Kubernetes and Flyte want of single texts: quantities, accelerators, labels, host names.

use super::format::{Fault, fault};
use crate::diagnostic::{codes, did_you_mean};
use crate::model::accelerator::{Accelerator, DEVICES, Device, known};
use crate::model::quantity::{InvalidQuantity, Quantity};
use flyte_schema::flyteidl2::core::gpu_accelerator::DeviceClass;

fn quantity(text: &str, example: &str) -> Result<Quantity, Fault> {
    let bad = |label: &str, help: String| {
        fault(codes::BAD_QUANTITY, format!("`{text}` is not a quantity of Kubernetes"), label, help)
    };
    let read: Quantity = match text.parse() {
        Ok(read) => read,
        Err(error) => {
            let help = match (error, repaired(text)) {
                (InvalidQuantity::Unit | InvalidQuantity::Number, Some(better)) => format!("write `\"{better}\"`"),
                (InvalidQuantity::TooLarge, _) => "write a smaller amount".to_owned(),
                _ => format!("write `\"{example}\"`, for instance"),
            };
            return bad(&error.to_string(), help);
        }
    };
    if read.is_negative() {
        return bad("below zero", "write an amount of zero or more".to_owned());
    }
    Ok(read)
}

/// The quantity that was probably meant.
fn repaired(text: &str) -> Option<String> {
    let tight: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let end = tight.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = tight.split_at(end);
    let unit = match unit.to_ascii_lowercase().as_str() {
        "k" | "kb" => "k",
        "ki" | "kib" => "Ki",
        "mb" => "M",
        "mi" | "mib" => "Mi",
        "g" | "gb" => "G",
        "gi" | "gib" => "Gi",
        "t" | "tb" => "T",
        "ti" | "tib" => "Ti",
        _ => return None,
    };
    let better = format!("{number}{unit}");
    (better != text && better.parse::<Quantity>().is_ok()).then_some(better)
}

/// # Errors
/// When it is no quantity of processors: negative, or finer than a thousandth.
pub fn cpu(text: &str) -> Result<(), Fault> {
    if quantity(text, "500m")?.is_milli() {
        return Ok(());
    }
    let label = "finer than a thousandth of a processor";
    fault(codes::BAD_QUANTITY, format!("`{text}` cannot be an amount of processors"), label, "write a multiple of `1m`")
}

/// # Errors
/// When it is no quantity of bytes: negative, or not whole.
pub fn bytes(text: &str) -> Result<(), Fault> {
    if quantity(text, "512Mi")?.is_whole() {
        return Ok(());
    }
    let help = match text.strip_suffix('m') {
        Some(number) => format!("`m` is a thousandth: write `\"{number}Mi\"`"),
        None => "write whole bytes, such as `\"512Mi\"`".to_owned(),
    };
    fault(codes::BAD_QUANTITY, format!("`{text}` cannot be an amount of bytes"), "a part of a byte", help)
}

/// Reads `T4:1`.
///
/// # Errors
/// When there is no such device, or not that many of it.
pub fn accelerator(text: &str) -> Result<Accelerator, Fault> {
    let (name, count) = text.rsplit_once(':').map_or((text, None), |(name, count)| (name, Some(count)));
    let device = device(name)?;
    if device.class == DeviceClass::GOOGLE_TPU {
        let help = format!("write a table: `gpu = {{ device = \"{name}\", partition = \"2x2\" }}`");
        return fault(codes::BAD_ACCELERATOR, format!("`{text}` does not say which part of a TPU"), "a TPU", help);
    }
    let quantity = match count {
        None if device.class == DeviceClass::APPLE_SILICON => 1,
        None => {
            let help = format!("write `\"{name}:{}\"`", device.counts[0]);
            return fault(codes::BAD_ACCELERATOR, format!("`{text}` does not say how many"), "no count", help);
        }
        Some(count) => match count.parse() {
            Ok(count) => count,
            Err(_) => {
                let help = format!("write `\"{name}:{}\"`", device.counts[0]);
                return fault(codes::BAD_ACCELERATOR, format!("`{count}` is not a count"), "after the colon", help);
            }
        },
    };
    offered(device, quantity)?;
    Ok(Accelerator { class: device.class, device: device.name.to_owned(), quantity, partition: None })
}

/// # Errors
/// When flyte knows no device of that name.
pub fn device(name: &str) -> Result<&'static Device, Fault> {
    if let Some(device) = known(name) {
        return Ok(device);
    }
    let help = match did_you_mean(name, DEVICES.iter().map(|device| device.name)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`flyte explain app.resources.gpu` lists the names; a table with `device_class` takes any".to_owned(),
    };
    fault(codes::BAD_ACCELERATOR, format!("there is no accelerator `{name}`"), "not a name flyte knows", help)
}

/// # Errors
/// When an app cannot ask for so many of a device.
pub fn offered(device: &Device, quantity: u32) -> Result<(), Fault> {
    if device.counts.contains(&quantity) {
        return Ok(());
    }
    let counts: Vec<String> = device.counts.iter().map(u32::to_string).collect();
    let help = format!("ask for {}", counts.join(", "));
    let message = format!("{quantity} of `{}` are not offered", device.name);
    fault(codes::BAD_ACCELERATOR, message, "not a count that is offered", help)
}

/// A part of a DNS name.
fn is_dns_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.len() <= 63 && text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// # Errors
/// When it is no DNS label.
pub fn subdomain(text: &str) -> Result<(), Fault> {
    if is_dns_label(text) {
        return Ok(());
    }
    let help = if text.contains('.') {
        "write the first part only, or the whole name as `custom_domain`"
    } else {
        "use 1 to 63 characters of `a-z`, `0-9` and `-`, with a letter or digit at both ends"
    };
    fault(codes::BAD_NAME, format!("`{text}` cannot be a part of a host name"), "not a DNS label", help)
}

/// # Errors
/// When it is no host name of at least two parts.
pub fn host(text: &str) -> Result<(), Fault> {
    if text.len() <= 253 && text.contains('.') && text.split('.').all(is_dns_label) {
        return Ok(());
    }
    let help = match text.split_once("://") {
        Some((_, rest)) => format!("write `{}`", rest.split('/').next().unwrap_or(rest)),
        None => "write a name such as `shop.example.com`, in lower case".to_owned(),
    };
    fault(codes::BAD_NAME, format!("`{text}` is not a host name"), "not a DNS name", help)
}

/// # Errors
/// When Kubernetes could not have an account of that name.
pub fn service_account(text: &str) -> Result<(), Fault> {
    if text.len() <= 253 && text.split('.').all(is_dns_label) {
        return Ok(());
    }
    let help = "use `a-z`, `0-9`, `-` and `.`, with a letter or digit at both ends";
    fault(codes::BAD_NAME, format!("`{text}` cannot be the name of a service account"), "not a DNS name", help)
}

/// # Errors
/// When Kubernetes does not take it as the key of a label.
pub fn label_key(text: &str) -> Result<(), Fault> {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    let prefix = prefix.is_none_or(|prefix| prefix.len() <= 253 && prefix.split('.').all(is_dns_label));
    if prefix && !name.is_empty() && is_label_text(name) {
        return Ok(());
    }
    let help = "write `name` or `example.com/name`: at most 63 letters, digits, `-`, `_` and `.`";
    fault(codes::BAD_NAME, format!("`{text}` cannot be the key of a label"), "not allowed by Kubernetes", help)
}

/// # Errors
/// When Kubernetes does not take it as the value of a label.
pub fn label_value(text: &str) -> Result<(), Fault> {
    if is_label_text(text) {
        return Ok(());
    }
    let help = "use at most 63 letters, digits, `-`, `_` and `.`; annotations take any text";
    fault(codes::BAD_NAME, format!("`{text}` cannot be the value of a label"), "not allowed by Kubernetes", help)
}

fn is_label_text(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && edge(text.chars().next())
        && edge(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// # Errors
/// When it is no place in a container.
pub fn mount(text: &str) -> Result<(), Fault> {
    if text.len() > 1 && text.starts_with('/') && !text.split('/').any(|part| part == "..") {
        return Ok(());
    }
    let help = "write an absolute path below `/`, such as `/models/`";
    fault(codes::INVALID_VALUE, format!("`{text}` is not a place to mount at"), "not an absolute path", help)
}

/// # Errors
/// When a container cannot have a variable of that name. Source: `IsEnvVarName` of Kubernetes.
pub fn env_name(text: &str) -> Result<(), Fault> {
    let first = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-' | '.');
    let is_name = text.starts_with(first) && text.chars().all(|c| first(c) || c.is_ascii_digit());
    if is_name && text != "." && !text.starts_with("..") {
        return Ok(());
    }
    fault(
        codes::BAD_NAME,
        format!("`{text}` cannot be the name of an environment variable"),
        "not a variable name",
        "use letters, digits, `_`, `-` and `.`, and neither a digit nor `..` at the start",
    )
}

/// # Errors
/// When it is not `module:attribute`.
pub fn python_object(text: &str) -> Result<(), Fault> {
    let of_name = |c: char| c.is_alphanumeric() || c == '_';
    let identifier = |name: &str| !name.starts_with(|c: char| c.is_numeric()) && name.chars().all(of_name);
    // Files of other names than a variable may have are loaded as well.
    let module = |name: &str| !name.is_empty() && name.chars().all(|c| of_name(c) || c == '-');
    let named = text.split_once(':').filter(|(_, name)| !name.is_empty());
    let good = named.is_some_and(|(path, name)| path.split('.').all(module) && identifier(name));
    if good {
        return Ok(());
    }
    let help = match text.rsplit_once('.') {
        Some((module, "py")) => format!("write `{}:app`: the module, then the variable", module.replace('/', ".")),
        _ => "write the module and the variable in it: `my_app:app`".to_owned(),
    };
    fault(codes::INVALID_VALUE, format!("`{text}` does not name a Python object"), "not `module:attribute`", help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(judge: fn(&str) -> Result<(), Fault>, good: &[&str], bad: &[&str]) {
        good.iter().for_each(|text| assert_eq!(judge(text), Ok(()), "{text:?}"));
        bad.iter().for_each(|text| assert!(judge(text).is_err(), "{text:?}"));
    }

    #[test]
    fn texts() {
        check(cpu, &["1", "0.5", "500m", "0", "1e3"], &["", "-1", "0.0001", "1 ", "inf", "NaN", "1cpu"]);
        check(bytes, &["512Mi", "1G", "1e9", "0.5Gi"], &["", "-1Gi", "1GB", "400m", "9Ei", "much"]);
        check(subdomain, &["a", "my-site"], &["", "a.b", "-a", "A"]);
        check(host, &["a.b", "www.example.com"], &["a", "https://a.b", "a..b", "A.b"]);
        check(label_key, &["team", "example.com/team"], &["", "/team", "a b", "x/y/z", "-a"]);
        check(label_value, &["", "a.b_C-1"], &["a b", "-a", &"a".repeat(64)]);
        check(mount, &["/m", "/models/"], &["", "/", "m", "/a/../b"]);
        check(
            python_object,
            &["app:web", "a.b_1:c", "sub-dir.my-app:e", "01_hello:größe"],
            &["app", "app.py", "a..b:c", "a b:c", "a/b:c", "a:b.c", "a:b-c", "a:1", ":a", "a:"],
        );
    }

    #[test]
    fn accelerators() {
        let check = |text: &str, expected: Result<(&str, u32), &str>| {
            let read = accelerator(text);
            let read = read.as_ref().map(|asked| (asked.device.as_str(), asked.quantity)).map_err(|fault| &*fault.help);
            assert_eq!(read, expected, "{text}");
        };
        check("T4:1", Ok(("T4", 1)));
        check("A100 80G:2", Ok(("A100_80G", 2)));
        check("AppleSilicon", Ok(("AppleSilicon", 1)));
        check("T4 shared:1", Ok(("T4 shared", 1)));
        check("A2:2", Err("ask for 1"));
        check("Trn1:3", Err("ask for 1, 4, 8, 16"));
        check("L40S:1", Err("did you mean `L40s`?"));
        check("T4", Err("write `\"T4:1\"`"));
        check("V5E:1", Err("write a table: `gpu = { device = \"V5E\", partition = \"2x2\" }`"));
    }

    #[test]
    fn quantities_are_repaired() {
        let check = |text: &str, expected: &str| assert_eq!(bytes(text).unwrap_err().help, expected, "{text}");
        check("1GB", "write `\"1G\"`");
        check("1 Gi", "write `\"1Gi\"`");
        check("512mb", "write `\"512M\"`");
        check("400m", "`m` is a thousandth: write `\"400Mi\"`");
        check("lots", "write `\"512Mi\"`, for instance");
    }
}
