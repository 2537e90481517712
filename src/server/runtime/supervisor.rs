//! Keeps one app running: at most one revision serves, at most one newer one is about to.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::core::Core;
use super::logs::AppLog;
use super::prepare::Hindrance;
use super::probe::Listening;
use super::process::{Process, Progress};
use super::slot::{Phase, Slot};
use super::workload::{Observation, Workload};
use crate::model::AppId;
use crate::server::ingress::{Route, Upstream};

/// How often a missing secret is looked for: someone may be about to create it.
const SECRET: Duration = Duration::from_secs(2);

/// How often anything else that hinders a start is tried again.
const HINDERED: Duration = Duration::from_secs(30);

pub enum Command {
    Set(Box<Workload>),
    Stop(oneshot::Sender<()>),
    Remove(oneshot::Sender<()>),
}

pub struct Supervisor {
    core: Arc<Core>,
    app: AppId,
    route: Arc<Route>,
    log: Arc<AppLog>,
    /// Serves, or is the only one.
    current: Option<Slot>,
    /// Takes over when it is ready.
    next: Option<Slot>,
    /// Processes that drain and end.
    retiring: JoinSet<()>,
    news: mpsc::UnboundedSender<(u64, Progress)>,
}

impl Supervisor {
    /// Starts the supervisor of an app. It ends, and its processes with it, when `commands` is closed.
    pub fn spawn(core: Arc<Core>, app: AppId, commands: mpsc::UnboundedReceiver<Command>) {
        let (news, progress) = mpsc::unbounded_channel();
        let (route, log) = (core.route(&app), core.log(&app));
        let supervisor = Self { core, app, route, log, current: None, next: None, retiring: JoinSet::new(), news };
        tokio::spawn(supervisor.run(commands, progress));
    }

