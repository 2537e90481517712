//! `flyteidl2.app.AppLogsService`

#![allow(refining_impl_trait, reason = "the generated traits are made to be refined")]

use std::collections::VecDeque;
use std::sync::Arc;

use connectrpc::{ConnectError, RequestContext, Response, ServiceRequest, ServiceResult, ServiceStream};
use flyte_schema::flyteidl2::app::{
    AppLogsService, Identifier, LogLines, LogLinesBatch, ReplicaIdentifier, ReplicaIdentifierList, TailLogsRequest,
    TailLogsResponse, tail_logs_request,
};
use flyte_schema::flyteidl2::logs::dataplane::{LogLine, LogLineOriginator};
use futures::stream;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::model::spec::identifier;
use crate::server::hub::{Hub, HubError};
use crate::server::runtime::{Line, Originator};
use crate::server::state::{Profile, State, StateError, wire_time};

/// Lines in one message.
const BATCH: usize = 100;

pub struct Logs(pub Arc<Hub>);

impl AppLogsService for Logs {
    /// The replicas, the latest lines, and every further one until the caller leaves.
    async fn tail_logs(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, TailLogsRequest>,
    ) -> ServiceResult<ServiceStream<TailLogsResponse>> {
        let (target, only) = match request.to_owned_message().target {
            Some(tail_logs_request::Target::AppId(id)) => (*id, None),
            Some(tail_logs_request::Target::ReplicaId(replica)) => {
                let app = replica.app_id.clone().into_option();
                let app = app.ok_or_else(|| ConnectError::invalid_argument("replica_id.app_id is required"))?;
                (app, Some(replica.name))
            }
            None => return Err(ConnectError::invalid_argument("target is required")),
        };
        let id = State::id(&target).map_err(HubError::from)?;
        if self.0.record(&id).is_none() {
            return Err(HubError::from(StateError::NotFound(id.to_string())).into());
        }
        let (replicas, tail) = self.0.logs(&id);
        if replicas.is_empty() && self.0.profile() == Profile::Oss {
            return Err(ConnectError::not_found(format!("app {id} has no replicas")));
        }
        let app = identifier(&id);
        let wanted = |line: &Line| only.as_ref().is_none_or(|name| *name == line.replica);
        let latest: Vec<Line> = tail.latest.into_iter().filter(wanted).collect();
        let mut waiting = VecDeque::from([names(&app, replicas)]);
        waiting.extend(latest.chunks(BATCH).map(|lines| batch(&app, lines)));
        let tailing = Tailing { hub: self.0.clone(), app, only, further: tail.further, waiting, ended: false };
        Response::stream_ok(stream::unfold(tailing, Tailing::next))
    }
}

/// A stream of lines under way.
struct Tailing {
    hub: Arc<Hub>,
    app: Identifier,
    /// The replica asked for.
    only: Option<String>,
    further: Receiver<Line>,
    waiting: VecDeque<TailLogsResponse>,
    ended: bool,
}

impl Tailing {
    async fn next(mut self) -> Option<(Result<TailLogsResponse, ConnectError>, Self)> {
        loop {
            if self.ended {
                return None;
            }
            if let Some(message) = self.waiting.pop_front() {
                return Some((Ok(message), self));
            }
            let hub = self.hub.clone();
            match hub.stopping().run_until_cancelled(self.further.recv()).await {
                Some(Ok(line)) => {
                    if self.only.as_ref().is_none_or(|name| *name == line.replica) {
                        self.waiting.push_back(batch(&self.app, &[line]));
                    }
                }
                Some(Err(RecvError::Lagged(count))) => {
                    let line = Line {
                        time: hub.now(),
                        replica: self.app.name.clone(),
                        originator: Originator::System,
                        text: format!("{count} lines were written faster than they were read and are left out here"),
                    };
                    self.waiting.push_back(batch(&self.app, &[line]));
                }
                // The app is gone.
                Some(Err(RecvError::Closed)) => return None,
                None => {
                    self.ended = true;
                    return Some((Err(ConnectError::unavailable("the server is shutting down")), self));
                }
            }
        }
    }
}

fn replica(app: &Identifier, name: String) -> ReplicaIdentifier {
    ReplicaIdentifier { app_id: app.clone().into(), name, ..Default::default() }
}

fn names(app: &Identifier, replicas: Vec<String>) -> TailLogsResponse {
    let replicas = replicas.into_iter().map(|name| replica(app, name)).collect();
    let list = ReplicaIdentifierList { replicas, ..Default::default() };
    TailLogsResponse { resp: Some(list.into()), ..Default::default() }
}

/// Lines in their order, those of one replica in a row together.
fn batch(app: &Identifier, lines: &[Line]) -> TailLogsResponse {
    let runs = lines.chunk_by(|a, b| a.replica == b.replica);
    let logs = runs.map(|run| LogLines {
        lines: run.iter().map(|line| line.text.clone()).collect(),
        replica_id: replica(app, run[0].replica.clone()).into(),
        structured_lines: run.iter().map(structured).collect(),
        ..Default::default()
    });
    let batch = LogLinesBatch { logs: logs.collect(), ..Default::default() };
    TailLogsResponse { resp: Some(batch.into()), ..Default::default() }
}

fn structured(line: &Line) -> LogLine {
    LogLine {
        timestamp: wire_time(line.time).into(),
        message: line.text.clone(),
        originator: match line.originator {
            Originator::User => LogLineOriginator::USER.into(),
            Originator::System => LogLineOriginator::SYSTEM.into(),
        },
        short_pod_name: line.replica.clone(),
        ..Default::default()
    }
}
