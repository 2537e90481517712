//! What was asked of the services, one line per request in a file: for tests, and for whoever wants to see it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use connectrpc::interceptor::{
    Next, NextStream, PayloadStream, StreamRequest, StreamResponse, UnaryRequest, UnaryResponse,
};
use connectrpc::{ConnectError, Interceptor, Payload, async_trait};
use flyte_schema::flyteidl2::app::{
    App, CreateRequest, DeleteRequest, GetRequest, Identifier, ListRequest, TailLogsRequest, UpdateRequest,
    WatchRequest, get_request, list_request, tail_logs_request, watch_request,
};
use flyte_schema::flyteidl2::dataproxy::{
    CreateDownloadLinkRequest, CreateUploadLocationRequest, create_download_link_request,
};
use flyte_schema::flyteidl2::secret::{
    CreateSecretRequest, DeleteSecretRequest, SecretIdentifier, UpdateSecretRequest,
};
use futures::StreamExt;

/// Notes each request as `<service>/<method> <subject> <detail>`, in the order of their arrival. The subject is an app,
/// a scope, a file or a secret's name; the detail is what a write asks of an app. Values are never noted.
#[derive(Debug, Clone)]
pub struct Journal(Arc<File>);

impl Journal {
    /// Appends to a file that only its owner may read, made where it is not there.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        Ok(Self(Arc::new(file)))
    }

    fn note(&self, path: &str, payload: &Payload) {
        let method = path.trim_start_matches('/');
        let method = method.rsplit_once('.').map_or(method, |(_, method)| method);
        // What cannot be read is refused by the service itself; that it was asked is noted all the same.
        let about = about(method, payload).unwrap_or_default();
        let line = format!("{method} {about}");
        // One write per line: those of requests at the same time do not mix. Without a journal the server goes on.
        if let Err(error) = (&*self.0).write_all(format!("{}\n", line.trim_end()).as_bytes()) {
            tracing::warn!("the journal of requests cannot be written: {error}");
        }
    }
}

#[async_trait]
impl Interceptor for Journal {
    async fn intercept_unary(&self, request: UnaryRequest, next: Next<'_>) -> Result<UnaryResponse, ConnectError> {
        self.note(request.ctx.path().unwrap_or_default(), &request.payload);
        next.run(request).await
    }

    async fn intercept_streaming(
        &self,
        request: StreamRequest,
        inbound: PayloadStream,
        next: NextStream<'_>,
    ) -> Result<StreamResponse, ConnectError> {
        let (journal, path) = (self.clone(), request.ctx.path().unwrap_or_default().to_owned());
        let noted = inbound.inspect(move |message| {
            if let Ok(payload) = message {
                journal.note(&path, payload);
            }
        });
        next.run(request, Box::pin(noted)).await
    }
}

/// Subject and detail of a request.
fn about(method: &str, payload: &Payload) -> Result<String, ConnectError> {
    Ok(match method {
        "AppService/Create" => written(&payload.message::<CreateRequest>()?.app),
        "AppService/Update" => written(&payload.message::<UpdateRequest>()?.app),
        "AppService/Delete" => payload.message::<DeleteRequest>()?.app_id.name.clone(),
        "AppService/Get" => match &payload.message::<GetRequest>()?.identifier {
            Some(get_request::Identifier::AppId(id)) => id.name.clone(),
            Some(get_request::Identifier::Ingress(ingress)) => ingress.public_url.clone(),
            None => String::new(),
        },
        "AppService/List" => match &payload.message::<ListRequest>()?.filter_by {
            Some(list_request::FilterBy::Project(project)) => scope(&project.name, &project.domain),
            _ => String::new(),
        },
        "AppService/Watch" => match &payload.message::<WatchRequest>()?.target {
            Some(watch_request::Target::AppId(id)) => id.name.clone(),
            Some(watch_request::Target::Project(project)) => scope(&project.name, &project.domain),
            _ => String::new(),
        },
        "AppLogsService/TailLogs" => match &payload.message::<TailLogsRequest>()?.target {
            Some(tail_logs_request::Target::AppId(id)) => id.name.clone(),
            Some(tail_logs_request::Target::ReplicaId(replica)) => replica.name.clone(),
            None => String::new(),
        },
        "DataProxyService/CreateUploadLocation" => payload.message::<CreateUploadLocationRequest>()?.filename.clone(),
        "DataProxyService/CreateDownloadLink" => match &payload.message::<CreateDownloadLinkRequest>()?.source {
            Some(create_download_link_request::Source::AppId(id)) => id.name.clone(),
            _ => String::new(),
        },
        "SecretService/CreateSecret" => secret(&payload.message::<CreateSecretRequest>()?.id),
        "SecretService/UpdateSecret" => secret(&payload.message::<UpdateSecretRequest>()?.id),
        "SecretService/DeleteSecret" => secret(&payload.message::<DeleteSecretRequest>()?.id),
        _ => String::new(),
    })
}

fn written(app: &App) -> String {
    let id: &Identifier = &app.metadata.id;
    let desired = app.spec.desired_state.to_string();
    format!("{} {}", id.name, desired.trim_start_matches("DESIRED_STATE_"))
}

fn scope(project: &str, domain: &str) -> String {
    format!("{project}/{domain}")
}

fn secret(id: &SecretIdentifier) -> String {
    id.name.clone()
}
