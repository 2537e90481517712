//! What apply tells while it runs. A terminal and JSON lines listen to the same events.

use std::time::Duration;

use serde::Serialize;

use crate::model::AppName;

/// Something that happened to one app during apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A step began. `action` is its verb: "upload", "create", "update", "activate", …
    Started {
        app: AppName,
        action: &'static str,
    },
    /// The control plane took the write.
    Written {
        app: AppName,
        action: &'static str,
        revision: u64,
    },
    /// The gate saw a new status.
    Waiting {
        app: AppName,
        status: String,
    },
    /// The gate passed: the app is "ready", "stopped" or "gone".
    Passed {
        app: AppName,
        goal: &'static str,
        #[serde(rename = "waited_ms", serialize_with = "milliseconds")]
        waited: Duration,
    },
    Failed {
        app: AppName,
        reason: String,
    },
    /// A write got no answer that tells whether it was carried out.
    Unknown {
        app: AppName,
        reason: String,
    },
    Skipped {
        app: AppName,
        reason: String,
    },
    /// Ctrl-C was heard: nothing new is written.
    Interrupted,
}

fn milliseconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

pub trait Events: Send + Sync {
    fn tell(&self, event: Event);
}

/// Listens to nothing.
pub struct NoEvents;

impl Events for NoEvents {
    fn tell(&self, _: Event) {}
}
