//! Who does it, for the record.

use std::collections::BTreeMap;

/// The greatest number of characters.
const MAX_LENGTH: usize = 200;

/// Variables in which a CI system names the one it works for, and the system.
const CI: [(&str, &str); 6] = [
    ("GITHUB_ACTOR", "GitHub Actions"),
    ("GITLAB_USER_LOGIN", "GitLab CI"),
    ("BUILDKITE_BUILD_CREATOR", "Buildkite"),
    ("CIRCLE_USERNAME", "CircleCI"),
    ("BUILD_REQUESTEDFOR", "Azure Pipelines"),
    ("BUILD_USER_ID", "Jenkins"),
];

/// `FLYTE_ACTOR`, else the actor that CI names, else `user@host`.
pub fn of(environment: &BTreeMap<String, String>) -> String {
    let set = |name: &str| environment.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
    let ci = || CI.iter().find_map(|(variable, system)| Some(format!("{} ({system})", set(variable)?)));
    let local = || {
        let user = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(set).unwrap_or("unknown");
        format!("{user}@{}", rustix::system::uname().nodename().to_string_lossy())
    };
    let actor = set("FLYTE_ACTOR").map(str::to_owned).or_else(ci).unwrap_or_else(local);
    actor.chars().filter(|c| !c.is_control()).take(MAX_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_actor_is_the_one_the_environment_names() {
        let check = |variables: &[(&str, &str)], expected: &str| {
            let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(of(&environment), expected);
        };
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        check(&[], &format!("unknown@{host}"));
        check(&[("USER", "ada")], &format!("ada@{host}"));
        check(&[("USER", "runner"), ("GITHUB_ACTOR", "ada")], "ada (GitHub Actions)");
        check(&[("GITHUB_ACTOR", "ada"), ("FLYTE_ACTOR", " grace\n")], "grace");
    }
}
