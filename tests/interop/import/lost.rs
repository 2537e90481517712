//! What a manifest cannot say of a file, or the file does not say: told, and not deployed otherwise.

use serde_json::Value;

use super::{PLACE, User, with_file, write};
use crate::process::Finished;

const APP: &str = "from flyte.app import AppEndpoint, AppEnvironment, Parameter\n\
                   def app(name, **more): return AppEnvironment(\n\
                   name=name, image='i:1', args=['python3', '-m', 'http.server', '$PORT'], **more)\n";

fn import(user: &User, file: &str, code: i32) -> Value {
    user.flyte(&[&["import", "--python", file, "--json"][..], &PLACE].concat(), code).json()
}

fn deploy(user: &User, args: &[&str], code: i32) -> Finished {
    user.flyte(&[&["deploy"][..], args, &PLACE, &["--yes"]].concat(), code)
}

/// Where and why, by app.
fn told(imported: &Value, app: &str) -> Vec<(String, String)> {
    let text = |one: &Value, key: &str| one[key].as_str().expect("a text").to_owned();
    let all = imported["unsaid"].as_array().expect("a list").iter();
    all.filter(|one| one["app"] == app).map(|one| (text(one, "path"), text(one, "why"))).collect()
}

/// As the SDK, which refuses both.
#[test]
fn entries_of_include_that_cannot_be_packed_are_refused() {
    let text = format!(
        "{APP}miss = app('miss', include=['weights.bin'])\nout = app('out', include=['../data'])\n\
         linked = app('linked', include=['link'])\ngood = app('good', include=['page.html', 'config/*.yaml'])\n\
         clone = good.clone_with(name='clone')\n"
    );
    let user = with_file("page.html", "");
    write(&user, "config/a.yaml", "");
    write(&user, "svc/shop.py", &text);
    write(&user, "data/a.csv", "");
    std::os::unix::fs::symlink("/etc/hostname", user.tree.path().join("svc/link")).expect("a link is made");
    let copied = user.tree.path().join("svc");
    for path in ["page.html", "config"] {
        std::fs::rename(user.tree.path().join(path), copied.join(path)).expect("it is moved");
    }
    let imported = import(&user, "svc/shop.py", 1);
    let why =
        |app: &str| told(&imported, app).into_iter().map(|(path, why)| format!("{path}: {why}")).collect::<String>();
    assert!(why("miss").contains("include: there is no `svc/weights.bin`"), "{imported}");
    assert!(why("linked").contains("include: `link` lies outside"), "{imported}");
    assert_eq!((why("out"), why("good"), why("clone")), Default::default(), "{imported}");
    let manifest = imported["manifest"].as_str().expect("a text");
    let included = "include = [\"svc/shop.py\", \"svc/page.html\", \"svc/config/*.yaml\"]";
    assert_eq!(manifest.matches(included).count(), 2, "{manifest}");

    for app in ["miss", "linked"] {
        let refused = deploy(&user, &["svc/shop.py", app], 1);
        assert!(refused.stderr.contains(&format!("`{app}`: include: ")), "{}", refused.account());
    }
    deploy(&user, &["svc/shop.py", "good", "clone"], 0);
}

#[test]
fn an_include_outside_of_the_root_is_refused() {
    let user = with_file("elsewhere/a.csv", "");
    write(&user, "svc/shop.py", &format!("{APP}out = app('out', include=['../elsewhere'])\n"));
    let within = |args: &[&str]| {
        let mut command = crate::program::command(user.home.path(), &user.tree.path().join("svc"), args);
        command.args(PLACE).env("VIRTUAL_ENV", user.python.home()).env("PYTHONDONTWRITEBYTECODE", "1");
        crate::process::run(command, super::WITHIN).expect(1)
    };
    let refused = within(&["deploy", "shop.py", "--yes"]);
    assert!(refused.stderr.contains("`out`: include: `../elsewhere` lies outside"), "{}", refused.account());
    within(&["import", "--python", "shop.py"]);
}

#[test]
fn a_circle_of_dependencies_is_refused() {
    let text = format!(
        "{APP}a = app('a')\nb = app('b', depends_on=[a])\nc = app('c', depends_on=[b])\na.depends_on.append(c)\n\
         apart = app('apart')\n"
    );
    let user = with_file("shop.py", &text);
    let imported = import(&user, "shop.py", 1);
    let all = imported["unsaid"].to_string();
    assert!(all.contains("a -> c -> b -> a") && all.contains("\"path\":\"depends_on\""), "{imported}");
    for app in ["a", "b", "c"] {
        let refused = deploy(&user, &["shop.py", app], 1);
        assert!(refused.stderr.contains("depend on each other in a circle: a -> c -> b"), "{}", refused.account());
    }
    deploy(&user, &["shop.py", "apart"], 0);
    // URLs alone may close one.
    let text = format!(
        "{APP}def url(app): return [Parameter(name='URL', value=AppEndpoint(app_name=app), env_var='URL')]\n\
         a = app('a', parameters=url('b'))\nb = app('b', parameters=url('a'))\n"
    );
    write(&user, "urls.py", &text);
    let imported = import(&user, "urls.py", 0);
    assert!(imported["manifest"].as_str().expect("a text").contains("depends = false"), "{imported}");
}

