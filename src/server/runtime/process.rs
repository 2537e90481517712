//! One process of an app, from its start to its end.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::core::Core;
use super::logs::{self, AppLog};
use super::prepare::{self, Hindrance, Prepared};
use super::probe::{self, Listening, Subject};
use super::record::{self, Record, Written};
use super::workload::Workload;
use super::{Replica, command, system};
use crate::server::ingress::Upstream;

/// What children may take to end after their parent ended by itself.
const ORPHANS: Duration = Duration::from_secs(1);

/// What a process may leave unread in its output: it is read for so long after its end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How a process gets on.
#[derive(Debug)]
pub enum Progress {
    /// It runs.
    Started,
    Ready(Listening),
    /// It ended by itself.
    Ended(String),
    /// It was never started.
    Hindered(Hindrance),
}

/// The hold on a process. Dropped, the process is told to end.
pub struct Process {
    /// Tells the progress of this process from that of others.
    pub generation: u64,
    stop: oneshot::Sender<Option<Arc<Upstream>>>,
    task: JoinHandle<()>,
}

impl Process {
    /// Starts a process of the workload, with `keep` in the directory that an earlier one left. Its progress is told
    /// under its generation.
    pub fn start(
        core: Arc<Core>,
        workload: Arc<Workload>,
        log: Arc<AppLog>,
        keep: bool,
        progress: mpsc::UnboundedSender<(u64, Progress)>,
    ) -> Self {
        let generation = core.next_generation();
        let (stop, stopped) = oneshot::channel();
        let tell = move |what| {
            // A supervisor that is gone needs no news.
            let _ = progress.send((generation, what));
        };
        let task = tokio::spawn(async move {
            let life = Life { core: &core, workload: &workload, log: &log, generation, keep, tell: &tell };
            life.run(stopped).await;
            core.forget(generation);
        });
        Self { generation, stop, task }
    }

    /// Lets the requests at `upstream` finish, then ends the process; resolves when it has ended.
    pub async fn stop(self, upstream: Option<Arc<Upstream>>) {
        // If it has ended by itself there is nobody to tell.
        let _ = self.stop.send(upstream);
        let _ = self.task.await;
    }
}

struct Life<'a> {
    core: &'a Arc<Core>,
    workload: &'a Arc<Workload>,
    log: &'a Arc<AppLog>,
    generation: u64,
    keep: bool,
    tell: &'a (dyn Fn(Progress) + Send + Sync),
}

