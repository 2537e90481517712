//! Server streams: states of an app, lines of its log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use connectrpc::ConnectError;
use connectrpc::client::CallOptions;
use flyte_schema::flyteidl2::app::{
    App, Identifier, TailLogsRequest, TailLogsResponse, WatchRequest, WatchResponse, tail_logs_request,
    tail_logs_response, watch_request, watch_response,
};
use flyte_schema::flyteidl2::logs::dataplane::{LogLine as WireLine, LogLineOriginator};
use futures::StreamExt;
use tokio::sync::{Notify, mpsc};

use super::auth::Credential;
use super::call::{request_id, stream_error};
use super::caller::{Caller, Refused};
use super::transport::{Channel, METER, Meter};
use super::trouble::seconds;
use crate::model::AppId;
use crate::model::spec::identifier;
use crate::port::{Delivery, Lines, LogLine, RpcCode, RpcError, Update, Updates};

/// Messages that may wait for their reader.
const WAITING: usize = 256;

/// How long to wait for a stream's headers before going on without them: a server may send them only with its first
/// message.
const HEADERS: Duration = Duration::from_secs(1);

/// Until when one waits for a stream to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// Not for long: messages may come at any time.
    Soon,
    /// As for the answer to a call. What is not opened by then has failed.
    First,
}

type Reader<T> = mpsc::Receiver<Result<T, RpcError>>;

pub async fn watch(channel: &Channel, app: &AppId) -> Result<Updates, RpcError> {
    let method = "AppService/Watch";
    let apps = channel.app_streams();
    let wanted = identifier(app);
    let request =
        WatchRequest { target: Some(watch_request::Target::AppId(Box::new(wanted.clone()))), ..Default::default() };
    let reader = open(channel, method, Opening::Soon, move |options, outlet: Outlet<WatchResponse>| {
        let (apps, request) = (apps.clone(), request.clone());
        async move {
            let mut stream = apps.watch_with_options(request, options).await?;
            outlet.opened.notify_one();
            while let Some(message) = stream.message().await? {
                if !outlet.takes(message.to_owned_message()).await {
                    break;
                }
            }
            Ok(())
        }
    })
    .await?;
    let updates = receive(reader).filter_map(move |message| {
        let update = message.map(|message| update(message, &wanted)).transpose();
        async { update }
    });
    Ok(updates.boxed())
}

pub async fn tail(channel: &Channel, app: &AppId, opening: Opening) -> Result<Lines, RpcError> {
    let method = "AppLogsService/TailLogs";
    let logs = channel.log_streams();
    let target = tail_logs_request::Target::AppId(Box::new(identifier(app)));
    let request = TailLogsRequest { target: Some(target), ..Default::default() };
    let reader = open(channel, method, opening, move |options, outlet: Outlet<TailLogsResponse>| {
        let (logs, request) = (logs.clone(), request.clone());
        async move {
            let mut stream = logs.tail_logs_with_options(request, options).await?;
            outlet.opened.notify_one();
            while let Some(message) = stream.message().await? {
                if !outlet.takes(message.to_owned_message()).await {
                    break;
                }
            }
            Ok(())
        }
    })
    .await?;
    let lines = receive(reader).flat_map(|message| {
        let lines = match message {
            Ok(message) => lines(message).into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
        futures::stream::iter(lines)
    });
    Ok(lines.boxed())
}

/// Where a stream puts its messages.
struct Outlet<T> {
    sender: mpsc::Sender<Result<T, RpcError>>,
    /// The server has answered.
    opened: Arc<Notify>,
    /// A message has been put in.
    used: Arc<AtomicBool>,
}

impl<T> Clone for Outlet<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), opened: self.opened.clone(), used: self.used.clone() }
    }
}

impl<T> Outlet<T> {
    /// False once nobody reads any more.
    async fn takes(&self, message: T) -> bool {
        self.used.store(true, Ordering::Relaxed);
        self.sender.send(Ok(message)).await.is_ok()
    }
}

/// Runs a stream on its own task. Comes back when its headers are there, when it was refused, or when the server takes
/// its time with either.
async fn open<T, F>(
    channel: &Channel,
    method: &'static str,
    opening: Opening,
    run: impl Fn(CallOptions, Outlet<T>) -> F + Send + Sync + 'static,
) -> Result<Reader<T>, RpcError>
where
    T: Send + 'static,
    F: Future<Output = Result<(), ConnectError>> + Send + 'static,
{
    let (sender, mut reader) = mpsc::channel(WAITING);
    let outlet = Outlet { sender, opened: Arc::default(), used: Arc::default() };
    let (authenticator, opened) = (channel.authenticator.clone(), outlet.opened.clone());
    let id = request_id();
    let late = || RpcError {
        method: method.to_owned(),
        code: RpcCode::DeadlineExceeded,
        message: format!("no answer within {}", seconds(channel.network.timeouts.read)),
        request_id: id.clone(),
        delivery: Delivery::Unanswered,
        help: None,
    };
    let (patience, late) = match opening {
        Opening::Soon => (HEADERS, None),
        Opening::First => (channel.network.timeouts.read, Some(late())),
    };
    tokio::spawn(async move {
        let caller = Caller { authenticator: authenticator.as_ref(), method, request_id: &id };
        let result = tokio::select! {
            result = follow(&caller, &outlet, &run) => result,
            () = outlet.sender.closed() => return None,
        };
        outlet.sender.send(Err(result.err()?)).await.err().map(drop)
    });
    tokio::select! {
        biased;
        () = opened.notified() => {}
        // Before it is opened, nothing but an error or the end can come.
        first = reader.recv() => if let Some(Err(error)) = first { return Err(error) },
        () = tokio::time::sleep(patience) => if let Some(late) = late { return Err(late) },
    }
    Ok(reader)
}