    async fn run(
        mut self,
        mut commands: mpsc::UnboundedReceiver<Command>,
        mut progress: mpsc::UnboundedReceiver<(u64, Progress)>,
    ) {
        loop {
            let deadline = [&self.current, &self.next].into_iter().flatten().filter_map(Slot::deadline).min();
            let asleep = self.current.as_ref().is_some_and(|slot| matches!(slot.phase, Phase::Asleep));
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => break self.stop().await,
                },
                Some((generation, progress)) = progress.recv() => self.take_note(generation, progress),
                () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    self.on_time().await;
                }
                () = self.route.wanted(), if asleep => self.wake(),
                Some(_) = self.retiring.join_next(), if !self.retiring.is_empty() => self.sweep(),
            }
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Set(workload) => self.set(*workload).await,
            Command::Stop(done) => {
                self.stop().await;
                // Whoever asked may have gone.
                let _ = done.send(());
            }
            Command::Remove(done) => {
                self.stop().await;
                let directory = self.core.layout().app(&self.app);
                // What cannot be deleted is in nobody's way: a revision is never used for another.
                let _ = tokio::task::spawn_blocking(move || fs::remove_dir_all(directory)).await;
                self.log.delete();
                self.route.refuse("it was deleted");
                let _ = done.send(());
            }
        }
    }

    async fn set(&mut self, workload: Workload) {
        let newest = self.next.as_ref().or(self.current.as_ref()).map(|slot| slot.workload.revision);
        if newest.is_some_and(|newest| workload.revision <= newest) {
            return;
        }
        let workload = Arc::new(workload);
        if let Some(superseded) = self.next.take() {
            self.retire(superseded);
        }
        match self.current.take() {
            Some(current) if current.is_available() && current.fixed_port => {
                let log = "its port is fixed: the old process is stopped before the new one starts, requests wait";
                self.log.system(self.app.name.as_str(), log);
                self.route.hold();
                end(current).await;
                self.current = Some(self.start(workload));
            }
            Some(current) if current.is_available() => {
                self.current = Some(current);
                self.next = Some(self.start(workload));
            }
            unavailable => {
                if let Some(slot) = unavailable {
                    self.retire(slot);
                }
                // Requests that wait for a process, as in a cold start, wait on for the new one.
                if !self.route.is_held() {
                    self.route.refuse("it is starting");
                }
                self.route.set_timeout(workload.request_timeout);
                self.current = Some(self.start(workload));
            }
        }
    }

    fn start(&self, workload: Arc<Workload>) -> Slot {
        self.core.report(&self.app, workload.revision, Observation::Starting);
        let process = self.process(&workload, false);
        Slot::new(workload, process)
    }

    fn process(&self, workload: &Arc<Workload>, keep: bool) -> Process {
        Process::start(self.core.clone(), workload.clone(), self.log.clone(), keep, self.news.clone())
    }

    /// Ends both revisions and whatever still drains.
    async fn stop(&mut self) {
        let slots = [self.next.take(), self.current.take()];
        let revision = slots.iter().flatten().map(|slot| slot.workload.revision).max();
        if revision.is_some() {
            self.route.refuse("it is stopped");
        }
        for slot in slots.into_iter().flatten() {
            self.retire(slot);
        }
        while self.retiring.join_next().await.is_some() {}
        if let Some(revision) = revision {
            self.core.report(&self.app, revision, Observation::Stopped);
        }
    }

    /// Lets a revision drain and end, meanwhile. It gets no more requests.
    fn retire(&mut self, slot: Slot) {
        self.retiring.spawn(end(slot));
    }

    fn take_note(&mut self, generation: u64, progress: Progress) {
        let is_meant = |slot: &Option<Slot>| slot.as_ref().and_then(Slot::generation) == Some(generation);
        let is_next = is_meant(&self.next);
        let slot = if is_next { &mut self.next } else { &mut self.current };
        // News of a process that was given up meanwhile is no news.
        let Some(slot) = slot.as_mut().filter(|slot| slot.generation() == Some(generation)) else { return };
        let revision = slot.workload.revision;
        match progress {
            Progress::Started => {
                slot.started = true;
                if slot.tells_start() {
                    self.core.report(&self.app, revision, Observation::Initializing);
                }
            }
            Progress::Ready(listening) => self.switch(is_next, generation, listening),
            Progress::Ended(exit) => {
                let why = format!("its process {exit}");
                let observation = slot.ended(exit, self.core.config());
                let looping = matches!(observation, Observation::CrashLoop { .. });
                self.core.report(&self.app, revision, observation);
                if !is_next {
                    let then = if looping { ", again and again; its log may say why" } else { " and is started again" };
                    self.route.refuse(why + then);
                }
            }
            Progress::Hindered(hindrance) => {
                let (observation, retry_in, why) = told(hindrance);
                if let Some(observation) = slot.hindered(observation, retry_in) {
                    self.log.system(self.app.name.as_str(), &why);
                    self.core.report(&self.app, revision, observation);
                }
                if !is_next {
                    self.route.refuse(why);
                }
            }
        }
    }

    /// The traffic goes to the process that came up; what served before drains and ends.
    fn switch(&mut self, is_next: bool, generation: u64, listening: Listening) {
        if is_next {
            let former = std::mem::replace(&mut self.current, self.next.take());
            self.serve(generation, listening);
            if let Some(former) = former {
                self.retire(former);
            }
        } else {
            self.serve(generation, listening);
            self.sweep();
        }
    }

    fn serve(&mut self, generation: u64, listening: Listening) {
        let Some(current) = &mut self.current else { return };
        let upstream = Upstream::new(listening.address);
        current.fixed_port = listening.fixed;
        current.set_ready(upstream.clone());
        self.route.set_timeout(current.workload.request_timeout);
        self.route.serve(upstream);
        self.core.set_serving(&self.app, generation);
        self.core.report(&self.app, current.workload.revision, Observation::Ready { replicas: 1 });
    }

    async fn on_time(&mut self) {
        let now = Instant::now();
        for is_next in [false, true] {
            let slot = if is_next { &self.next } else { &self.current };
            let Some(slot) = slot else { continue };
            if matches!(slot.phase, Phase::Waiting { until } if until <= now) {
                if slot.tells_start() {
                    self.core.report(&self.app, slot.workload.revision, Observation::Starting);
                }
                let process = self.process(&slot.workload, slot.started);
                if let Some(slot) = if is_next { &mut self.next } else { &mut self.current } {
                    slot.phase = Phase::Running { process, ready: None };
                }
            }
        }
        self.sleep_if_idle().await;
    }

    /// Scales the app to zero if it served nothing for as long as its workload says.
    async fn sleep_if_idle(&mut self) {
        let Some(current) = &mut self.current else { return };
        let (Some(limit), Some(ready)) = (current.idle_limit(), current.ready()) else { return };
        if !self.route.hold_if_idle(&ready.upstream, limit) {
            return;
        }
        self.log.system(self.app.name.as_str(), format!("idle for {} s: scaled to zero", limit.as_secs_f32()));
        if let Phase::Running { process, .. } = std::mem::replace(&mut current.phase, Phase::Asleep) {
            process.stop(None).await;
        }
        self.core.report(&self.app, current.workload.revision, Observation::ScaledToZero);
    }

    /// A request waits for an app that was scaled to zero.
    fn wake(&mut self) {
        let Some(workload) = self.current.as_ref().map(|slot| slot.workload.clone()) else { return };
        self.core.report(&self.app, workload.revision, Observation::ScalingFromZero);
        let process = self.process(&workload, true);
        if let Some(current) = &mut self.current {
            current.waking = true;
            current.phase = Phase::Running { process, ready: None };
        }
    }

    /// Deletes the directories of revisions older than the one that serves, once none of them runs.
    fn sweep(&self) {
        let Some(serving) = self.current.as_ref().filter(|slot| slot.ready().is_some()) else { return };
        if !self.retiring.is_empty() {
            return;
        }
        let (directory, oldest) = (self.core.layout().app(&self.app), serving.workload.revision);
        tokio::task::spawn_blocking(move || delete_older(&directory, oldest));
    }
}

async fn end(slot: Slot) {
    if let Phase::Running { process, ready } = slot.phase {
        process.stop(ready.map(|ready| ready.upstream)).await;
    }
}

fn told(hindrance: Hindrance) -> (Observation, Duration, String) {
    match hindrance {
        Hindrance::SecretMissing { key } => {
            let why = format!("secret `{key}` does not exist");
            (Observation::SecretMissing { key }, SECRET, why)
        }
        Hindrance::Other(reason) => {
            let why = format!("it cannot start: {reason}");
            (Observation::CannotStart { reason }, HINDERED, why)
        }
    }
}

/// What cannot be deleted stays until the next time.
fn delete_older(directory: &Path, oldest: u64) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let revision = Path::new(&entry.file_name()).file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if revision.is_some_and(|revision| revision < oldest) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
