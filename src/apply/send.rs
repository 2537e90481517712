//! One write to the control plane, and what is there afterwards.

use std::time::Duration;

use flyte_schema::flyteidl2::app::App;
use serde_json::Value;

use super::outcome::{ApplyError, Stale, Write};
use super::write::Writer;
use crate::canonical::{canonical, fingerprint};
use crate::diff::walk;
use crate::model::{AppId, LiveApp};
use crate::port::{RpcCode, RpcError};

/// What the control plane notes as the reason of an update. At most 100 characters.
const REASON: &str = "applied by flyte";

/// How long after a lost answer a write is looked for.
pub(super) const LOOK_AGAIN: [Duration; 3] = [Duration::ZERO, Duration::from_millis(500), Duration::from_secs(2)];

/// Waits between reads that do not show a write yet. Together longer than answers are kept in caches.
pub(super) const PATIENCE: [Duration; 6] = [
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(8),
    Duration::from_secs(10),
];

impl Writer<'_> {
    /// One write. An answer that did not come is looked for on the control plane.
    pub(super) async fn send(&self, app: &App, before: Option<&LiveApp>) -> Result<App, Write> {
        let answer = match before {
            None => self.control_plane.create(app.clone()).await,
            Some(_) => self.control_plane.update(app.clone(), REASON).await,
        };
        match answer {
            Ok(written) => Ok(written),
            Err(error) if error.code == RpcCode::AlreadyExists && before.is_none() => {
                Err(Write::Failed { error: ApplyError::Stale(Stale::Appeared) })
            }
            Err(error) if error.code == RpcCode::Aborted => {
                Err(Write::Failed { error: ApplyError::Stale(Stale::changed()) })
            }
            Err(error) if error.is_outcome_unknown() => self.look_for(app, before, error).await,
            Err(rpc) => Err(Write::Failed { error: ApplyError::Rpc { rpc } }),
        }
    }

    pub(super) async fn look_for(&self, app: &App, before: Option<&LiveApp>, error: RpcError) -> Result<App, Write> {
        let Some(id) = crate::model::LiveApp(app.clone()).id() else { return Err(Write::Unknown { error }) };
        for pause in LOOK_AGAIN {
            self.ports.clock.sleep(pause).await;
            if let Ok(Some(now)) = self.control_plane.get(&id).await {
                let moved = before.is_none_or(|before| fingerprint(&before.0) != fingerprint(&now));
                if moved && fingerprint(app) == fingerprint(&now) {
                    return Ok(now);
                }
            }
        }
        Err(Write::Unknown { error })
    }

    /// The app after a write that was taken. A read that does not show the write yet is repeated: servers answer from caches.
    pub(super) async fn read_back(
        &self,
        id: &AppId,
        written: &App,
        before: Option<&LiveApp>,
    ) -> Result<LiveApp, Write> {
        let mut pauses = PATIENCE.into_iter();
        loop {
            let now = self.control_plane.get(id).await.map_err(|error| Write::Unknown { error })?.map(LiveApp);
            match (now, pauses.next()) {
                (Some(now), pause) if pause.is_none() || shows(&now, written, before) => return Ok(now),
                (_, Some(pause)) => self.ports.clock.sleep(pause).await,
                (_, None) => return Err(Write::Failed { error: ApplyError::NotShown }),
            }
        }
    }

    /// The wire paths in which the control plane shows another spec than the one sent, but for what it is known to fill
    /// in.
    pub(super) fn differing(&self, sent: &App, now: &LiveApp) -> Option<Vec<String>> {
        let known = self.control_plane.guarantees();
        let is_filled = |path: &str, sent: Option<&Value>, now: Option<&Value>| {
            sent.is_none() && now.is_some_and(|now| known.fills(path, now))
        };
        let differences = walk(&canonical(sent), &canonical(&now.0)).into_iter();
        let paths = differences.filter(|found| !is_filled(&found.path, found.old.as_ref(), found.new.as_ref()));
        let paths: Vec<String> = paths.map(|found| found.path).collect();
        (!paths.is_empty()).then_some(paths)
    }
}

/// Whether a read may be newer than the write.
pub(super) fn shows(now: &LiveApp, written: &App, before: Option<&LiveApp>) -> bool {
    if fingerprint(written) == fingerprint(&now.0) {
        return now.revision().0 >= written.metadata.revision;
    }
    match before {
        None => true,
        // Some servers answer with the revision that they were sent.
        Some(before) if now.revision().0 != 0 => {
            now.revision() > before.revision() && now.revision().0 >= written.metadata.revision
        }
        Some(before) => fingerprint(&before.0) != fingerprint(&now.0),
    }
}
