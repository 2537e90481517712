//! One revision of an app under its supervisor: what it does now, and how often it failed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::RuntimeConfig;
use super::process::Process;
use super::workload::{Observation, Workload};
use crate::server::ingress::Upstream;

/// From this failure in a row on it is a crash loop.
const CRASH_LOOP: u32 = 3;

pub struct Slot {
    pub workload: Arc<Workload>,
    pub phase: Phase,
    /// It was found listening on its declared port.
    pub fixed_port: bool,
    /// Ends in a row, none after long health.
    failures: u32,
    /// What was last told about a start that is not possible.
    hindered: Option<Observation>,
    /// A process was started before: its directory is unpacked.
    pub started: bool,
    /// The next start is not told as one of a new revision.
    pub waking: bool,
}

pub enum Phase {
    Running {
        process: Process,
        ready: Option<Ready>,
    },
    /// Between two tries.
    Waiting {
        until: Instant,
    },
    /// Scaled to zero.
    Asleep,
}

/// Since when a process serves, and where.
pub struct Ready {
    pub upstream: Arc<Upstream>,
    pub since: Instant,
}

impl Slot {
    pub fn new(workload: Arc<Workload>, process: Process) -> Self {
        Self {
            workload,
            phase: Phase::Running { process, ready: None },
            fixed_port: false,
            started: false,
            failures: 0,
            hindered: None,
            waking: false,
        }
    }

    /// Requests can be answered by it, at once or after a cold start.
    pub fn is_available(&self) -> bool {
        matches!(self.phase, Phase::Running { ready: Some(_), .. } | Phase::Asleep)
    }

    pub fn generation(&self) -> Option<u64> {
        match &self.phase {
            Phase::Running { process, .. } => Some(process.generation),
            Phase::Waiting { .. } | Phase::Asleep => None,
        }
    }

    pub fn ready(&self) -> Option<&Ready> {
        match &self.phase {
            Phase::Running { ready, .. } => ready.as_ref(),
            Phase::Waiting { .. } | Phase::Asleep => None,
        }
    }

    /// Takes note that the process came up.
    pub fn set_ready(&mut self, upstream: Arc<Upstream>) {
        if let Phase::Running { ready, .. } = &mut self.phase {
            *ready = Some(Ready { upstream, since: Instant::now() });
            self.hindered = None;
            self.waking = false;
        }
    }

    /// How long the app may be idle before it is scaled to zero.
    pub fn idle_limit(&self) -> Option<Duration> {
        if self.workload.min_replicas == 0 { self.workload.scaledown_after } else { None }
    }

    /// When something is to be done about it without a message.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Waiting { until } => Some(*until),
            Phase::Running { ready: Some(ready), .. } => {
                let limit = self.idle_limit()?;
                Some(ready.upstream.idle_since().unwrap_or_else(Instant::now) + limit)
            }
            Phase::Running { .. } | Phase::Asleep => None,
        }
    }

    /// Whether a start is worth telling: not while the last word is that it fails.
    pub fn tells_start(&self) -> bool {
        self.failures < CRASH_LOOP && self.hindered.is_none() && !self.waking
    }

    /// The process ended by itself. Says what to tell, and waits before the next try.
    pub fn ended(&mut self, exit: String, config: &RuntimeConfig) -> Observation {
        if self.ready().is_some_and(|ready| ready.since.elapsed() >= config.healthy_after) {
            self.failures = 0;
        }
        self.failures += 1;
        self.waking = false;
        let retry_in = backoff(self.failures, config);
        self.phase = Phase::Waiting { until: Instant::now() + retry_in };
        let attempt = self.failures;
        if attempt < CRASH_LOOP {
            Observation::Restarting { exit, attempt, retry_in }
        } else {
            Observation::CrashLoop { exit, attempt }
        }
    }

    /// The process could not be started. Says what to tell, if that is new, and waits before the next try.
    pub fn hindered(&mut self, observation: Observation, retry_in: Duration) -> Option<Observation> {
        self.phase = Phase::Waiting { until: Instant::now() + retry_in };
        self.waking = false;
        let new = self.hindered.as_ref() != Some(&observation);
        self.hindered = Some(observation.clone());
        new.then_some(observation)
    }
}

fn backoff(failures: u32, config: &RuntimeConfig) -> Duration {
    let doublings = failures.saturating_sub(1).min(30);
    config.backoff_first.saturating_mul(1 << doublings).min(config.backoff_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_limit() {
        let config = RuntimeConfig::new("unused");
        let seconds: Vec<f32> = (1..=9).map(|failures| backoff(failures, &config).as_secs_f32()).collect();
        assert_eq!(seconds, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        assert_eq!(backoff(u32::MAX, &config), Duration::from_secs(60));
    }
}
