use super::*;
use crate::model::target::AuthKind;
use crate::port::memory::MemoryFiles;

fn directories() -> Directories {
    Directories { working: "/code/shop/api".into(), home: Some("/home/me".into()) }
}

fn environment(set: &[(&str, &str)]) -> BTreeMap<String, String> {
    set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn of(text: &str, set: &[(&str, &str)]) -> Config {
    let mut files = MemoryFiles::default();
    files.insert("/home/me/.flyte/config.yaml", text);
    read(&files, &environment(set), &directories(), None)
}

fn said(config: &Config) -> String {
    let findings = config.findings.iter().map(|finding| format!("{}: {}\n", finding.code, finding.message));
    findings.chain(config.notes.iter().map(|note| format!("note: {note}\n"))).collect()
}

#[test]
fn images_have_names() {
    let config = of("image: { image_refs: { default: r/a:1, custom: r/b:2 } }", &[]);
    let expected = environment(&[("default", "r/a:1"), ("custom", "r/b:2")]);
    assert_eq!((config.images, config.findings.len()), (expected, 0));
    let config = of("image: { image_refs: [r/a:1] }", &[]);
    assert!(said(&config).contains("`image.image_refs` of the configuration is a list"), "{}", said(&config));
    assert_eq!(config.images, BTreeMap::new());
}

#[test]
fn the_first_file_counts_in_the_order_of_the_sdk() {
    let all = [
        "/code/shop/api/config.yaml",
        "/code/shop/api/.flyte/config.yaml",
        "/code/.flyte/config.yaml",
        "/etc/uctl.yaml",
        "/code/shop/api/flytectl.yaml",
        "/home/me/.union/config.yaml",
        "/home/me/.flyte/config.yaml",
    ];
    let set = environment(&[("UCTL_CONFIG", "/etc/uctl.yaml"), ("FLYTECTL_CONFIG", "flytectl.yaml")]);
    let mut files = MemoryFiles::default();
    files.insert("/code/.git/HEAD", "");
    files.insert("/asked.yaml", "task: {}");
    for path in all {
        files.insert(path, format!("task: {{ project: \"{path}\" }}"));
    }
    for (at, expected) in all.into_iter().enumerate() {
        let mut there = MemoryFiles::default();
        there.insert("/code/.git/HEAD", "");
        for path in &all[at..] {
            there.insert(path, format!("task: {{ project: \"{path}\" }}"));
        }
        // A variable that names a file counts whether it is there or not.
        let variables = if at < 5 { set.clone() } else { BTreeMap::new() };
        let variables = if at == 4 { environment(&[("FLYTECTL_CONFIG", "flytectl.yaml")]) } else { variables };
        let config = read(&there, &variables, &directories(), None);
        assert_eq!(config.project.map(|project| project.value).as_deref(), Some(expected));
    }
    let asked = read(&files, &set, &directories(), Some(Path::new("/asked.yaml")));
    assert_eq!(asked.file.unwrap().path, Path::new("/asked.yaml"));
    let none = read(&MemoryFiles::default(), &BTreeMap::new(), &directories(), None);
    assert_eq!((none.file.is_none(), said(&none)), (true, String::new()));
    let absent = read(&MemoryFiles::default(), &set, &directories(), None);
    assert_eq!(
        said(&absent),
        "config::unreadable_config: cannot read the configuration /etc/uctl.yaml: it does not exist\n"
    );
}

#[test]
fn a_file_of_another_tool_is_passed_over() {
    let check = |text: &str, is_taken: bool| {
        let mut files = MemoryFiles::default();
        files.insert("/code/shop/api/config.yaml", text);
        let config = read(&files, &BTreeMap::new(), &directories(), None);
        assert_eq!((config.file.is_some(), config.notes.is_empty()), (is_taken, is_taken), "{text}");
    };
    check("task: { project: p }", true);
    check("theme: dark\nplugins: [a]\n", false);
    check("image: python:3.12\nservices: {}\n", false);
    check("", false);
    check("{% if x %}\nname: x\n", false);
    // Flyte's, and broken: not to be passed over in silence.
    check("admin:\n  endpoint: [x\n", true);
}

#[test]
fn variables_beat_the_file_key_by_key() {
    let file = "admin:\n  endpoint: dns:///file.example.com\n  insecure: true\n  scopes: [a, b]\n  command: \"x 'y z'\"\ntask: { project: p }\n";
    let config = of(file, &[("FLYTE_ADMIN_ENDPOINT", "dns:///set.example.com"), ("FLYTE_ADMIN_SCOPES", "c, d e")]);
    let parts = config.parts.clone();
    let endpoint = parts.endpoint.unwrap();
    assert_eq!(endpoint.value, "dns:///set.example.com");
    assert_eq!(endpoint.origin, Origin::Variable("FLYTE_ADMIN_ENDPOINT".to_owned()));
    assert_eq!(parts.scopes.unwrap().value, ["c", "d", "e"]);
    assert_eq!(parts.command.unwrap().value, ["x", "y z"]);
    let insecure = parts.insecure.unwrap();
    let Origin::File { key, range } = insecure.origin else { panic!() };
    assert_eq!((insecure.value, key, &file[range]), (true, "admin.insecure", "true"));
    assert_eq!(said(&config), "");
}

#[test]
fn the_traps_of_the_sdk_are_told() {
    let check = |text: &str, set: &[(&str, &str)], expected: &str| assert_eq!(said(&of(text, set)), expected, "{text}");
    check(
        "admin: { endpoint: x, insecure: true }",
        &[("FLYTE_ADMIN_INSECURE", "false")],
        "note: FLYTE_ADMIN_INSECURE=false: read as false; the SDK reads any text as true\n",
    );
    check(
        "admin: { endpoint: x, insecure: \"false\" }",
        &[],
        "note: admin.insecure: the text `false`: read as false; the SDK reads any text as true\n",
    );
    check("admin: { endpoint: x, insecure: no }", &[], "");
    check(
        "admin: { endpoint: x }",
        &[("FLYTE_ADMIN_ENDPOINT", "")],
        "note: FLYTE_ADMIN_ENDPOINT is empty and counts as not set; the SDK takes it for `admin.endpoint` and forgets what the file says\n",
    );
    check(
        "admin: {}",
        &[("FLYTE_AUTH_TYPE", "Pkce"), ("FLYTE_ADMIN_AUTHTYPE", "DeviceFlow")],
        "note: FLYTE_AUTH_TYPE and FLYTE_ADMIN_AUTHTYPE differ: FLYTE_AUTH_TYPE counts, as in the SDK\n",
    );
    check(
        "admin: { proxyCommand: [x] }",
        &[],
        "note: admin.proxyCommand is not used; with the SDK 2.12.1 no call succeeds that has it\n",
    );
    check(
        "admin: { endpoint: x, insecure: maybe, authType: Pkcee, scopes: { a: b }, command: \"a 'b\" }\ntask: x\nunion: {}\n",
        &[("FLYTE_ADMIN_DISABLEKEYRING", "perhaps")],
        "config::wrong_setting: `task` of the configuration is a text, and not a section\n\
         config::wrong_setting: `Pkcee` is no way to log in\n\
         config::wrong_setting: `admin.insecure` is neither true nor false\n\
         config::wrong_setting: `admin.command` cannot be split into words: a quote is not closed, or a backslash ends it\n\
         config::wrong_setting: `admin.scopes` of the configuration is a map\n\
         config::wrong_setting: FLYTE_ADMIN_DISABLEKEYRING is neither true nor false\n",
    );
    check(
        "admn: {}\nadmin: { endpont: x, maxRetries: 3 }\nlogger: { level: 1 }\n",
        &[],
        "config::unknown_setting: unknown key `admn` in the configuration\n\
         config::unknown_setting: unknown key `endpont` in the section `admin`\n",
    );
}

#[test]
fn without_a_file_variables_count() {
    let config = read(
        &MemoryFiles::default(),
        &environment(&[("FLYTE_ADMIN_ENDPOINT", "x"), ("FLYTE_TASK_PROJECT", "p")]),
        &directories(),
        None,
    );
    assert!(config.names_endpoint());
    assert_eq!(
        said(&config),
        "note: FLYTE_ADMIN_ENDPOINT, FLYTE_TASK_PROJECT count without a configuration file; the SDK reads variables only beside one\n"
    );
}

#[test]
fn a_client_secret_that_is_there_decides() {
    let check = |text: &str, set: &[(&str, &str)], kind: Option<AuthKind>, secret: Option<SecretSource>| {
        let parts = of(text, set).parts;
        let found = (parts.kind.map(|kind| kind.value), parts.secret.map(|secret| secret.value));
        assert_eq!(found, (kind, secret), "{text}");
    };
    use crate::model::target::SecretSource;
    let variable = || Some(SecretSource::Variable("S".to_owned()));
    let file = || Some(SecretSource::File("/code/shop/api/s".into()));
    let client = Some(AuthKind::ClientCredentials);
    check("admin: { clientSecretEnvVar: S }", &[("S", "canary")], client, variable());
    check("admin: { clientSecretEnvVar: S, authType: Pkce }", &[("S", "canary")], client, variable());
    check("admin: { clientSecretEnvVar: S, authType: Pkce }", &[], Some(AuthKind::Pkce), variable());
    check("admin: { clientSecretEnvVar: S, clientSecretLocation: s }", &[], client, file());
    check("admin: { clientSecretEnvVar: S, clientSecretLocation: s }", &[("S", "canary")], client, variable());
    check("admin: { clientSecretLocation: s, authType: DeviceFlow }", &[], client, file());
    check("admin: { authType: externalcommand }", &[], Some(AuthKind::Command), None);
}

#[test]
fn an_api_key_takes_the_place_of_endpoint_and_credentials() {
    use base64::Engine as _;
    let key = base64::engine::general_purpose::STANDARD.encode("http://localhost:8090:ci:canary:acme");
    let file = "admin: { endpoint: x, insecure: true, authType: Pkce, caCertFilePath: ca.pem }\ntask: { org: other, project: p }\n";
    let config = of(file, &[(API_KEY, &key)]);
    let parts = config.parts.clone();
    assert_eq!(parts.endpoint.unwrap().value, "http://localhost:8090");
    assert_eq!((parts.insecure, parts.kind.unwrap().value), (None, AuthKind::ClientCredentials));
    assert_eq!((parts.client_id.unwrap().value.as_str(), parts.org.unwrap().value.as_str()), ("ci", "acme"));
    assert_eq!(parts.ca_file.unwrap().value, Path::new("/code/shop/api/ca.pem"));
    assert!(said(&config).contains("a scheme or a port") && said(&config).contains("admin.insecure belongs to"));
    assert!(!format!("{config:?}").contains("canary"));
    let broken = of(file, &[(API_KEY, "canary")]);
    assert!(said(&broken).starts_with("config::bad_api_key: FLYTE_API_KEY cannot be read: "), "{}", said(&broken));
    assert!(!said(&broken).contains("canary"));
}
