//! Keys and region from the files that Amazon's own tools write.
//!
//! Source: the AWS SDKs and Tools Reference Guide, "shared config and credentials files". Profiles that name another way
//! to credentials (single sign-on, a role, a program) have none here.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use object_store::aws::AmazonS3ConfigKey;

/// What the chosen profile sets: no keys where the environment has its own.
pub fn settings(environment: &BTreeMap<String, String>) -> Vec<(AmazonS3ConfigKey, String)> {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let home = || set("HOME").map(|home| PathBuf::from(home).join(".aws"));
    let file = |variable: &str, name: &str| {
        let path = set(variable).map(PathBuf::from).or_else(|| home().map(|home| home.join(name)))?;
        fs::read_to_string(path).ok()
    };
    let profile = set("AWS_PROFILE").map_or("default", String::as_str);
    let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials").unwrap_or_default();
    let config = file("AWS_CONFIG_FILE", "config").unwrap_or_default();
    let in_config = if profile == "default" { "default".to_owned() } else { format!("profile {profile}") };
    let (own, shared) = (section(&credentials, profile), section(&config, &in_config));
    let find = |name: &str| own.get(name).or_else(|| shared.get(name)).map(|value| (*value).to_owned());

    let mut settings = Vec::new();
    let mut add = |key, value: Option<String>| settings.extend(value.map(|value| (key, value)));
    add(AmazonS3ConfigKey::Region, find("region"));
    let in_environment = ["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"].iter().any(|name| set(name).is_some());
    if !in_environment && let (Some(id), Some(key)) = (find("aws_access_key_id"), find("aws_secret_access_key")) {
        add(AmazonS3ConfigKey::AccessKeyId, Some(id));
        add(AmazonS3ConfigKey::SecretAccessKey, Some(key));
        add(AmazonS3ConfigKey::Token, find("aws_session_token"));
    }
    settings
}

/// The settings of one section of an INI file.
fn section<'a>(text: &'a str, wanted: &str) -> BTreeMap<&'a str, &'a str> {
    let mut inside = false;
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name.trim() == wanted;
        } else if let Some((key, value)) = line.split_once('=').filter(|_| inside && !line.starts_with(['#', ';'])) {
            found.insert(key.trim(), value.trim());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: &str = "[default]\naws_access_key_id = ONE\naws_secret_access_key = one\n\n# another\n\
                               [ci]\naws_access_key_id=TWO\naws_secret_access_key=two\naws_session_token=t\n";

    #[test]
    fn keys_and_region_of_a_profile() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".aws")).unwrap();
        fs::write(home.path().join(".aws/credentials"), CREDENTIALS).unwrap();
        fs::write(home.path().join(".aws/config"), "[profile ci]\nregion = eu-central-1\n").unwrap();
        let told = |variables: &[(&str, &str)]| {
            let mut environment = BTreeMap::from([("HOME".to_owned(), home.path().to_str().unwrap().to_owned())]);
            environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            settings(&environment).into_iter().map(|(_, value)| value).collect::<Vec<_>>()
        };
        assert_eq!(told(&[]), ["ONE", "one"]);
        assert_eq!(told(&[("AWS_PROFILE", "ci")]), ["eu-central-1", "TWO", "two", "t"]);
        assert_eq!(told(&[("AWS_PROFILE", "ci"), ("AWS_ACCESS_KEY_ID", "THREE")]), ["eu-central-1"]);
        assert!(told(&[("AWS_PROFILE", "none")]).is_empty());
    }
}
