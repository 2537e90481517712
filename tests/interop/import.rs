//! Python files of the SDK as manifests: what we make of them is what the SDK itself sends.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{self, Finished};
use crate::program;
use crate::python::{self, Packages, Python};

mod lost;
mod same;

const WITHIN: Duration = Duration::from_secs(120);

struct User {
    python: Python,
    home: TempDir,
    tree: TempDir,
}

impl User {
    /// With nothing.
    fn new() -> Self {
        Self {
            python: Python::with(Packages::Sdk),
            home: tempfile::tempdir().expect("a temporary directory"),
            tree: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    /// With a copy of a directory of scripts.
    fn with(directory: &str) -> Self {
        let user = Self::new();
        copy(&python::sources().join(directory), user.tree.path());
        user
    }

    #[track_caller]
    fn flyte(&self, args: &[&str], code: i32) -> Finished {
        let mut command = program::command(self.home.path(), self.tree.path(), args);
        command.env("VIRTUAL_ENV", self.python.home()).env("PYTHONDONTWRITEBYTECODE", "1");
        process::run(command, WITHIN).expect(code)
    }
}

impl Drop for User {
    fn drop(&mut self) {
        drop(process::run(program::command(self.home.path(), self.tree.path(), &["local", "stop"]), WITHIN));
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("it is a directory") {
        let path = entry.expect("it can be read").path();
        let target = to.join(path.file_name().expect("it has a name"));
        if path.is_dir() {
            fs::create_dir(&target).expect("a directory is made");
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a file is copied");
        }
    }
}

#[test]
fn a_python_file_becomes_a_manifest_that_asks_for_the_same() {
    let user = User::with("declared");
    let place = ["--project", "shop", "--domain", "development"];
    let imported = user.flyte(&[&["import", "--python", "apps.py"][..], &place].concat(), 0);
    let expected = include_str!("declared.toml");
    similar_asserts::assert_eq!(imported.stdout, expected, "{}", imported.stderr);
    assert_eq!(imported.stderr, "");

    // One variable, and what it depends on.
    let some = user.flyte(&[&["import", "--python", "apps.py:page", "--out", "flyte.toml"][..], &place].concat(), 0);
    assert_eq!(some.stdout, "wrote flyte.toml: 2 apps\n");
    user.flyte(&["validate"], 0);
    // Never over what is there.
    user.flyte(&[&["import", "--python", "apps.py", "--out", "flyte.toml"][..], &place].concat(), 1);
}

#[test]
fn what_cannot_be_loaded_is_told() {
    let user = User::with("declared");
    let place = ["--project", "shop", "--domain", "development"];
    let import = |file: &str| user.flyte(&[&["import", "--python", file][..], &place].concat(), 1).stderr;
    let told = import("apps.py:pages");
    assert!(told.contains("`pages` is no app environment") && told.contains("catalogue, page, proxy"), "{told}");
    fs::write(user.tree.path().join("broken.py"), "import nowhere_to_be_found\n").expect("a file is written");
    let told = import("broken.py");
    assert!(told.contains("No module named 'nowhere_to_be_found'"), "{told}");
    fs::write(user.tree.path().join("ends.py"), "raise SystemExit(3)\n").expect("a file is written");
    assert!(import("ends.py").contains("SystemExit"), "{}", import("ends.py"));
    assert!(import("absent.py").contains("there is no file"));

    let bare = Python::with(Packages::Messages);
    let args = [&["import", "--python", "apps.py"][..], &place].concat();
    let mut command = program::command(user.home.path(), user.tree.path(), &args);
    command.env("VIRTUAL_ENV", bare.home());
    let told = process::run(command, WITHIN).expect(1).stderr;
    assert!(told.contains("pip install flyte"), "{told}");
}

#[test]
fn a_python_file_is_deployed_in_one_step() {
    let user = User::with("shop");
    // Nobody has made the secret here.
    let file = user.tree.path().join("apps.py");
    let text = fs::read_to_string(&file).expect("it was copied");
    let without: String =
        text.lines().filter(|line| !line.contains("secrets=")).map(|line| format!("{line}\n")).collect();
    fs::write(&file, without).expect("a file is written");
    let deploy = |more: &[&str], code: i32| {
        let place = ["--project", "flytesnacks", "--domain", "development", "--yes"];
        user.flyte(&[&["deploy", "apps.py"][..], &place, more].concat(), code)
    };
    let first = deploy(&[], 0);
    assert!(first.stdout.contains("2 created"), "{}", first.account());
    let second = deploy(&["--json"], 0).json();
    assert_eq!((&second["written"], &second["plan"]["counts"]["unchanged"]), (&0.into(), &2.into()), "{second}");

    // The live apps, written down, are what runs; their code is named by its address.
    let live = user.flyte(&["import", "--project", "flytesnacks", "--domain", "development", "--json"], 0).json();
    assert_eq!(live["differences"], serde_json::json!([]), "{live}");
    assert_eq!(live["manifest"].as_str().expect("a text").matches("code_bundle = ").count(), 2, "{live}");

    // By the variable, as the SDK's command has it.
    let some = deploy(&["backend", "--json"], 0).json();
    assert_eq!(some["plan"]["counts"]["unchanged"], 1, "{some}");
}

/// A directory of the user's with one file of apps.
fn with_file(path: &str, text: &str) -> User {
    let user = User::new();
    write(&user, path, text);
    user
}

fn write(user: &User, path: &str, text: &str) {
    let path = user.tree.path().join(path);
    fs::create_dir_all(path.parent().expect("it lies in the tree")).expect("a directory is made");
    fs::write(path, text).expect("a file is written");
}

const PLACE: [&str; 4] = ["-p", "flytesnacks", "-d", "development"];

#[test]
fn modules_beside_a_file_are_found_as_with_the_sdk() {
    let text = "from flyte.app import AppEnvironment\nimport helper\nenv = AppEnvironment(name='web', image='i:1')\n\
                @env.server\ndef serve(): pass\n";
    let user = with_file("src/apps.py", text);
    write(&user, "src/helper.py", "");
    let mut sdk = user.python.program("python", user.home.path());
    sdk.current_dir(user.tree.path()).args([
        "-c",
        "from pathlib import Path; from flyte._utils import module_loader as m\n\
         m._load_module_from_file(Path('src/apps.py').resolve()); print(m.local_sys_paths_env(Path('.')))",
    ]);
    let told = process::run(sdk, WITHIN).expect(0).stdout;
    assert_eq!(told.trim(), "{'_F_SYS_PATH': './src'}");
    let imported = user.flyte(&[&["import", "--python", "src/apps.py"][..], &PLACE].concat(), 0).stdout;
    assert!(imported.contains("env = { _F_SYS_PATH = \"./src\" }"), "{imported}");

    // The manifest stands where modules are named from.
    let elsewhere = ["import", "--python", "src/apps.py", "--out", "deploy/flyte.toml"];
    let told = user.flyte(&[&elsewhere[..], &PLACE].concat(), 1).stderr;
    assert!(told.contains("--out flyte.toml"), "{told}");
    user.flyte(&[&["import", "--python", "src/apps.py", "--out", "here.toml"][..], &PLACE].concat(), 0);
    user.flyte(&["validate", "--manifest", "here.toml"], 0);
}

#[test]
fn arguments_keep_what_the_shell_makes_of_them() {
    let text = "from flyte.app import AppEnvironment\n\
                def app(name, args): return AppEnvironment(name=name, image='i:1', args=args)\n\
                a = app('assigns', 'FOO=1 python x.py')\n\
                b = app('literal', ['echo', \"'$HOME'\"])\n\
                c = app('plain', ['python', 'x.py', '--port=8080', \"'a b'\"])\n";
    let user = with_file("apps.py", text);
    let imported = user.flyte(&[&["import", "--python", "apps.py", "--json"][..], &PLACE].concat(), 0).json();
    assert_eq!(imported["differences"], serde_json::json!([]), "{imported}");
    let text = imported["manifest"].as_str().expect("a text");
    for expected in [
        "args = [\"sh\", \"-c\", \"FOO=1 python x.py\"]",
        "args = [\"sh\", \"-c\", \"echo '$HOME'\"]",
        "args = [\"python\", \"x.py\", \"--port=8080\", \"a b\"]",
    ] {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn an_endpoint_of_an_app_of_another_file_is_external() {
    let text = "from flyte.app import AppEndpoint, AppEnvironment, Parameter\n\
                def app(name, **more): return AppEnvironment(\n\
                name=name, image='i:1', args=['python3', '-m', 'http.server', '$PORT'], **more)\n";
    let uses = "web = app('web', parameters=[Parameter(\n\
                name='SEARCH_URL', value=AppEndpoint(app_name='search', public=True), env_var='SEARCH_URL')])\n";
    let user = with_file("shop/apps.py", &format!("{text}{uses}"));
    write(&user, "search/search.py", &format!("{text}search = app('search')\n"));
    let imported = user.flyte(&[&["import", "--python", "shop/apps.py", "--json"][..], &PLACE].concat(), 0).json();
    assert_eq!(imported["unsaid"], serde_json::json!([]), "{imported}");
    assert_eq!(imported["differences"], serde_json::json!([]), "{imported}");
    let expected = "SEARCH_URL = { endpoint = \"search\", public = true, external = true }\n";
    assert!(imported["manifest"].as_str().expect("a text").contains(expected), "{imported}");

    let deploy = |args: &[&str], code: i32| user.flyte(&[&["deploy"][..], args, &PLACE, &["--yes"]].concat(), code);
    let refused = deploy(&["shop/apps.py", "web"], 1);
    assert!(refused.stderr.contains("there is no app `search`"), "{}", refused.account());
    deploy(&["search/search.py"], 0);
    let deployed = deploy(&["shop/apps.py", "web"], 0);
    assert!(deployed.stdout.contains("1 created"), "{}", deployed.account());
    let again = deploy(&["shop/apps.py", "--json"], 0).json();
    assert_eq!(again["plan"]["counts"]["unchanged"], 1, "{again}");
}

#[test]
fn one_app_of_a_file_is_deployed_whatever_the_others_are() {
    let text = "from flyte.app import AppEnvironment\n\
                def app(name, args, **more): return AppEnvironment(name=name, image='i:1', args=args, **more)\n\
                good = app('good', ['python3', '-m', 'http.server', '$PORT'])\n\
                shell = app('shell', 'X=1 python3 -m http.server $PORT')\n\
                lost = app('lost', ['x'], description='x' * 101)\n\
                needs = app('needs', ['x'], depends_on=[lost])\n";
    let user = with_file("a/app.py", text);
    let deploy = |file: &str, more: &[&str], code: i32| {
        user.flyte(&[&["deploy", file][..], &PLACE, &["--yes"], more].concat(), code)
    };
    let refused = deploy("a/app.py", &[], 1);
    assert!(refused.stderr.contains("`lost`: spec.profile.short_description"), "{}", refused.account());
    deploy("a/app.py", &["needs"], 1);
    let deployed = deploy("a/app.py", &["good", "shell"], 0);
    assert!(deployed.stderr.contains("`shell`: spec.container.args"), "{}", deployed.account());
    assert!(!deployed.stderr.contains("`lost`"), "{}", deployed.account());

    // Another file of this name knows nothing of them.
    let text = "from flyte.app import AppEnvironment\n\
                b = AppEnvironment(name='b', image='i:1', args=['python3', '-m', 'http.server', '$PORT'])\n";
    write(&user, "b/app.py", text);
    let other = deploy("b/app.py", &[], 0);
    assert!(!other.stdout.contains("good"), "{}", other.account());
    assert!(deploy("b/app.py", &["--prune"], 1).stderr.contains("a Python file"));
}

/// Beyond their name, files are told apart by where they lie in a repository.
#[test]
fn a_file_does_not_take_over_what_another_of_its_name_has_deployed() {
    let text = "from flyte.app import AppEnvironment\n\
                web = AppEnvironment(name='web', image='i:1', args=['python3', '-m', 'http.server', '$PORT'])\n";
    let user = with_file("a/app.py", text);
    write(&user, "b/app.py", text);
    let git = |args: &[&str]| {
        let status = std::process::Command::new("git").arg("-C").arg(user.tree.path()).args(args).status();
        assert!(status.expect("git runs").success());
    };
    git(&["init", "-q"]);
    let deploy = |file: &str, more: &[&str], code: i32| {
        user.flyte(&[&["deploy", file][..], &PLACE, &["--yes"], more].concat(), code)
    };
    deploy("a/app.py", &[], 0);
    let refused = deploy("b/app.py", &[], 1);
    assert!(refused.account().contains("a-app"), "{}", refused.account());
    // It is the same file from another directory, though its modules are named otherwise there.
    let mut again = program::command(user.home.path(), &user.tree.path().join("a"), &["deploy", "app.py", "--yes"]);
    again.args(PLACE).env("VIRTUAL_ENV", user.python.home()).env("PYTHONDONTWRITEBYTECODE", "1");
    assert!(process::run(again, WITHIN).expect(0).stdout.contains("updated"));
}

/// With the SDK's own `fserve`: parameters, other modules and endpoints come as on a cluster.
#[test]
fn objects_of_the_sdk_are_served_on_this_machine() {
    let text = "import http.server, os, urllib.request\n\
                from flyte.app import AppEndpoint, AppEnvironment, Parameter\n\
                from helper import said\n\
                def answer(text):\n\
                \x20   class Handler(http.server.BaseHTTPRequestHandler):\n\
                \x20       def do_GET(self):\n\
                \x20           body = text().encode()\n\
                \x20           self.send_response(200)\n\
                \x20           self.send_header('content-length', str(len(body)))\n\
                \x20           self.end_headers()\n\
                \x20           self.wfile.write(body)\n\
                \x20   http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()\n\
                back = AppEnvironment(name='back', image='i:1',\n\
                \x20   parameters=[Parameter(name='greeting', value='hello', env_var='GREETING')])\n\
                @back.server\n\
                def serve_back(greeting: str): answer(lambda: said(greeting + os.environ['GREETING']))\n\
                front = AppEnvironment(name='front', image='i:1', depends_on=[back], parameters=[\n\
                \x20   Parameter(name='url', value=AppEndpoint(app_name='back')),\n\
                \x20   Parameter(name='public', value=AppEndpoint(app_name='back', public=True))])\n\
                @front.server\n\
                def serve_front(url: str, public: str):\n\
                \x20   answer(lambda: ' '.join(urllib.request.urlopen(at).read().decode() for at in (url, public)))\n";
    let user = with_file("app.py", text);
    write(&user, "helper.py", "def said(text): return f'({text})'\n");
    let deploy = || user.flyte(&[&["deploy", "app.py", "--yes", "--json"][..], &PLACE].concat(), 0).json();
    let deployed = deploy();
    let apps = deployed["apps"].as_array().expect("a list");
    let front = apps.iter().find(|app| app["name"] == "front").expect("it was deployed");
    let fetch = || {
        let mut script = user.python.program("python", user.home.path());
        let url = front["url"].as_str().expect("a text");
        script.args([
            "-c",
            "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())",
            url,
        ]);
        process::run(script, WITHIN).expect(0).stdout
    };
    assert_eq!(fetch(), "(hellohello) (hellohello)\n");

    write(&user, "helper.py", "def said(text): return f'[{text}]'\n");
    deploy();
    assert_eq!(fetch(), "[hellohello] [hellohello]\n");

    // Where there is no SDK, that is said.
    user.flyte(&["local", "stop"], 0);
    let bare = user.home.path().join("bin");
    fs::create_dir(&bare).expect("a directory is made");
    std::os::unix::fs::symlink("/bin/sh", bare.join("sh")).expect("a link is made");
    let mut start = program::command(user.home.path(), user.tree.path(), &["local", "start"]);
    start.env("PATH", &bare).env_remove("VIRTUAL_ENV");
    process::run(start, WITHIN).expect(0);
    write(&user, "helper.py", "def said(text): return text\n");
    let refused = user.flyte(&[&["deploy", "app.py", "--yes"][..], &PLACE].concat(), 4);
    assert!(refused.account().contains("pip install flyte"), "{}", refused.account());
}
