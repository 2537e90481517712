//! `flyte logs`: what an app wrote, and with `-f` what it writes.

use std::time::Duration;

use futures::StreamExt;
use futures::future::ready;
use serde_json::json;

use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::Result;
use crate::pipeline;
use crate::port::{LogLine, RpcCode, RpcError};
use crate::report::Paint;

/// How long the first line may take to come when the log is not followed.
const FIRST: Duration = Duration::from_secs(5);

/// The protocol does not mark the end of what was there already: a pause this long is taken for it.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(value_name = "APP")]
    app: String,

    /// Go on printing until Ctrl-C; with --json one document per line
    #[arg(short, long)]
    follow: bool,
}

/// # Errors
/// There is no such app; the control plane does not answer or ends the stream with an error.
pub fn run(context: &Context, args: &Args) -> Result<Answer> {
    let request = context.request(&[])?;
    let ports = context.ports()?;
    let paint = context.paint();
    context.wait(async {
        let (app, control_plane) = pipeline::find(&ports, &request, &args.app).await?;
        // The app is there: it is its replicas that are not found.
        let is_idle = |error: &RpcError| error.code == RpcCode::NotFound;
        let opened = match args.follow {
            true => control_plane.tail_logs(&app).await,
            false => control_plane.logs_so_far(&app).await,
        };
        let lines = match opened {
            Err(error) if is_idle(&error) => futures::stream::empty().boxed(),
            other => other?,
        };
        let mut lines = lines.take_while(|line| ready(!line.as_ref().is_err_and(is_idle)));
        if !args.follow {
            let mut found = Vec::new();
            let mut patience = FIRST;
            while let Ok(Some(line)) = tokio::time::timeout(patience, lines.next()).await {
                found.push(line.map_err(interrupted)?);
                patience = PAUSE;
            }
            if found.is_empty() {
                context.terminal.note(&format!("nothing to show: `{}` may be stopped, or scaled to zero\n", args.app));
            }
            let text: String = found.iter().map(|line| text(line, paint)).collect();
            return Ok(Answer::text(text).with("app", &args.app).with("lines", found));
        }
        while let Some(line) = lines.next().await {
            let line = line.map_err(interrupted)?;
            let told = if context.terminal.json {
                format!("{}\n", json!({ "format": 1, "command": "logs", "app": args.app, "line": line }))
            } else {
                text(&line, paint)
            };
            if !context.terminal.result_is_read(&told)? {
                break;
            }
        }
        Ok(Answer::nothing_more())
    })
}

fn interrupted(error: RpcError) -> crate::cli::failure::Failure {
    crate::cli::failure::Failure::from(error).while_doing("the log ended early")
}

fn text(line: &LogLine, paint: Paint) -> String {
    let told = line.text.trim_end_matches('\r');
    if line.system { format!("{}\n", paint.dim(told)) } else { format!("{told}\n") }
}
