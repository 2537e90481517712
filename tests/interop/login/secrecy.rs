//! No token, secret, code, verifier or signature is anywhere but where tokens are kept.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::bed::Bed;
use crate::process::Finished;

#[test]
fn secrets_stay_where_they_belong() {
    let bed = Bed::start();
    let mut told: Vec<Finished> = Vec::new();
    let machine = [("authType", "ClientSecret"), ("clientId", "ci"), ("clientSecretEnvVar", "SDK_SECRET")];
    for (number, keys) in [&machine[..], &[("authType", "Pkce")], &[("authType", "DeviceFlow")]].into_iter().enumerate()
    {
        bed.configure(keys);
        bed.flyte(&["auth", "logout"], 0);
        // New content, so that it is uploaded.
        let app = format!("# {number}\nimport http.server, os\nhttp.server.test(port=int(os.environ['PORT']))\n");
        bed.write("serve.py", &app);
        told.push(bed.at_terminal("approve", &["apply", "--yes", "-vvv"], 0));
        bed.set(json!({ "revoke_access": true }));
        told.push(bed.flyte(&["plan", "-vvv", "--json"], 0));
        told.push(bed.at_terminal("approve", &["auth", "login", "-vvv"], 0));
        told.push(bed.flyte(&["auth", "whoami", "-vvv", "--json"], 0));
        told.push(bed.flyte(&["config", "show", "-vvv"], 0));
        bed.set(json!({ "revoke_access": true, "revoke_refresh": true, "audience": "another" }));
        told.push(bed.flyte(&["plan", "-vvv"], 1));
        bed.set(json!({ "audience": "flyte" }));
    }
    let seen = bed.seen();
    assert_eq!(seen.leaks, [""; 0]);
    assert_eq!(seen.calls.iter().filter(|call| call.starts_with("CreateUploadLocation: ")).count(), 3, "{seen:?}");
    let mut secrets = seen.handed_out;
    assert!(secrets.len() > 20, "tokens, codes, verifiers and signatures were handed out: {}", secrets.len());
    secrets.push(bed.secret(0).to_owned());
    // As a header has it.
    secrets.push("canary".to_owned());

    for finished in &told {
        for secret in &secrets {
            assert!(!finished.account().contains(secret.as_str()), "`{secret}` is said:\n{}", finished.account());
        }
    }
    let logs = told.iter().map(|finished| finished.stderr.len()).sum::<usize>();
    assert!(logs > 10_000, "there was much to look through: {logs}");

    let kept = bed.home.path().join("state/log-ins");
    let mut stores = 0;
    for file in Bed::files(bed.home.path()).into_iter().chain(Bed::files(bed.tree.path())) {
        let mode = fs::metadata(&file).expect("it is there").permissions().mode() & 0o777;
        if file.starts_with(&kept) {
            assert_eq!(mode, 0o600, "{}", file.display());
            stores += 1;
            continue;
        }
        let content = fs::read(&file).expect("it is readable");
        let content = String::from_utf8_lossy(&content);
        for secret in &secrets {
            assert!(!content.contains(secret.as_str()), "`{secret}` is in {}", file.display());
        }
    }
    assert!(stores >= 1, "a log-in is kept");
}

#[test]
fn tokens_that_others_can_read_are_refused() {
    let bed = Bed::start();
    bed.configure(&[("authType", "Pkce")]);
    let told = bed.at_terminal("approve", &["auth", "login", "--json"], 0).json();
    let file = told["kept"]["path"].as_str().expect("a path").to_owned();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("it is ours");
    let refused = bed.flyte(&["plan"], 1);
    let words = refused.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(&format!("`chmod 600 {file}` closes it")), "{}", refused.account());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("it is ours");
    bed.flyte(&["plan"], 0);

    bed.configure(&[("authType", "Pkce"), ("disableKeyring", "true")]);
    bed.flyte(&["auth", "logout"], 0);
    bed.at_terminal("approve", &["plan"], 0);
    bed.flyte(&["plan"], 1);
}
