//! `-v`: what is done, on stderr. Values of secrets are in no event; nothing here may add them.

use std::io;

use tracing_subscriber::EnvFilter;

/// Starts logging. `level` counts the `-v`; FLYTE_LOG, in the form of `tracing-subscriber`, decides alone if set.
pub fn start(level: u8, color: bool) {
    let chosen = std::env::var("FLYTE_LOG").ok().filter(|text| !text.is_empty());
    let filter = match (chosen, level) {
        (Some(text), _) => text,
        (None, 0) => return,
        (None, 1) => "flyte=info".into(),
        (None, 2) => "flyte=debug".into(),
        (None, _) => "flyte=trace,debug".into(),
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().parse_lossy(filter))
        .with_writer(io::stderr)
        .with_ansi(color)
        .with_target(level > 1)
        .init();
}
