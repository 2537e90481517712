//! A file means the same as with the SDK, and everywhere the same.

use serde_json::Value;

use super::{PLACE, User, with_file, write};
use crate::{process, program};

fn manifest(user: &User, file: &str) -> String {
    let imported = user.flyte(&[&["import", "--python", file, "--json"][..], &PLACE].concat(), 0).json();
    imported["manifest"].as_str().expect("a text").to_owned()
}

/// The table of an app.
fn app(manifest: &str, name: &str) -> Value {
    let read: toml::Table = manifest.parse().expect("it is TOML");
    serde_json::to_value(&read["app"][name]).expect("it has no dates")
}

#[test]
fn each_served_app_is_found_by_its_own_variable() {
    let user = with_file(
        "svc/other.py",
        "from flyte.app import AppEnvironment\n\
         def served(name, **more):\n\
         \x20   made = AppEnvironment(name=name, image='i:1', **more)\n\
         \x20   made.server(lambda: None)\n\
         \x20   return made\n\
         a = served('a')\nb = served('b')\n",
    );
    let text = "from flyte.app import AppEnvironment\nfrom other import a, b, served\n\
                made = served('made', depends_on=[a, b])\ncloned = made.clone_with(name='cloned')\ncloned.server(print)\n";
    write(&user, "svc/main.py", text);
    let found = manifest(&user, "svc/main.py");
    let python = |name: &str| app(&found, name)["python"].as_str().expect("it is served").to_owned();
    assert_eq!(["a", "b"].map(python), ["svc.other:a", "svc.other:b"]);
    assert_eq!(["made", "cloned"].map(python), ["svc.main:made", "svc.main:cloned"]);

    // What no variable holds cannot be found, and is nothing else.
    write(&user, "svc/main.py", &format!("{text}front = served('front', depends_on=[served('inline')])\n"));
    let imported = user.flyte(&[&["import", "--python", "svc/main.py", "--json"][..], &PLACE].concat(), 1).json();
    assert!(app(imported["manifest"].as_str().expect("a text"), "inline")["python"].is_null(), "{imported}");
    let deploy = [&["deploy", "svc/main.py", "front", "--yes"][..], &PLACE].concat();
    let refused = user.flyte(&deploy, 1);
    assert!(refused.stderr.contains("`inline`: spec.container.command: no variable"), "{}", refused.account());
}

#[test]
fn images_are_called_by_the_names_of_the_configuration() {
    let text = "import flyte\nfrom flyte.app import AppEnvironment\n\
                a = AppEnvironment(name='a', image='auto', args='x')\n\
                b = AppEnvironment(name='b', image=flyte.Image.from_ref_name('custom'), args='x')\n";
    let user = with_file("shop.py", text);
    let images = |custom: &str| {
        format!(
            "admin:\n  endpoint: dns:///localhost:1\nimage:\n  image_refs:\n    default: r/auto:9\n    custom: {custom}\n"
        )
    };
    write(&user, ".flyte/config.yaml", &images("r/custom:7"));
    write(&user, "other.yaml", &images("r/custom:8"));
    let found = manifest(&user, "shop.py");
    assert_eq!(["a", "b"].map(|name| app(&found, name)["image"].clone()), ["r/auto:9", "r/custom:7"]);
    let asked = ["-c", "other.yaml", "import", "--python", "shop.py:b"];
    let other = user.flyte(&[&asked[..], &PLACE].concat(), 0).stdout;
    assert!(other.contains("image = \"r/custom:8\""), "{other}");

    write(&user, "other.yaml", "admin:\n  endpoint: dns:///localhost:1\nimage:\n  image_refs:\n    near: r/near:1\n");
    let refused = user.flyte(&[&asked[..], &PLACE].concat(), 1).stderr;
    assert!(refused.contains("called `custom`") && refused.contains("`near`"), "{refused}");
}

/// At least what the SDK packs: with ruff it follows imports inside of functions, and without it does not.
#[test]
fn modules_that_are_imported_later_are_packed() {
    let text = "from typing import TYPE_CHECKING\nfrom flyte.app import AppEnvironment\n\
                if TYPE_CHECKING:\n    import kinds\n\
                env = AppEnvironment(name='web', image='i:1')\n\
                @env.server\ndef serve():\n    import lazy_helper\n    from pages import index\n    import torch\n    import vendored.tool\n";
    let user = with_file("app.py", text);
    for (path, text) in [
        ("kinds.py", ""),
        ("lazy_helper.py", "def run():\n    from deeper.inner import x\n"),
        ("deeper/__init__.py", ""),
        ("deeper/inner.py", "from . import beside\nfrom .. import above\n"),
        ("deeper/beside.py", ""),
        ("pages/index.py", ""),
        ("pages/unused.py", ""),
        ("libraries/vendored/__init__.py", ""),
        ("libraries/vendored/tool.py", ""),
        ("unused.py", ""),
    ] {
        write(&user, path, text);
    }
    let expected = [
        "app.py",
        "deeper/__init__.py",
        "deeper/beside.py",
        "deeper/inner.py",
        "kinds.py",
        "lazy_helper.py",
        "libraries/vendored/__init__.py",
        "libraries/vendored/tool.py",
        "pages/index.py",
    ];
    assert_eq!(app(&manifest(&user, "app.py"), "web")["include"], serde_json::json!(expected));
}

#[test]
fn what_else_is_on_the_path_of_a_machine_plays_no_part() {
    let text = "import flyte\nfrom flyte.app import AppEnvironment\nimport helper\n\
                flyte.init(endpoint='dns:///localhost:1', insecure=True, project='p', domain='d')\n\
                env = AppEnvironment(name='web', image='i:1')\n@env.server\ndef serve(): pass\n";
    let user = with_file("src/app.py", text);
    write(&user, "src/helper.py", "");
    write(&user, "tools/own.py", "");
    let with_path = |path: &str| {
        let args = [&["import", "--python", "src/app.py"][..], &PLACE].concat();
        let mut command = program::command(user.home.path(), user.tree.path(), &args);
        let path = user.tree.path().join(path);
        command.env("VIRTUAL_ENV", user.python.home()).env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONPATH", path);
        process::run(command, super::WITHIN).expect(0).stdout
    };
    let usual = with_path("nothing");
    assert_eq!(app(&usual, "web")["env"], serde_json::json!({ "_F_SYS_PATH": "./src" }));
    assert_eq!(with_path("tools"), usual);
}

#[test]
fn a_subdomain_is_made_anew_in_each_project() {
    let text = "from flyte.app import AppEnvironment, Domain, Subdomain\n\
                def app(name, **more): return AppEnvironment(name=name, image='i:1', args='x', domain=Domain(\n\
                subdomain=Subdomain.from_app_name('shop', **more)))\n\
                a = app('a')\nb = app('b', project_domain_suffix='default')\n";
    let found = manifest(&with_file("shop.py", text), "shop.py");
    assert_eq!(app(&found, "a")["ingress"]["subdomain"], serde_json::json!({ "app_name": "shop" }));
    let expected = serde_json::json!({ "app_name": "shop", "project_domain_suffix": "default" });
    assert_eq!(app(&found, "b")["ingress"]["subdomain"], expected);
}
