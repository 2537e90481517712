//! Waiting until an app has become what a step wants, by evidence newer than the write.

use std::time::Duration;

use futures::future::{Either, select};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::outcome::GateResult;
use super::write::{Writer, Written};
use crate::canonical::{content, fingerprint};
use crate::model::{AppId, Fingerprint, LiveApp, State};
use crate::plan::Gate;
use crate::port::{Event, LogLine, RpcError, Update};
use crate::readiness::{Evidence, Verdict, judge};

/// How often the app is read besides being watched: servers drop events.
const POLL: Duration = Duration::from_secs(2);

/// How long an answer may be one of before our write. Source: the cache of the open-source server lives for 30 s.
const CACHED: Duration = Duration::from_secs(31);

/// How long an app created as stopped may be without a status.
const SETTLE: Duration = Duration::from_secs(5);

/// How long the control plane may be silent while a gate waits for it.
const SILENCE: Duration = Duration::from_secs(15);

/// How many reads in a row must have failed by then: one that is given no answer takes as long by itself.
const FAILURES: u32 = 3;

/// How many of an app's last lines are shown when its gate fails.
const LINES: usize = 20;

/// How long the last lines are collected for.
const LINES_WITHIN: Duration = Duration::from_secs(2);

/// A pause this long between lines is taken for the end of those that are there.
const QUIET: Duration = Duration::from_millis(300);

/// What the gate came to, and the app as last seen.
pub(super) struct Seen {
    pub result: GateResult,
    pub live: Option<LiveApp>,
}

/// Watches and polls until the gate passes, fails, or its time is over. An interrupt ends it at once.
pub(super) async fn wait(writer: &Writer<'_>, id: &AppId, gate: Gate, written: &Written) -> Seen {
    let started = writer.ports.clock.now();
    let ours = written.live.as_ref().map(Prints::of);
    let before = written.before.as_ref().map(Prints::of);
    let last = String::from("nothing yet");
    let evidence = written.evidence.clone();
    let mut waiting = Waiting { writer, id, gate, written, evidence, ours, before, started, last, live: None };
    let result = tokio::select! {
        biased;
        result = waiting.run() => Some(result),
        () = writer.interrupt.wait() => None,
    };
    let Waiting { last, live, .. } = waiting;
    Seen { result: result.unwrap_or(GateResult::Interrupted { last }), live }
}

/// A gate that is waited at.
struct Waiting<'a> {
    writer: &'a Writer<'a>,
    id: &'a AppId,
    gate: Gate,
    written: &'a Written,
    evidence: Evidence,
    /// What the app is since our write. `None`: we wrote nothing that stays.
    ours: Option<Prints>,
    before: Option<Prints>,
    started: Timestamp,
    /// What was last told about it.
    last: String,
    live: Option<LiveApp>,
}

impl<'a> Waiting<'a> {
    async fn run(&mut self) -> GateResult {
        let clock = &self.writer.ports.clock;
        let within = match self.gate {
            Gate::Open => Duration::ZERO,
            Gate::Ready { within } | Gate::Stopped { within } | Gate::Gone { within } => within,
        };
        // What was read back after the write is the first look.
        let mut fresh = match &self.written.live {
            Some(live) => Ok(Some(live.clone())),
            None => self.read().await,
        };
        let (mut heard, mut failures) = (self.elapsed(), 0);
        let mut updates = None;
        loop {
            match fresh {
                Ok(now) => {
                    (heard, failures) = (self.elapsed(), 0);
                    if let Some(result) = self.look(now) {
                        return result;
                    }
                }
                Err(error) => {
                    failures += 1;
                    if failures >= FAILURES && self.elapsed().saturating_sub(heard) >= SILENCE {
                        return GateResult::Unreachable { error };
                    }
                }
            }
            let left = within.saturating_sub(self.elapsed());
            if left.is_zero() {
                return GateResult::TimedOut { last: std::mem::take(&mut self.last) };
            }
            let watch = updates.get_or_insert_with(|| self.watch());
            tokio::select! {
                biased;
                update = watch.next() => match update {
                    Some(Ok(Update::Is(app))) => fresh = Ok(Some(LiveApp(*app))),
                    Some(Ok(Update::Gone)) => fresh = Ok(None),
                    // Polling goes on without it, and it is opened again afterwards.
                    Some(Err(_)) | None => {
                        clock.sleep(POLL.min(left)).await;
                        fresh = self.read().await;
                        updates = None;
                    }
                },
                () = clock.sleep(POLL.min(left)) => fresh = self.read().await,
            }
        }
    }

    fn elapsed(&self) -> Duration {
        let now = self.writer.ports.clock.now();
        Duration::try_from(now.duration_since(self.started)).unwrap_or_default()
    }

