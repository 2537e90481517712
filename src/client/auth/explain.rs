//! Why a control plane may have refused a token, told from what the token says and what the server's clock shows.

use jiff::{SignedDuration, Timestamp};

use super::discovery::Discovery;
use super::error::plain;
use super::token::{Claims, Token};

/// Clocks that differ by less differ in nothing that matters.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(5);

/// What may be wrong, most likely first, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    pub what: String,
    pub help: &'static str,
}

/// `None` where the token says nothing that would explain it. `server` is the time of the control plane's answer.
pub fn reason(token: &Token, told: Option<&Discovery>, server: Option<Timestamp>, now: Timestamp) -> Option<Reason> {
    let claims = Claims::of(token.access.secret());
    let then = server.unwrap_or(now);
    let skew = server.map(|server| server.duration_since(now)).filter(|skew| skew.abs() > TOLERANCE);
    let clocks = skew.map_or_else(String::new, |skew| {
        let way = if skew.is_negative() { "behind" } else { "ahead of" };
        format!("; the control plane's clock is {} s {way} this machine's", skew.abs().as_secs())
    });
    if let Some(begin) = claims.begins().filter(|begin| begin.duration_since(then) > TOLERANCE) {
        let seconds = begin.duration_since(then).as_secs();
        return Some(Reason {
            what: format!("the token is valid only {seconds} s after the control plane's time{clocks}"),
            help: "one of the clocks is wrong: that of the control plane, of the authorization server, or of this \
                   machine (`date -u` shows it); set it, then `flyte auth login`",
        });
    }
    if let Some(end) = claims.expires().filter(|end| *end <= then) {
        let seconds = then.duration_since(end).as_secs();
        let what = format!("the token ended {seconds} s before the control plane's time{clocks}");
        let young = token.issued_at.is_some_and(|begin| now.duration_since(begin) < SignedDuration::from_secs(120));
        let help = if skew.is_some() || young {
            "a token that was just issued has ended already, so one of the clocks is wrong: that of the control plane, of \
             the authorization server, or of this machine (`date -u` shows it)"
        } else {
            "`flyte auth login` logs in again; a token from a variable or a command must be replaced there"
        };
        return Some(Reason { what, help });
    }
    let audiences = claims.audiences();
    let wanted = told.map_or("", |told| told.audience.as_str());
    if !audiences.is_empty() && !wanted.is_empty() && !audiences.contains(&wanted) {
        let list = audiences.iter().map(|one| format!("`{}`", plain(one))).collect::<Vec<_>>().join(", ");
        return Some(Reason {
            what: format!("the token is for {list}, the control plane is `{}` (the audience differs)", plain(wanted)),
            help: "the token was issued for another service: check that it comes from this control plane's authorization \
                   server, and that the client may ask for this audience",
        });
    }
    skew.map(|_| Reason {
        what: clocks.trim_start_matches("; ").to_owned(),
        help: "a wrong clock makes good tokens look old: set it (`date -u` shows that of this machine)",
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use oauth2::AccessToken;
    use serde_json::{Value, json};

    use super::*;

    /// Times are seconds from now; the server's clock differs by `skew`.
    fn check(now: i64, claims: Value, skew: i64, expected: Option<&str>) {
        let now = Timestamp::from_second(now).unwrap();
        let text = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let token = Token::received(AccessToken::new(text), None, Some(Duration::from_secs(3600)));
        let told = Discovery { audience: "flyte".to_owned(), ..Discovery::default() };
        let server = now + SignedDuration::from_secs(skew);
        let found = reason(&token, Some(&told), Some(server), now);
        assert_eq!(found.as_ref().map(|reason| reason.what.as_str()), expected, "{claims}");
    }

    #[test]
    fn reasons() {
        let now = Timestamp::now().as_second();
        check(now, json!({ "exp": now + 3600, "iat": now, "aud": "flyte" }), 0, None);
        check(now, json!({}), 0, None);
        let expected = "the token is for `other`, the control plane is `flyte` (the audience differs)";
        check(now, json!({ "exp": now + 3600, "aud": ["other"] }), 0, Some(expected));
        let behind = "the token is valid only 600 s after the control plane's time; the control plane's clock is 600 s \
                      behind this machine's";
        check(now, json!({ "nbf": now, "exp": now + 3600 }), -600, Some(behind));
        let ahead = "the token ended 3400 s before the control plane's time; the control plane's clock is 7000 s ahead of \
                     this machine's";
        check(now, json!({ "iat": now, "exp": now + 3600 }), 7000, Some(ahead));
        check(now, json!({}), 90, Some("the control plane's clock is 90 s ahead of this machine's"));
    }
}
