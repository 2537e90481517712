//! Server streams: states of an app, lines of its log.

use std::sync::Arc;

use connectrpc::ConnectError;
use connectrpc::client::CallOptions;
use flyte_schema::flyteidl2::app::{
    App, Identifier, TailLogsRequest, TailLogsResponse, WatchRequest, WatchResponse, tail_logs_request,
    tail_logs_response, watch_request, watch_response,
};
use flyte_schema::flyteidl2::logs::dataplane::{LogLine as WireLine, LogLineOriginator};
use futures::StreamExt;
use tokio::sync::{mpsc, oneshot};

use super::HEADERS;
use super::call::{request_id, stream_error};
use super::transport::{Channel, METER, Meter};
use crate::model::AppId;
use crate::model::spec::identifier;
use crate::port::{Lines, LogLine, RpcError, Update, Updates};

/// Messages that may wait for their reader.
const WAITING: usize = 256;

type Reader<T> = mpsc::Receiver<Result<T, RpcError>>;

pub async fn watch(channel: &Channel, app: &AppId) -> Result<Updates, RpcError> {
    let method = "AppService/Watch";
    let apps = channel.app_streams();
    let wanted = identifier(app);
    let request =
        WatchRequest { target: Some(watch_request::Target::AppId(Box::new(wanted.clone()))), ..Default::default() };
    let reader = open(method, move |options, sender: Sender<WatchResponse>, opened| async move {
        let mut stream = apps.watch_with_options(request, options).await?;
        let _ = opened.send(());
        while let Some(message) = stream.message().await? {
            if sender.send(Ok(message.to_owned_message())).await.is_err() {
                break;
            }
        }
        Ok(())
    })
    .await?;
    let updates = receive(reader).filter_map(move |message| {
        let update = message.map(|message| update(message, &wanted)).transpose();
        async { update }
    });
    Ok(updates.boxed())
}

pub async fn tail(channel: &Channel, app: &AppId) -> Result<Lines, RpcError> {
    let method = "AppLogsService/TailLogs";
    let logs = channel.log_streams();
    let target = tail_logs_request::Target::AppId(Box::new(identifier(app)));
    let request = TailLogsRequest { target: Some(target), ..Default::default() };
    let reader = open(method, move |options, sender: Sender<TailLogsResponse>, opened| async move {
        let mut stream = logs.tail_logs_with_options(request, options).await?;
        let _ = opened.send(());
        while let Some(message) = stream.message().await? {
            if sender.send(Ok(message.to_owned_message())).await.is_err() {
                break;
            }
        }
        Ok(())
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

type Sender<T> = mpsc::Sender<Result<T, RpcError>>;
type Opened = oneshot::Sender<()>;

/// Runs a stream on its own task. Comes back when its headers are there, when it was refused, or when the server takes
/// its time with either.
async fn open<T, F>(
    method: &'static str,
    run: impl FnOnce(CallOptions, Sender<T>, Opened) -> F,
) -> Result<Reader<T>, RpcError>
where
    T: Send + 'static,
    F: Future<Output = Result<(), ConnectError>> + Send + 'static,
{
    let id = request_id();
    let (sender, mut reader) = mpsc::channel(WAITING);
    let (opened, wait) = oneshot::channel();
    let options = CallOptions::default().with_header("x-request-id", id.as_str());
    let meter = Arc::new(Meter::default());
    let work = METER.scope(meter.clone(), run(options, sender.clone(), opened));
    tokio::spawn(async move {
        let result = tokio::select! {
            result = work => result,
            () = sender.closed() => return None,
        };
        let seen = meter.seen();
        let error = result.err().map(|error| stream_error(method, &id, &error, &seen));
        let code = error.as_ref().map(|error| tracing::field::display(error.code));
        tracing::info!(method, received = seen.received, request_id = id, error = code, "stream ended");
        sender.send(Err(error?)).await.err().map(drop)
    });
    tokio::select! {
        // The sender is dropped without a word where the stream was refused: then the error is the first message.
        opened = wait => if opened.is_err() && let Some(Err(error)) = reader.recv().await { return Err(error) },
        () = tokio::time::sleep(HEADERS) => {}
    }
    Ok(reader)
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
