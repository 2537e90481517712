//! What a bucket's store says, in words that help.

use object_store::Error;

use crate::port::StoreError;

/// The greatest number of characters of a cause.
const MAX_CAUSE: usize = 300;

/// `cannot add NAME: AccessDenied: …`, and what to do about it.
pub fn error(address: &str, doing: &str, what: &str, error: &Error) -> StoreError {
    let (scheme, place) = address.split_once("://").unwrap_or(("s3", address));
    let cause = cause(error);
    let has = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    let help = match error {
        _ if has(&["NoSuchBucket", "ContainerNotFound"]) => {
            Some("create the bucket, or correct `store` in `[releases]`".to_owned())
        }
        Error::Unauthenticated { .. } => Some(credentials(scheme).to_owned()),
        _ if has(&["InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "redential", "169.254."]) => {
            Some(credentials(scheme).to_owned())
        }
        _ if matches!(error, Error::PermissionDenied { .. })
            || has(&["AccessDenied", "403", "AuthorizationPermission"]) =>
        {
            Some(format!("allow {} on {place} to these credentials", right(scheme, doing)))
        }
        Error::Generic { .. } => {
            Some("is the store reachable, and are `store`, `endpoint` and `region` of `[releases]` right?".to_owned())
        }
        _ => None,
    };
    StoreError { place: address.to_owned(), message: format!("cannot {doing} {what}: {cause}"), help }
}

/// What a right is called. Source: the reference of each store's permissions.
fn right(scheme: &str, doing: &str) -> &'static str {
    match (scheme, doing) {
        ("gs", "list") => "storage.objects.list",
        ("gs", "read") => "storage.objects.get",
        ("gs", "remove") => "storage.objects.delete",
        ("gs", _) => "storage.objects.create",
        ("az", "list" | "read") => "the role Storage Blob Data Reader",
        ("az", _) => "the role Storage Blob Data Contributor",
        (_, "list") => "s3:ListBucket",
        (_, "read") => "s3:GetObject",
        (_, "remove") => "s3:DeleteObject",
        _ => "s3:PutObject",
    }
}

fn credentials(scheme: &str) -> &'static str {
    match scheme {
        "gs" => {
            "give credentials: GOOGLE_SERVICE_ACCOUNT or GOOGLE_APPLICATION_CREDENTIALS names a key file, or `gcloud auth \
             application-default login`"
        }
        "az" => {
            "give credentials: AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY, a service principal in \
             AZURE_CLIENT_ID, AZURE_CLIENT_SECRET and AZURE_TENANT_ID, or AZURE_USE_AZURE_CLI=true"
        }
        _ => {
            "give credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile with keys in ~/.aws/credentials, or \
             `eval \"$(aws configure export-credentials --format env)\"` for any other profile"
        }
    }
}

/// The innermost cause, and of an answer in XML what it says.
fn cause(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = cause.to_string();
    let tag = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(inside, _)| inside.trim())
    };
    let told = match (tag("Code"), tag("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => text.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    told.chars().take(MAX_CAUSE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(error: &Error) -> (String, Option<String>) {
        let told = super::error("s3://acme/shop", "add", "a/1", error);
        (told.message, told.help)
    }

    #[test]
    fn a_refusal_says_which_right_is_missing() {
        let answer = "Server returned non-2xx status code: 403 Forbidden: <?xml version=\"1.0\"?><Error>\
                      <Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
        let error = Error::PermissionDenied { path: "a/1".into(), source: answer.into() };
        let (message, help) = told(&error);
        assert_eq!(message, "cannot add a/1: AccessDenied: Access Denied");
        assert_eq!(help.as_deref(), Some("allow s3:PutObject on acme/shop to these credentials"));
    }

    #[test]
    fn what_is_not_xml_is_told_in_one_line() {
        let (message, help) = told(&Error::Generic { store: "S3", source: "tcp connect\n  error".into() });
        assert_eq!(message, "cannot add a/1: tcp connect error");
        assert!(help.is_some_and(|help| help.contains("endpoint")));
    }
}
