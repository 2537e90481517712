//! Codes are a public promise: stable, listed here, each explained on one page by `flyte explain CODE`.

use std::fmt;

use serde::Serialize;

/// A stable name of one kind of finding, such as `manifest::unknown_key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Code(pub &'static str);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The page behind a code.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    pub code: Code,
    /// One line.
    pub title: &'static str,
    /// What it means, why it is refused, how it is mended, with an example.
    pub text: &'static str,
}

/// Declares the codes, and one page for each: `pages/NAME.md`.
macro_rules! codes {
    ($($group:literal: $($constant:ident $name:literal $title:literal)*;)*) => {
        /// Every code, as a constant.
        pub mod codes {
            use super::Code;
            $($(#[doc = $title] pub const $constant: Code = Code(concat!($group, "::", $name));)*)*
        }

        /// Every page, in the order of codes.
        pub static PAGES: &[Page] = &[
            $($(Page { code: codes::$constant, title: $title, text: include_str!(concat!("pages/", $name, ".md")) },)*)*
        ];
    };
}

codes! {
"config":
    BAD_API_KEY "bad_api_key" "an API key that cannot be read"
    INCOMPLETE_AUTH "incomplete_auth" "a way to log in that lacks something"
    NO_ENDPOINT "no_endpoint" "a configuration that names no control plane"
    NOT_YAML "not_yaml" "a configuration file that is not YAML"
    UNKNOWN_SETTING "unknown_setting" "a key that the configuration does not know"
    UNREADABLE_CONFIG "unreadable_config" "a configuration file that cannot be read"
    WRONG_SETTING "wrong_setting" "a value of the configuration that means nothing";
"manifest":
    BAD_ACCELERATOR "bad_accelerator" "an accelerator that cannot be asked for"
    BAD_COMMAND_LINE "bad_command_line" "a command line that cannot be split into words"
    BAD_DURATION "bad_duration" "a duration that cannot be read"
    BAD_IMAGE "bad_image" "an image reference that cannot be read"
    BAD_NAME "bad_name" "a name with characters that are not allowed"
    BAD_POD "bad_pod" "a pod template that an app cannot run in"
    BAD_QUANTITY "bad_quantity" "an amount that Kubernetes cannot read"
    COMMAND_WITHOUT_STARTER "command_without_starter" "a key that needs Flyte's starter, beside `command`"
    CONFLICTING_KEYS "conflicting_keys" "keys of which one makes another useless"
    CONFLICTING_ROOT "conflicting_root" "a member of a workspace that contradicts its root"
    CREDENTIAL_IN_ENV "credential_in_env" "a value in `env` that looks like a credential"
    CYCLE "cycle" "apps that depend on each other in a circle"
    DUPLICATE_APP "duplicate_app" "two apps with one name"
    DUPLICATE_KEY "duplicate_key" "a key or table that is written twice"
    DUPLICATE_VARIABLE "duplicate_variable" "an environment variable that is set twice"
    INVALID_VALUE "invalid_value" "a value that is not one of those allowed"
    LITERAL_SECRET "literal_secret" "a secret that is written down where its place should be named"
    MIN_OVER_MAX "min_over_max" "a minimum above its maximum"
    MISSING_APP "missing_app" "an app that is deployed elsewhere and is not there"
    MISSING_DOMAIN "missing_domain" "a domain that the project does not have"
    MISSING_ENVIRONMENT "missing_environment" "an environment variable that is not set"
    MISSING_FILE "missing_file" "a path or glob that finds nothing"
    MISSING_IMAGE "missing_image" "an app without an image, for a real control plane"
    MISSING_KEY "missing_key" "a key that must be there"
    MISSING_PROJECT "missing_project" "a project that does not exist"
    MISSING_SECRET "missing_secret" "a secret that does not exist"
    NAME_COLLISION "name_collision" "two apps whose service names collide"
    NAME_TAKEN "name_taken" "an app whose service is called like that of another one"
    NOT_CHECKED "not_checked" "something that the control plane could not be asked"
    NOT_SUPPORTED_YET "not_supported_yet" "a key that is reserved for a later release"
    NOTHING_TO_RUN "nothing_to_run" "an app that does not say what to run"
    OUT_OF_RANGE "out_of_range" "a number or text outside its limits"
    OUTSIDE_ROOT "outside_root" "a path that leads out of the workspace"
    PLAIN_CREDENTIALS "plain_credentials" "credentials that travel without encryption"
    RESERVED_PORT "reserved_port" "a port that belongs to the platform"
    RESERVED_TARGET "reserved_target" "a target whose name has a meaning of its own"
    RESERVED_VARIABLE "reserved_variable" "an environment variable that is set by flyte or the platform"
    SPEC_TOO_LARGE "spec_too_large" "an app that is too large for its control plane"
    SYNTAX "syntax" "text that is not TOML"
    TOO_LARGE "too_large" "a manifest beyond the limits"
    UNDEFINED_VARIABLE "undefined_variable" "a variable that is not defined"
    UNFIT_PARAMETER "unfit_parameter" "a run output or an artifact that cannot be the value of its parameter"
    UNKNOWN_APP "unknown_app" "the name of an app that is not declared"
    UNKNOWN_KEY "unknown_key" "a key that the manifest does not know"
    UNKNOWN_PROFILE "unknown_profile" "a profile that is not declared"
    UNKNOWN_TARGET "unknown_target" "a target that is not declared"
    UNREADABLE "unreadable" "a member of a workspace that cannot be read"
    UNRESOLVED_PARAMETER "unresolved_parameter" "a run output or an artifact that cannot be looked up"
    UNUSED_PROFILE "unused_profile" "a profile that changes nothing"
    UNUSED_VARIABLE "unused_variable" "a variable that nothing uses"
    WRONG_TYPE "wrong_type" "a value of another type than the key takes";
"plan":
    STALE_PLAN "stale_plan" "a saved plan that does not hold any more"
    UNUSABLE_PLAN_FILE "unusable_plan_file" "a file that is no plan, or not as it was written";
"release":
    NO_STORE "no_store" "a store of releases that does not answer"
    UNREADABLE_RECORD "unreadable_record" "something on record that cannot be read";
}

/// The page of a code, given with or without the leading `flyte::`.
pub fn page(code: &str) -> Option<&'static Page> {
    let code = code.strip_prefix("flyte::").unwrap_or(code);
    PAGES.iter().find(|page| page.code.0 == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_in_order_and_have_text() {
        assert!(PAGES.windows(2).all(|pair| pair[0].code < pair[1].code));
        for page in PAGES {
            assert!(page.text.len() >= 80, "{} says too little", page.code);
            // Lines that begin with blanks are shown as they are; a fence is not known.
            assert!(!page.text.contains("```"), "{} has a fence", page.code);
        }
        assert_eq!(super::page("flyte::manifest::cycle").unwrap().code, codes::CYCLE);
    }
}
