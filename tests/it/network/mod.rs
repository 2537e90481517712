//! What the way to a control plane and to its store does, over real sockets of this machine.

mod calls;
mod failures;
mod presence;
mod registry;
mod secrecy;
mod server;
mod transfers;

use std::time::Duration;

use flyte::client::{Client, Timeouts};
use flyte::model::target::Connection;
use flyte::model::{AppId, AppName, Scope};
use flyte_schema::flyteidl2::app::{App, Meta};

fn scope() -> Scope {
    Scope { org: String::new(), project: "shop".into(), domain: "dev".into() }
}

fn id() -> AppId {
    scope().app(&AppName::new("web").unwrap())
}

fn app() -> App {
    App {
        metadata: Meta { id: flyte::model::spec::identifier(&id()).into(), ..Default::default() }.into(),
        ..Default::default()
    }
}

/// A client whose calls end within a second, for servers that are silent.
fn client(endpoint: &str) -> Client {
    Client::within(&Connection::open(endpoint, false), Timeouts::of_calls(Duration::from_secs(1))).unwrap()
}

/// A client for servers that answer, as fast as a machine under load does.
fn patient(endpoint: &str) -> Client {
    patient_of(&Connection::open(endpoint, false))
}

fn patient_of(connection: &Connection) -> Client {
    Client::within(connection, Timeouts::of_calls(Duration::from_secs(10))).unwrap()
}
