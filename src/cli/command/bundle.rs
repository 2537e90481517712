//! `flyte bundle`: the files that would be packed for an app.

use crate::bundle::Bundle;
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Result};
use crate::diagnostic::printable;
use crate::pipeline;
use crate::report::{Paint, bytes};

/// How many of the largest files are named when a bundle is large.
const LARGEST: usize = 5;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(value_name = "APP")]
    app: String,
}

/// # Errors
/// The manifest has mistakes, the source cannot be packed, there is no such app, or it has no source.
pub fn run(context: &Context, args: &Args) -> Result<Answer> {
    let request = context.request(std::slice::from_ref(&args.app))?;
    let ports = context.ports()?;
    let project = pipeline::load(ports.files.as_ref(), &request)?;
    let bundles = pipeline::pack(&ports, &project)?;
    let packed = bundles.by_app.iter().find(|(name, _)| name.as_str() == args.app);
    let Some((_, bundle)) = packed else {
        return Err(Failure::new(format!("`{}` packs nothing: it has no `source`", args.app))
            .help("`flyte explain app.source` tells how to pack code"));
    };
    let answer = Answer::text(text(bundle, context.paint()));
    let answer = answer.with("app", &args.app).with("digest", bundle.digest).with("root", &bundle.root);
    let answer =
        answer.with("size_bytes", bundle.size()).with("files", &bundle.files).with("left_out", &bundle.left_out);
    Ok(answer.diagnostics(project.diagnostics))
}

fn text(bundle: &Bundle, paint: Paint) -> String {
    let width = bundle.files.iter().map(|file| bytes(file.size).len()).max().unwrap_or(0);
    let mut text = String::new();
    for file in &bundle.files {
        let mode = if file.executable { "*" } else { "" };
        text.push_str(&format!("{:>width$}  {}{mode}\n", bytes(file.size), printable(&file.path)));
    }
    for left in &bundle.left_out {
        text.push_str(&format!(
            "{}\n",
            paint.change(format!("not packed: {} {}", printable(&left.path), printable(&left.reason.to_string())))
        ));
    }
    let files = if bundle.files.len() == 1 { "file" } else { "files" };
    let digest = paint.dim(format!("{} in {}", bundle.digest.0.short(), bundle.root.display()));
    text.push_str(&format!("\n{} {files}, {}  {digest}\n", bundle.files.len(), bytes(bundle.size())));
    if bundle.is_large() {
        text.push_str(&paint.change("\nthis is much to upload; the largest files:\n"));
        for file in bundle.largest(LARGEST) {
            text.push_str(&format!("{:>10}  {}\n", bytes(file.size), printable(&file.path)));
        }
        text.push_str("`source.exclude` or a .flyteignore leaves files out\n");
    }
    text
}