/// A stream that is refused before its first message, for want of a good token, is opened once more with a new one.
async fn follow<T, F>(
    caller: &Caller<'_>,
    outlet: &Outlet<T>,
    run: &impl Fn(CallOptions, Outlet<T>) -> F,
) -> Result<(), RpcError>
where
    F: Future<Output = Result<(), ConnectError>>,
{
    let credential = caller.credential().await?;
    let Err(refused) = once(caller, credential.as_ref(), outlet, run).await else { return Ok(()) };
    if outlet.used.load(Ordering::Relaxed) {
        return Err(refused.error);
    }
    let Some(next) = caller.instead_of(credential.as_ref(), &refused).await? else {
        return Err(caller.explained(refused).await);
    };
    match once(caller, Some(&next), outlet, run).await {
        Ok(()) => Ok(()),
        Err(refused) => Err(caller.explained(refused).await),
    }
}

async fn once<T, F>(
    caller: &Caller<'_>,
    credential: Option<&Credential>,
    outlet: &Outlet<T>,
    run: &impl Fn(CallOptions, Outlet<T>) -> F,
) -> Result<(), Refused>
where
    F: Future<Output = Result<(), ConnectError>>,
{
    let meter = Arc::new(Meter::default());
    let result = METER.scope(meter.clone(), run(caller.options(credential), outlet.clone())).await;
    let seen = meter.seen();
    let refused = result.map_err(|error| stream_error(caller, &error, &seen));
    let code = refused.as_ref().err().map(|refused| tracing::field::display(refused.error.code));
    let Caller { method, request_id, .. } = *caller;
    tracing::info!(method, received = seen.received, request_id, error = code, "stream ended");
    refused
}

fn receive<T: Send + 'static>(reader: Reader<T>) -> impl futures::Stream<Item = Result<T, RpcError>> + Send {
    futures::stream::unfold(reader, |mut reader| async move { reader.recv().await.map(|item| (item, reader)) })
}

/// What a message of a watch says about the app; some servers also tell of others with its name.
fn update(message: WatchResponse, wanted: &Identifier) -> Option<Update> {
    let (app, gone) = match message.event? {
        watch_response::Event::CreateEvent(event) => (event.app.into_option()?, false),
        watch_response::Event::UpdateEvent(event) => (event.updated_app.into_option()?, false),
        watch_response::Event::DeleteEvent(event) => (event.app.into_option()?, true),
    };
    if !is(&app, wanted) {
        return None;
    }
    Some(if gone { Update::Gone } else { Update::Is(Box::new(app)) })
}

fn is(app: &App, wanted: &Identifier) -> bool {
    let id = &app.metadata.id;
    (&id.project, &id.domain, &id.name) == (&wanted.project, &wanted.domain, &wanted.name)
}

fn lines(message: TailLogsResponse) -> Vec<LogLine> {
    match message.resp {
        Some(tail_logs_response::Resp::Batches(batch)) => {
            let each = batch.logs.into_iter().flat_map(|logs| {
                let replica = logs.replica_id.name.clone();
                let plain: Vec<LogLine> = if logs.structured_lines.is_empty() {
                    logs.lines.into_iter().map(|text| plain(&replica, text)).collect()
                } else {
                    logs.structured_lines.into_iter().map(|line| structured(&replica, line)).collect()
                };
                plain
            });
            each.collect()
        }
        Some(tail_logs_response::Resp::LogLines(lines)) => {
            lines.lines.into_iter().map(|text| plain("", text)).collect()
        }
        Some(tail_logs_response::Resp::Replicas(_)) | None => Vec::new(),
    }
}

fn plain(replica: &str, text: String) -> LogLine {
    LogLine { at: None, replica: replica.to_owned(), text: without_newline(text), system: false }
}

fn structured(replica: &str, line: WireLine) -> LogLine {
    let at = line.timestamp.as_option().and_then(|at| jiff::Timestamp::new(at.seconds, at.nanos).ok());
    LogLine {
        at,
        replica: if replica.is_empty() { line.short_pod_name } else { replica.to_owned() },
        text: without_newline(line.message),
        system: line.originator == LogLineOriginator::SYSTEM,
    }
}

fn without_newline(mut text: String) -> String {
    text.truncate(text.trim_end_matches(['\n', '\r']).len());
    text
}
