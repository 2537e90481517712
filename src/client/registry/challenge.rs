//! What a registry asks for before it answers: `WWW-Authenticate`.

use std::collections::BTreeMap;

/// How to prove who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// User and password with every request.
    Basic,
    /// A token, which a server at `realm` gives.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

/// The best of what these headers offer: a token goes before a password. `None`: nothing that is known here.
/// Source: RFC 9110, section 11.6.1, and the token specification of the distribution project.
pub fn choose<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Challenge> {
    let offered: Vec<Offer> = headers.into_iter().flat_map(read).collect();
    let bearer = offered.iter().filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).find_map(|(_, values)| {
        let value = |name: &str| values.get(name).filter(|value| !value.is_empty()).cloned();
        Some(Challenge::Bearer { realm: value("realm")?, service: value("service"), scope: value("scope") })
    });
    let basic = || offered.iter().any(|(scheme, _)| scheme.eq_ignore_ascii_case("basic")).then_some(Challenge::Basic);
    bearer.or_else(basic)
}

/// A scheme with its parameters, whose names are in small letters.
type Offer = (String, BTreeMap<String, String>);

fn read(header: &str) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() {
            // The end, or an `=` where none belongs.
            return offers;
        }
        match after.trim_start().strip_prefix('=') {
            Some(value) => {
                let (value, after) = read_value(value.trim_start());
                if let Some((_, values)) = offers.last_mut() {
                    values.entry(word.to_ascii_lowercase()).or_insert(value);
                }
                rest = after;
            }
            None => {
                offers.push((word.to_owned(), BTreeMap::new()));
                rest = after;
            }
        }
    }
}

/// A value, quoted or not, and what follows.
fn read_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            _ => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| {
            let own = |text: Option<&str>| text.map(str::to_owned);
            Some(Challenge::Bearer { realm: realm.to_owned(), service: own(service), scope: own(scope) })
        };
        let check = |headers: &[&str], expected: Option<Challenge>| {
            assert_eq!(choose(headers.iter().copied()), expected, "{headers:?}");
        };
        let hub = "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:a/b:pull\"";
        check(&[hub], bearer("https://auth.docker.io/token", Some("registry.docker.io"), Some("repository:a/b:pull")));
        check(&["bearer Realm = https://a/token , service=x"], bearer("https://a/token", Some("x"), None));
        check(
            &[r#"Bearer realm="https://a/\"t\"?a=b,c", scope="a b""#],
            bearer("https://a/\"t\"?a=b,c", None, Some("a b")),
        );
        check(&["Basic realm=\"a, Bearer realm=b\""], Some(Challenge::Basic));
        check(&["Basic realm=\"x\", Bearer realm=\"https://a/t\""], bearer("https://a/t", None, None));
        check(&["Basic realm=\"x\"", "Bearer realm=\"https://a/t\""], bearer("https://a/t", None, None));
        check(&["Bearer service=x"], None);
        check(&["Bearer realm=\"\", Basic"], Some(Challenge::Basic));
        for unknown in [&[][..], &["Negotiate"], &[""], &["=,=\""], &["Digest realm=\"x"]] {
            check(unknown, None);
        }
    }
}
