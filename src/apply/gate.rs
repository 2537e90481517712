//! Waiting until an app has become what a step wants, by evidence newer than the write.

use std::time::Duration;

use futures::StreamExt;
use futures::future::{Either, select};

use super::outcome::GateResult;
use super::write::Writer;
use crate::model::{AppId, LiveApp};
use crate::plan::Gate;
use crate::port::{Event, LogLine, RpcError, Update, Updates};
use crate::readiness::{Evidence, Verdict, judge};

/// How often the app is read besides being watched: servers drop events.
const POLL: Duration = Duration::from_secs(2);

/// How long the control plane may be silent while a gate waits for it.
const SILENCE: Duration = Duration::from_secs(15);

/// How many of an app's last lines are shown when its gate fails.
const LINES: usize = 20;

/// How long the last lines are collected for.
const LINES_WITHIN: Duration = Duration::from_secs(2);

/// What the gate came to, and the app as last seen.
pub(super) struct Seen {
    pub result: GateResult,
    pub live: Option<LiveApp>,
}

/// Watches and polls until the gate passes, fails, or its time is over.
pub(super) async fn wait(writer: &Writer<'_>, id: &AppId, gate: Gate, evidence: &Evidence) -> Seen {
    let clock = &writer.ports.clock;
    let started = clock.now();
    let within = match gate {
        Gate::Open => Duration::ZERO,
        Gate::Ready { within } | Gate::Stopped { within } | Gate::Gone { within } => within,
    };
    let elapsed = || Duration::try_from(clock.now().duration_since(started)).unwrap_or_default();
    let mut updates = open(writer, id).await;
    let mut last = String::from("nothing yet");
    let mut live = None;
    let mut heard = elapsed();
    let mut fresh = read(writer, id).await;
    loop {
        if let Ok(now) = fresh {
            live = now;
            heard = elapsed();
            let verdict = judge(live.as_ref(), evidence);
            if let Some(result) = decide(gate, &verdict, elapsed()) {
                return Seen { result, live };
            }
            let status = status_of(&verdict);
            if status != last {
                writer.ports.events.tell(Event::Waiting { app: id.name.clone(), status: status.clone() });
                last = status;
            }
        } else if let Err(Some(error)) = fresh
            && elapsed().saturating_sub(heard) >= SILENCE
        {
            return Seen { result: GateResult::Unreachable { error }, live };
        }
        if elapsed() >= within {
            return Seen { result: GateResult::TimedOut { last }, live };
        }
        let pause = POLL.min(within.saturating_sub(elapsed())).max(Duration::from_millis(1));
        tokio::select! {
            biased;
            () = writer.interrupt.wait() => return Seen { result: GateResult::Interrupted { last }, live },
            next = next(&mut updates) => fresh = next,
            () = clock.sleep(pause) => {
                fresh = read(writer, id).await;
                if updates.is_none() {
                    updates = open(writer, id).await;
                }
            }
        }
    }
}

/// The watch, or `None` where it cannot be opened; polling goes on without it.
async fn open(writer: &Writer<'_>, id: &AppId) -> Option<Updates> {
    // A server may send its headers only with the first event, so opening must not hold up polling.
    let opening = Box::pin(writer.control_plane.watch(id));
    match select(opening, writer.ports.clock.sleep(Duration::from_millis(500))).await {
        Either::Left((Ok(updates), _)) => Some(updates),
        Either::Left((Err(_), _)) | Either::Right(_) => None,
    }
}

/// An app as read, or why it could not be: `Err(None)` where a watch merely ended.
type Reading = Result<Option<LiveApp>, Option<RpcError>>;

/// The next state of the watch; never resolves without one.
async fn next(updates: &mut Option<Updates>) -> Reading {
    let Some(stream) = updates else { return std::future::pending().await };
    match stream.next().await {
        Some(Ok(Update::Is(app))) => Ok(Some(LiveApp(*app))),
        Some(Ok(Update::Gone)) => Ok(None),
        Some(Err(_)) | None => {
            *updates = None;
            Err(None)
        }
    }
}

async fn read(writer: &Writer<'_>, id: &AppId) -> Reading {
    writer.control_plane.get(id).await.map(|app| app.map(LiveApp)).map_err(Some)
}

fn decide(gate: Gate, verdict: &Verdict, waited: Duration) -> Option<GateResult> {
    let passed = Some(GateResult::Passed { waited });
    let overtaken = |state: &str| Some(GateResult::Overtaken { state: state.to_owned() });
    match (gate, verdict) {
        (Gate::Open, _)
        | (Gate::Ready { .. }, Verdict::Ready)
        | (Gate::Stopped { .. }, Verdict::Stopped)
        | (Gate::Gone { .. }, Verdict::Gone) => passed,
        (Gate::Ready { .. }, Verdict::Failed { reason }) => Some(GateResult::Failed { last: reason.clone() }),
        (Gate::Ready { .. }, Verdict::Stopped) => overtaken("stopped"),
        (Gate::Ready { .. } | Gate::Stopped { .. }, Verdict::Gone) => overtaken("deleted"),
        _ => None,
    }
}

fn status_of(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Ready => "running".into(),
        Verdict::Pending { status } => status.clone(),
        Verdict::Failed { reason } => reason.to_string(),
        Verdict::Stopped => "stopped".into(),
        Verdict::Gone => "gone".into(),
    }
}

/// The last lines of an app, as far as they can be had quickly.
pub(super) async fn last_lines(writer: &Writer<'_>, id: &AppId) -> Vec<LogLine> {
    let mut lines: std::collections::VecDeque<LogLine> = std::collections::VecDeque::new();
    let collect = async {
        if let Ok(mut stream) = writer.control_plane.tail_logs(id).await {
            // A tail goes on for ever: the lines that are there come at once, then it is silent.
            loop {
                let quiet = writer.ports.clock.sleep(Duration::from_millis(300));
                match select(stream.next(), quiet).await {
                    Either::Left((Some(Ok(line)), _)) => {
                        if lines.len() == LINES {
                            lines.pop_front();
                        }
                        lines.push_back(line);
                    }
                    _ => break,
                }
            }
        }
    };
    let _ = select(Box::pin(collect), writer.ports.clock.sleep(LINES_WITHIN)).await;
    lines.into()
}