impl Life<'_> {
    async fn run(&self, mut stopped: oneshot::Receiver<Option<Arc<Upstream>>>) {
        let token = self.core.token();
        let name = format!("{}-{:05}-{}", self.workload.app.name, self.workload.revision, &token[..5]);
        let Some(port) = self.core.reserve_port() else {
            return self.hindered(Hindrance::Other("no port is free on this machine".to_owned()));
        };
        let prepared = match self.prepare(port.number(), &token).await {
            Ok(prepared) => prepared,
            Err(hindrance) => return self.hindered(hindrance),
        };
        if !matches!(stopped.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
            return;
        }
        let declared_port_was_taken = probe::accepting(self.workload.container_port).await.is_some();
        let mut running = match self.spawn(&prepared, &token, &name, port.number()).await {
            Ok(running) => running,
            Err(error) => return self.hindered(Hindrance::Other(format!("its process cannot be started: {error}"))),
        };
        drop(prepared);
        self.core.remember(
            self.generation,
            Replica {
                app: self.workload.app.clone(),
                revision: self.workload.revision,
                name: name.clone(),
                pid: running.group,
                serving: false,
            },
        );
        (self.tell)(Progress::Started);

        let subject = Subject {
            workload: self.workload,
            port: port.number(),
            group: running.group,
            declared_port_was_taken,
            log: self.log,
            replica: &name,
        };
        let ready = async {
            let listening = subject.ready().await;
            self.log.system(&name, "is ready");
            (self.tell)(Progress::Ready(listening));
            std::future::pending::<()>().await;
        };
        tokio::select! {
            exit = running.child.0.wait() => {
                let exit = describe(exit);
                running.clear(ORPHANS).await;
                self.log.system(&name, &exit);
                (self.tell)(Progress::Ended(exit));
            }
            order = &mut stopped => {
                self.end(running, &name, order.ok().flatten()).await;
            }
            () = ready => {}
        }
    }

    async fn prepare(&self, port: u16, token: &str) -> Result<Prepared, Hindrance> {
        let (core, workload, token, keep) = (self.core.clone(), self.workload.clone(), token.to_owned(), self.keep);
        tokio::task::spawn_blocking(move || prepare::prepare(&workload, port, &token, keep, &core))
            .await
            .unwrap_or_else(|_| Err(Hindrance::Other("its preparation failed".to_owned())))
    }

    /// Spawns the process behind its gate, records it, and opens the gate.
    async fn spawn(&self, prepared: &Prepared, token: &str, name: &str, port: u16) -> io::Result<Running> {
        // One pipe for both, so that their lines keep their order.
        let (output, input) = io::pipe()?;
        let mut child = {
            let mut command = Command::new(&prepared.argv[0]);
            command
                .args(&prepared.argv[1..])
                .env_clear()
                .envs(&prepared.variables)
                .current_dir(&prepared.directory)
                .process_group(0)
                .stdin(Stdio::piped())
                .stdout(input.try_clone()?)
                .stderr(input);
            Leader(command.spawn()?)
        };
        let group = child.0.id().ok_or(io::ErrorKind::NotFound)?;
        let app = &self.workload.app;
        let record = Record::new(group, token, app, self.workload.revision)
            .and_then(|record| record.write(&self.core.layout().records()))?;
        let gate = child.0.stdin.take();
        // Before the first line of its own.
        self.log.system(name, format!("started revision {}, PORT={port}", self.workload.revision));
        if let Some(mut gate) = gate {
            gate.write_all(command::PERMISSION).await?;
        }
        let output = pipe::Receiver::from_owned_fd(output.into())?;
        let (log, name) = (self.log.clone(), name.to_owned());
        let output = tokio::spawn(async move { logs::pump(output, &log, &name).await });
        Ok(Running { child, group, token: token.to_owned(), record, output })
    }

    async fn end(&self, mut running: Running, name: &str, upstream: Option<Arc<Upstream>>) {
        let config = self.core.config();
        if let Some(upstream) = upstream
            && !upstream.drain(config.drain).await
        {
            let limit = config.drain.as_secs_f32();
            self.log.system(name, format!("is stopped with requests still in flight after {limit} s"));
        }
        system::signal_group(running.group, Signal::TERM);
        let limit = tokio::time::Instant::now() + config.grace;
        if tokio::time::timeout_at(limit, running.child.0.wait()).await.is_err() {
            let grace = config.grace.as_secs_f32();
            self.log.system(name, format!("did not end within {grace} s of SIGTERM and is killed"));
            system::signal_group(running.group, Signal::KILL);
            // SIGKILL cannot be refused.
            let _ = running.child.0.wait().await;
        }
        running.clear(limit.saturating_duration_since(tokio::time::Instant::now())).await;
        self.log.system(name, "is stopped");
    }

    fn hindered(&self, hindrance: Hindrance) {
        (self.tell)(Progress::Hindered(hindrance));
    }
}

/// The first process of its group. Dropped before it was waited for, as when everything is torn down at once, it takes
/// its group with it.
struct Leader(Child);

impl Drop for Leader {
    fn drop(&mut self) {
        // Without an id it was waited for, and its number may belong to another.
        if let Some(group) = self.0.id() {
            system::signal_group(group, Signal::KILL);
        }
    }
}

struct Running {
    child: Leader,
    group: u32,
    token: String,
    record: Written,
    output: JoinHandle<()>,
}

impl Running {
    /// Ends what the process left behind, and reads its last words. To be called when it has been waited for.
    async fn clear(self, grace: Duration) {
        system::signal_group(self.group, Signal::TERM);
        record::end_rest(self.group, &self.token, grace).await;
        self.record.delete();
        let abort = self.output.abort_handle();
        if tokio::time::timeout(LAST_WORDS, self.output).await.is_err() {
            abort.abort();
        }
    }
}

fn describe(exit: io::Result<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt;
    let exit = match exit {
        Ok(exit) => exit,
        Err(error) => return format!("ended, and how is not known: {error}"),
    };
    match (exit.code(), exit.signal()) {
        (Some(126), _) => "exited with code 126 (the program cannot be executed)".to_owned(),
        (Some(127), _) => "exited with code 127 (the program is not found)".to_owned(),
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(9)) => "ended by signal 9 (killed, perhaps for want of memory)".to_owned(),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}