    /// The states of the app from now on. It is opened with the first of them: a server may send its headers only
    /// then, and opening must not hold up polling.
    fn watch(&self) -> BoxStream<'a, Result<Update, RpcError>> {
        futures::stream::once(self.writer.control_plane.watch(self.id)).try_flatten().boxed()
    }

    async fn read(&self) -> Reading {
        self.writer.control_plane.get(self.id).await.map(|app| app.map(LiveApp))
    }

    /// Takes note of the app as it is now; what that means for the gate, if it means an end.
    fn look(&mut self, now: Option<LiveApp>) -> Option<GateResult> {
        self.live = now;
        if self.live.as_ref().is_some_and(|live| self.is_replaced(live)) {
            return Some(GateResult::Overtaken { state: "changed".to_owned() });
        }
        if let Some(live) = self.live.as_ref().filter(|_| self.elapsed() < CACHED) {
            self.evidence.look(live);
        }
        let verdict = match &self.live {
            Some(live) if self.is_old(live) || self.has_status_of_before(live) || self.is_older_than_plan(live) => {
                Verdict::not_shown()
            }
            live => judge(live.as_ref(), &self.evidence),
        };
        let result = decide(self.gate, &verdict, self.elapsed());
        let status = status_of(&verdict);
        if result.is_none() && status != self.last {
            self.writer.ports.events.tell(Event::Waiting { app: self.id.name.clone(), status: status.clone() });
            self.last = status;
        }
        result
    }

    /// Whether somebody wrote something else after us.
    fn is_replaced(&self, live: &LiveApp) -> bool {
        let Some(ours) = &self.ours else { return false };
        content(&live.0) != ours.content && !self.is_old(live) && live.revision() >= self.evidence.revision
    }

    /// Whether an answer may be one of before our write: without revisions, it shows the app as it was, and caches have
    /// not run out.
    fn is_old(&self, live: &LiveApp) -> bool {
        let (Some(ours), Some(before)) = (&self.ours, &self.before) else { return false };
        let now = Prints::of(live);
        live.revision().0 == 0 && now == *before && now != *ours && self.elapsed() < CACHED
    }

    /// Whether an app that we do not write and that was planned on as running shows as stopped: so it was before a write
    /// that nobody lived to see, as far as a cache can tell.
    fn is_older_than_plan(&self, live: &LiveApp) -> bool {
        self.ours.is_none()
            && matches!(self.gate, Gate::Ready { .. })
            && live.revision().0 == 0
            && live.is_stopped()
            && self.elapsed() < CACHED
    }

    /// Whether the status is the one that was read back right after an update. A new version is not there that fast: it
    /// is of the version before, and became what it is after we had looked last.
    fn has_status_of_before(&self, live: &LiveApp) -> bool {
        let read_back = self.written.live.as_ref().and_then(LiveApp::condition);
        let may_be_old = live.revision().0 == 0 && self.before.is_some() && self.elapsed() < CACHED;
        may_be_old
            && matches!(self.gate, Gate::Ready { .. })
            && matches!(live.state(), State::Active | State::ScaledToZero | State::Failed | State::Stopped)
            && live.condition() == read_back
    }
}

/// What an app is, and the same together with whether it is to run.
#[derive(PartialEq)]
struct Prints {
    content: Fingerprint,
    whole: Fingerprint,
}

impl Prints {
    fn of(live: &LiveApp) -> Self {
        Self { content: content(&live.0), whole: fingerprint(&live.0) }
    }
}

/// An app that was just created as stopped, with its first status if it gets one soon. A server that starts it says so.
pub(super) async fn first_status(writer: &Writer<'_>, id: &AppId, now: LiveApp) -> LiveApp {
    if now.condition().is_some() {
        return now;
    }
    let shown = async {
        let mut updates = futures::stream::once(writer.control_plane.watch(id)).try_flatten().boxed();
        while let Some(Ok(Update::Is(app))) = updates.next().await {
            if !app.status.conditions.is_empty() {
                return Some(LiveApp(*app));
            }
        }
        futures::future::pending().await
    };
    tokio::select! {
        biased;
        live = shown => live.unwrap_or(now),
        () = writer.interrupt.wait() => now,
        () = writer.ports.clock.sleep(SETTLE) => writer.control_plane.get(id).await.ok().flatten().map_or(now, LiveApp),
    }
}

/// An app as read, or why it could not be.
type Reading = Result<Option<LiveApp>, RpcError>;

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
            // The first of them takes as long as the server does.
            loop {
                let patience = if lines.is_empty() { LINES_WITHIN } else { QUIET };
                let quiet = writer.ports.clock.sleep(patience);
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
