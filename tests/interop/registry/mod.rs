//! Images in a registry that others have made: whether they are still there, and who is told what.

mod bed;
mod tokens;

use std::fs;
use std::path::Path;
use std::time::Duration;

use flyte::port::{Registry as _, Resolves};

use crate::process::{self, Finished};
use crate::program::{self, ControlPlane};
use bed::{Bed, Door, PASSWORD, is_there};

fn why(answer: Resolves) -> String {
    match answer {
        Resolves::Unknown(why) => why,
        other => panic!("that is known: {other:?}"),
    }
}

#[tokio::test]
async fn an_open_registry_tells_everybody() {
    if !is_there() {
        return;
    }
    let bed = Bed::start(Door::Open);
    let digest = bed.push("acme/web", "1").await;
    let kept = bed.push("acme/web", "2").await;
    let registries = bed.registries(None);
    let image = |version: &str| format!("{}/acme/web{version}", bed.address);
    assert_eq!(registries.resolves(&image(":1")).await, Resolves::Yes(digest.clone()));
    assert_eq!(registries.resolves(&image(&format!("@{digest}"))).await, Resolves::Yes(digest.clone()));
    assert_eq!(registries.resolves(&image("")).await, Resolves::No, "no tag `latest`");
    assert_eq!(registries.resolves(&format!("{}/acme/none:1", bed.address)).await, Resolves::No);
    bed.delete("acme/web", &digest).await;
    assert_eq!(registries.resolves(&image(":1")).await, Resolves::No);
    assert_eq!(registries.resolves(&image(&format!("@{digest}"))).await, Resolves::No);
    assert_eq!(registries.resolves(&image(&format!(":1@{kept}"))).await, Resolves::Yes(kept));
}

#[tokio::test]
async fn behind_a_door_only_who_has_a_key_knows() {
    if !is_there() {
        return;
    }
    for door in [Door::Password, Door::Token] {
        let by_token = matches!(door, Door::Token);
        let bed = Bed::start(door);
        let digest = bed.push("acme/web", "1").await;
        let (here, gone) = (format!("{}/acme/web:1", bed.address), format!("{}/acme/web:2", bed.address));
        let known = bed.registries(Some(PASSWORD));
        assert_eq!(known.resolves(&here).await, Resolves::Yes(digest));
        assert_eq!(known.resolves(&gone).await, Resolves::No);
        for stranger in [bed.registries(None), bed.registries(Some("wrong"))] {
            for image in [&here, &gone] {
                let told = why(stranger.resolves(image).await);
                assert!(told.contains("401 Unauthorized"), "{told}");
                assert!(!told.contains("wrong") && !told.contains("canary"), "{told}");
            }
        }
        assert_eq!(bed.secrets().len() > 2, by_token, "tokens were handed out");
    }
}

/// The manifest of an app with an image, for a control plane that is reached over the network.
fn declare(tree: &Path, control_plane: &ControlPlane, image: &str) {
    let text = format!(
        "name = \"shop\"\nproject = \"flytesnacks\"\ndomain = \"development\"\n\n[target.cluster]\nendpoint = \"http://{}\"\n\
         default = true\n\n[app.web]\nargs = [\"true\"]\nimage = \"{image}\"\nsource = \"code\"\n",
        control_plane.address
    );
    fs::write(tree.join("flyte.toml"), text).expect("a file is written");
    fs::create_dir_all(tree.join("code")).expect("a directory is made");
    fs::write(tree.join("code/main.py"), "print(1)\n").expect("a file is written");
}

#[tokio::test]
async fn an_apply_says_what_no_longer_resolves_and_a_rollback_is_refused() {
    if !is_there() {
        return;
    }
    let control_plane = ControlPlane::start("full");
    let bed = Bed::start(Door::Token);
    let home = tempfile::tempdir().expect("a temporary directory");
    let log_in = bed.log_in(PASSWORD);
    let mut told: Vec<Finished> = Vec::new();
    let flyte = |args: &[&str]| {
        let mut command = program::command(home.path(), home.path(), args);
        command.env("DOCKER_AUTH_CONFIG", &log_in);
        process::run(command, Duration::from_secs(120))
    };
    let image = |tag: &str| format!("{}/acme/web:{tag}", bed.address);
    let first = bed.push("acme/web", "1").await;
    bed.push("acme/web", "2").await;
    declare(home.path(), &control_plane, &image("1"));
    told.push(flyte(&["-vvv", "apply", "--yes"]).expect(0));

    // The image of before is there.
    declare(home.path(), &control_plane, &image("2"));
    let applied = flyte(&["-vvv", "apply", "--yes"]).expect(0);
    assert!(!applied.stdout.contains("warning"), "{}", applied.account());
    assert!(applied.stderr.contains("answer=Yes("), "{}", applied.account());
    told.push(applied);
    told.push(flyte(&["-vvv", "rollback", "web", "--yes"]).expect(0));

    // So is its code, of which nobody learns where it is.
    let last = told.last().expect("it was pushed");
    assert!(last.stderr.contains("presence of a bundle") && last.stderr.contains("status=200"), "{}", last.account());

    // It is gone while it runs.
    bed.delete("acme/web", &first).await;
    let applied = flyte(&["-vvv", "apply", "--yes"]).expect(0);
    let lost = format!("its image `{}` no longer resolves", image("1"));
    let words = applied.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("warning: `web` cannot be rolled back to "), "{}", applied.account());
    assert!(words.contains(&lost), "{}", applied.account());
    told.push(applied);
    let refused = flyte(&["-vvv", "rollback", "web", "--yes"]).expect(1);
    let words = refused.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    let error = format!("error: the image `{}` of `web` ", image("1"));
    assert!(words.contains(&error) && words.contains("no longer resolves"), "{}", refused.account());
    assert!(words.contains("help: push it to its registry again, or roll back to another version"), "{words}");
    assert!(refused.stdout.is_empty(), "no plan is shown: {}", refused.account());
    told.push(refused);

    for finished in &told {
        for secret in bed.secrets().into_iter().chain(["signature=".to_owned()]) {
            assert!(!finished.account().contains(&secret), "`{secret}` is said:\n{}", finished.account());
        }
    }
    // Where nobody can tell, nothing is said but to who asks for more, and nothing is refused.
    drop(bed);
    let silent = flyte(&["rollback", "web", "--yes"]).expect(0);
    assert!(!silent.account().contains("warning") && !silent.account().contains("resolve"), "{}", silent.account());
    let silent = flyte(&["-v", "apply", "--yes"]).expect(0);
    assert!(!silent.stdout.contains("warning"), "{}", silent.account());
    assert!(silent.stderr.contains("nobody can tell whether the image still resolves"), "{}", silent.account());
}
