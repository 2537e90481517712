//! Every example runs for real, on both profiles of the control plane.

use std::process::Command;

use super::desk::Desk;

fn check(name: &str, prepare: impl Fn(&Desk)) {
    for profile in ["full", "oss"] {
        let desk = Desk::example(name);
        prepare(&desk);
        desk.flyte(&["local", "start", "--profile", profile]).expect(0);
        desk.flyte(&["apply", "--yes"]).expect(0);
        let plan = desk.flyte(&["plan", "--detailed-exitcode"]);
        assert_eq!(plan.code, 0, "{name} on {profile}\n{}{}", plan.stdout, plan.stderr);
    }
}

#[test]
fn quickstart() {
    check("quickstart", |_| {});
}

#[test]
fn monorepo() {
    check("monorepo", |_| {});
}

#[test]
fn rust_app() {
    check("rust-app", |desk| {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--release", "--offline"])
            .current_dir(desk.tree())
            // It is built for this machine, into its own directory.
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("CARGO_BUILD_TARGET_DIR")
            .env_remove("CARGO_BUILD_TARGET")
            .env_remove("RUSTFLAGS")
            .output()
            .unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    });
}
