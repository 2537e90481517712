//! What goes wrong on purpose, and how an app of the simulator behaves.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::port::RpcCode;
use crate::server::runtime::Observation;

/// One thing that goes wrong once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// `Create`, `Update`, `Get`, … `None`: any.
    #[serde(default)]
    pub rpc: Option<String>,
    /// Only requests about this app. `None`: any.
    #[serde(default)]
    pub app: Option<String>,
    /// Which of the requests that fit, counted from 1.
    #[serde(default = "first")]
    pub occurrence: u32,
    pub effect: Effect,
}

fn first() -> u32 {
    1
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Refused with this code and not carried out.
    Error(RpcCode),
    /// Carried out; the answer does not arrive.
    LostReply,
    /// A read tells how it was before the last write.
    StaleRead,
    /// Carried out this much later.
    DelayMs(u64),
    /// The asking program dies before the request is carried out: no request is answered any more.
    Crash,
    /// The same after the request is carried out.
    CrashAfter,
}

/// What an app does once it is to run: what is seen of it, and when, counted from the write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behaviour {
    pub steps: Vec<(Duration, Observation)>,
    /// From the request to stop until it has stopped.
    pub stops_after: Duration,
}

impl Default for Behaviour {
    /// Ready after two seconds.
    fn default() -> Self {
        Self::ready_after(Duration::from_secs(2))
    }
}

impl Behaviour {
    pub fn ready_after(delay: Duration) -> Self {
        Self::ending_in(delay, Observation::Ready { replicas: 1 })
    }

    /// Never becomes ready and never fails.
    pub fn never_ready() -> Self {
        let mut behaviour = Self::default();
        behaviour.steps.pop();
        behaviour
    }

    pub fn crash_loop_after(delay: Duration) -> Self {
        Self::ending_in(delay, Observation::CrashLoop { exit: "exited with status 1".to_owned(), attempt: 5 })
    }

    /// Starts, then shows `last`.
    pub fn ending_in(delay: Duration, last: Observation) -> Self {
        Self {
            steps: vec![(Duration::ZERO, Observation::Starting), (delay / 2, Observation::Initializing), (delay, last)],
            stops_after: Duration::from_secs(1),
        }
    }
}
