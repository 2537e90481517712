//! A token and what it says about itself.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use oauth2::{AccessToken, RefreshToken};
use serde::Deserialize;

/// How long before its end a token is renewed, where its life is long enough: calls take time and clocks differ.
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);

/// What proves who a caller is. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Token {
    pub access: AccessToken,
    pub refresh: Option<RefreshToken>,
    /// By the clock of this machine.
    pub issued_at: Option<Timestamp>,
    /// By the clock of this machine. `None`: it was not told.
    pub expires_at: Option<Timestamp>,
}

impl Token {
    /// One that was received just now.
    pub fn received(access: AccessToken, refresh: Option<RefreshToken>, lifetime: Option<Duration>) -> Self {
        let now = Timestamp::now();
        let claims = Claims::of(access.secret());
        let told = lifetime.and_then(|lifetime| now.checked_add(lifetime).ok());
        // Where only the token itself knows, its own two times make the lifetime: they are of one clock.
        let own = || match (claims.expires()?, claims.issued()) {
            (end, Some(begin)) if end > begin => now.checked_add(end.duration_since(begin)).ok(),
            (end, _) => Some(end),
        };
        Self { access, refresh, issued_at: Some(now), expires_at: told.or_else(own) }
    }

    /// One that somebody else has kept, who did not say until when it is valid.
    pub fn found(access: AccessToken, refresh: Option<RefreshToken>) -> Self {
        let claims = Claims::of(access.secret());
        Self { access, refresh, issued_at: claims.issued(), expires_at: claims.expires() }
    }

    /// Whether it is valid for a while yet, as far as is known.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        let Some(end) = self.expires_at else { return true };
        let life = self.issued_at.map_or(SignedDuration::ZERO, |begin| end.duration_since(begin));
        // Short lives are not spent on leeway.
        let leeway = if life > SignedDuration::ZERO { LEEWAY.min(life / 4) } else { LEEWAY };
        end.duration_since(now) > leeway
    }

    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// Whether it is the very same one.
    pub fn is(&self, other: &Self) -> bool {
        self.access.secret() == other.access.secret()
    }
}

/// What a signed token says of itself, unchecked: good for telling a person why it may have been refused.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Claims {
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    aud: Option<Audience>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Claims {
    /// Of a token that is a JSON Web Token; those of any other say nothing.
    pub fn of(token: &str) -> Self {
        let payload = token.split('.').nth(1).filter(|_| token.split('.').count() == 3);
        let bytes = payload.and_then(|part| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok());
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    pub fn expires(&self) -> Option<Timestamp> {
        time(self.exp)
    }

    pub fn issued(&self) -> Option<Timestamp> {
        time(self.iat)
    }

    /// From when on it is valid.
    pub fn begins(&self) -> Option<Timestamp> {
        time(self.nbf).or_else(|| self.issued())
    }

    pub fn audiences(&self) -> Vec<&str> {
        match &self.aud {
            None => Vec::new(),
            Some(Audience::One(one)) => vec![one],
            Some(Audience::Many(many)) => many.iter().map(String::as_str).collect(),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "what is out of range is refused by the next line")]
fn time(seconds: Option<f64>) -> Option<Timestamp> {
    Timestamp::from_second(seconds? as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    fn access(text: impl Into<String>) -> AccessToken {
        AccessToken::new(text.into())
    }

    #[test]
    fn a_token_is_renewed_before_its_end() {
        let now = Timestamp::now();
        let check = |lifetime: u64, after: i64, fresh: bool, expired: bool| {
            let token = Token::received(access("opaque"), None, Some(Duration::from_secs(lifetime)));
            let then = now + SignedDuration::from_secs(after);
            assert_eq!((token.is_fresh(then), token.is_expired(then)), (fresh, expired), "{lifetime} {after}");
        };
        check(3600, 0, true, false);
        check(3600, 3500, true, false);
        check(3600, 3550, false, false);
        check(3600, 3610, false, true);
        check(8, 5, true, false);
        check(8, 7, false, false);
        check(0, 1, false, true);
    }

    #[test]
    fn claims_are_read_where_there_are_any() {
        let claims = Claims::of(&signed(r#"{"exp": 2000000000, "iat": 1999999000.5, "aud": ["a", "b"]}"#));
        assert_eq!(claims.expires().unwrap().as_second(), 2_000_000_000);
        assert_eq!(claims.begins().unwrap().as_second(), 1_999_999_000);
        assert_eq!(claims.audiences(), ["a", "b"]);
        assert_eq!(Claims::of(&signed(r#"{"aud": "a"}"#)).audiences(), ["a"]);
        for none in ["opaque", "a.b.c", "..", &signed("[]"), &signed(r#"{"exp": "soon"}"#)] {
            assert_eq!(Claims::of(none).expires(), None, "{none}");
        }
    }

    #[test]
    fn a_lifetime_that_only_the_token_tells_is_measured_by_one_clock() {
        // Issued by a clock that is an hour behind: valid for ten minutes all the same.
        let begin = Timestamp::now().as_second() - 3600;
        let token = signed(&format!(r#"{{"iat": {begin}, "exp": {}}}"#, begin + 600));
        let received = Token::received(access(token.clone()), None, None);
        assert!(received.is_fresh(Timestamp::now()));
        assert!(Token::found(access(token), None).is_expired(Timestamp::now()));
    }

    #[test]
    fn nothing_of_it_is_printed() {
        let token = Token::received(access("s3cret"), Some(RefreshToken::new("r3fresh".into())), None);
        let text = format!("{token:?}");
        assert!(!text.contains("s3cret") && !text.contains("r3fresh"), "{text}");
    }
}
