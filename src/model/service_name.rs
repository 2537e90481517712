//! The Knative service of an app.

use sha2::{Digest as _, Sha256};

use super::AppId;

/// The most characters of a DNS label.
const MAX_LENGTH: usize = 63;
/// How many stay of a longer name, before `-` and 8 hex digits.
const KEPT: usize = 54;

/// What the open-source server calls the service of an app: `{name}-{project}-{domain}` in lower case, cut where it is
/// too long. Two apps of one name overwrite each other.
///
/// Source: `KServiceName` in `app/internal/k8s/app_client.go` of the open-source server.
pub fn service_name(id: &AppId) -> String {
    let (name, project, domain) = (&id.name, &id.scope.project, &id.scope.domain);
    let whole = format!("{name}-{project}-{domain}").to_lowercase();
    if whole.len() <= MAX_LENGTH {
        return whole;
    }
    let sum = Sha256::digest(format!("{project}/{domain}/{name}"));
    let suffix: String = sum.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let kept: String = whole.chars().take(KEPT).collect();
    format!("{kept}-{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AppName, Scope};

    #[test]
    fn names_collide_across_projects_and_long_ones_are_told_apart() {
        let name = |name: &str, project: &str, domain: &str| {
            let scope = Scope { org: String::new(), project: project.to_owned(), domain: domain.to_owned() };
            service_name(&scope.app(&AppName::new(name).unwrap()))
        };
        assert_eq!(name("a", "b-c", "d"), name("a-b", "c", "d"));
        assert_eq!(name("a", "Shop", "d"), name("a", "shop", "d"));
        let long = "p".repeat(60);
        assert_eq!(name("a", &long, "d").len(), 63);
        assert_ne!(name("a", &long, "d1"), name("a", &long, "d2"));
    }
}
