//! Images in a registry that others have made: whether they are still there, and who is told what.

mod bed;
mod tokens;

use flyte::port::{Registry as _, Resolves};

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