#[test]
fn what_the_sdk_cannot_translate_concerns_its_app_alone() {
    let text = format!(
        "{APP}good = app('good')\nbad = app('bad', parameters=[Parameter('m')])\n\
         named = app('named', pod_template='tpl')\nneeds = app('needs', depends_on=[bad])\n"
    );
    let user = with_file("shop.py", &text);
    let deployed = deploy(&user, &["shop.py", "good"], 0);
    assert!(!deployed.stderr.contains("bad"), "{}", deployed.account());
    for app in ["bad", "needs"] {
        let refused = deploy(&user, &["shop.py", app], 1);
        assert!(refused.stderr.contains("`bad`: spec: the SDK cannot translate it"), "{}", refused.account());
    }
    deploy(&user, &["shop.py"], 1);
    let imported = import(&user, "shop.py", 1);
    assert!(told(&imported, "bad")[0].1.contains("'m' has no value"), "{imported}");
    assert!(told(&imported, "named")[0].1.contains("PodTemplate as str"), "{imported}");
    assert_eq!(told(&imported, "needs")[0].0, "depends_on", "{imported}");
    let manifest = imported["manifest"].as_str().expect("a text");
    assert!(manifest.contains("[app.good]") && manifest.contains("[app.needs]"), "{manifest}");
    let alone = user.flyte(&[&["import", "--python", "shop.py:bad"][..], &PLACE].concat(), 1);
    assert!(alone.stderr.contains("`bad`: the SDK cannot translate it"), "{}", alone.account());
}

#[test]
fn words_that_do_not_arrive_as_they_are_written_are_told() {
    let text = "from flyte.app import AppEnvironment\n\
                a = AppEnvironment(name='a', image='i:1', args=['streamlit', 'run', 'a.py', '--title', 'my  model', ''])\n\
                b = AppEnvironment(name='b', image='i:1', args=['streamlit', 'run', \"'a b'\"])\n\
                c = AppEnvironment(name='c', image='i:1', args=['x', '--token', 'hunter2  hunter3'])\n";
    let user = with_file("shop.py", text);
    let imported = import(&user, "shop.py", 0);
    let [(path, why)] = told(&imported, "a").try_into().expect("one thing is told");
    assert_eq!(path, "spec.container.args");
    assert!(why.contains("`\"'my  model'\"` in place of `\"my  model\"`, `\"''\"` in place of `\"\"`"), "{why}");
    assert_eq!(told(&imported, "b"), []);
    let [(_, why)] = told(&imported, "c").try_into().expect("one thing is told");
    assert!(why.contains("quotes around word 3") && !why.contains("hunter"), "{why}");
    let manifest = imported["manifest"].as_str().expect("a text");
    assert!(
        manifest.contains("args = [\"streamlit\", \"run\", \"a.py\", \"--title\", \"my\", \"model\"]"),
        "{manifest}"
    );
}

#[test]
fn images_that_the_sdk_builds_are_told() {
    let text = "import flyte\nfrom flyte.app import AppEnvironment\nfrom pathlib import Path\nI = flyte.Image\n\
                def app(name, image): return AppEnvironment(name=name, image=image, args='x')\n\
                a = app('plain', I.from_debian_base())\nb = app('base', I.from_base('ghcr.io/x/y:1'))\n\
                c = app('auto', 'auto')\nd = app('text', 'ghcr.io/x/y:2')\n\
                e = app('layers', I.from_debian_base().with_pip_packages('fastapi'))\n\
                f = app('named', I.from_debian_base(registry='ghcr.io/acme', name='web', flyte_version='2.1.0'))\n\
                g = app('file', I.from_dockerfile(Path('Dockerfile'), registry='ghcr.io/acme', name='d'))\n";
    let user = with_file("shop.py", text);
    write(&user, "Dockerfile", "FROM scratch\n");
    let imported = import(&user, "shop.py", 0);
    for app in ["layers", "named", "file"] {
        assert_eq!(told(&imported, app)[0].0, "spec.container.image", "{imported}");
    }
    assert_eq!(imported["unsaid"].as_array().expect("a list").len(), 3, "{imported}");
}

#[test]
fn a_secret_is_told_once() {
    let text = "import flyte\nfrom flyte.app import AppEnvironment\n\
                from flyte.app._runtime import app_serde\n\
                made = app_serde.get_security_context\n\
                def versioned(secrets, *more, **named):\n\
                \x20   context = made(secrets, *more, **named)\n\
                \x20   for secret in context.secrets: secret.group_version = '3'\n\
                \x20   return context\n\
                app_serde.get_security_context = versioned\n\
                a = AppEnvironment(name='a', image='i:1', args='x', secrets=['k'])\n";
    let user = with_file("shop.py", text);
    let imported = import(&user, "shop.py", 1);
    let [(path, _)] = told(&imported, "a").try_into().expect("one thing is told");
    assert_eq!(path, "spec.security_context.secrets[K]");
}
