//! What would make apply fail, looked for before anybody is asked to agree: reads only, and only about apps that would
//! be written.
//!
//! A control plane that cannot or does not tell is no obstacle: what could not be looked at is said, and apply finds
//! out.

mod external;
mod names;
mod places;
mod secrets;
mod size;

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};

use crate::desired::{Desired, DesiredSet};
use crate::diagnostic::{Diagnostic, codes};
use crate::diff::LiveSet;
use crate::plan::{Plan, Verb};
use crate::port::{ControlPlane, Ports, RpcCode, RpcError};
use crate::resolve::Project;

/// How long each question may take. They are asked at once.
const WITHIN: Duration = Duration::from_secs(20);

/// What there is to look at.
struct Subject<'a> {
    control_plane: &'a dyn ControlPlane,
    project: &'a Project,
    live: &'a LiveSet,
    plan: &'a Plan,
    /// The apps that would be written, and how.
    written: Vec<(&'a Desired, Verb)>,
}

/// Every mistake that can be seen now. Asks nothing where nothing would be written.
pub async fn check(
    ports: &Ports,
    control_plane: &dyn ControlPlane,
    project: &Project,
    desired: &DesiredSet,
    live: &LiveSet,
    plan: &Plan,
) -> Vec<Diagnostic> {
    let writes = |verb: Verb| matches!(verb, Verb::Create | Verb::Update | Verb::Activate);
    let apps = plan.apps.iter().filter(|app| writes(app.verb));
    let written: Vec<_> = apps.filter_map(|app| Some((desired.apps.get(&app.name)?, app.verb))).collect();
    if written.is_empty() {
        return Vec::new();
    }
    let subject = Subject { control_plane, project, live, plan, written };
    let (places, secrets, names) = futures::join!(
        in_time(ports, "whether the project exists", places::check(&subject)),
        in_time(ports, "whether the secrets exist", secrets::check(&subject)),
        in_time(ports, "whether the names are free", names::check(&subject)),
    );
    [size::check(&subject), external::check(&subject), places, secrets, names].concat()
}

async fn in_time(ports: &Ports, what: &str, check: impl Future<Output = Vec<Diagnostic>>) -> Vec<Diagnostic> {
    match select(pin!(check), ports.clock.sleep(WITHIN)).await {
        Either::Left((found, _)) => found,
        Either::Right(_) => vec![not_checked(format!("the control plane took too long to tell {what}"))],
    }
}

impl Subject<'_> {
    /// Whether this server is known to keep apps as the open-source one does.
    fn is_open_source(&self) -> bool {
        self.control_plane.guarantees().looks_open_source()
    }
}

/// What is said about something that could not be looked at. A server that does not offer it, or not to this caller, is
/// in order: that is told only to those who ask for more.
fn unseen(what: &str, error: &RpcError) -> Option<Diagnostic> {
    let is_usual = matches!(error.code, RpcCode::Unimplemented | RpcCode::PermissionDenied | RpcCode::Unauthenticated);
    if is_usual {
        tracing::info!(%error, "{what} cannot be checked here");
        return None;
    }
    Some(not_checked(format!("{what} could not be checked: {error}")))
}

fn not_checked(message: String) -> Diagnostic {
    Diagnostic::warning(codes::NOT_CHECKED, message).help("apply finds out; plan again to look once more")
}
