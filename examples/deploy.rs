//! Deploys the quickstart with the library, and prints name, status and URL of each app.
//!
//! ```console
//! $ cargo run --example deploy
//! ```

#![expect(clippy::disallowed_methods, reason = "a program reads its own environment")]

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use flyte::apply::Options;
use flyte::cli::{self, UserTargets};
use flyte::client::Registries;
use flyte::host::{Cache, RealFiles, RealStores, SystemClock};
use flyte::pipeline::{self, Request};
use flyte::port::{NoEvents, Ports};

fn main() -> ExitCode {
    // The embedded control plane runs in a process of its own: this program, started again as `deploy local serve`.
    if env::args().nth(1).as_deref() == Some("local") {
        return cli::run().into();
    }
    match deploy() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("failed to deploy: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every app got where it should be.
#[tokio::main]
async fn deploy() -> Result<bool, Box<dyn Error>> {
    let ports = Ports {
        files: Arc::new(RealFiles::new(Cache::of_user(&env::vars().collect()))),
        clock: Arc::new(SystemClock),
        targets: Arc::new(UserTargets::of_user()?),
        events: Arc::new(NoEvents),
        releases: Arc::new(RealStores::new(env::vars().collect())),
        registry: Arc::new(Registries::new(env::vars().collect())),
    };
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart");
    let report = pipeline::deploy(&ports, &Request { manifest, ..Request::default() }, &Options::default()).await?;
    for app in &report.apps {
        println!("{:10}  {:10}  {}", app.name, app.status.as_str(), app.url.as_deref().unwrap_or("-"));
    }
    Ok(report.outcome.is_success())
}
