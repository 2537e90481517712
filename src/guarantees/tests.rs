//! What is found out about the simulated servers, and how it is kept.

use std::sync::Arc;

use flyte_schema::flyteidl2::app::spec::DesiredState;
use flyte_schema::flyteidl2::app::{App, Identifier, Meta, Spec};
use flyte_schema::flyteidl2::core::Container;

use super::Observed;
use crate::model::spec::push_variable;
use crate::model::{AppId, AppName, Digest, Guarantee, Guarantees, Known, Marks, Scope};
use crate::port::memory::{MemoryNotes, VirtualClock};
use crate::port::{Clock, ControlPlane, Notes};
use crate::server::simulator::{Effect, Fault, Simulator};
use crate::server::state::{Profile, Quirks};

const ACTIVE: DesiredState = DesiredState::DESIRED_STATE_ACTIVE;
const STOPPED: DesiredState = DesiredState::DESIRED_STATE_STOPPED;

/// An app with our marks and labels, as apply sends it.
fn app(name: &str, image: &str, state: DesiredState) -> App {
    let id = Identifier { project: "shop".into(), domain: "dev".into(), name: name.into(), ..Default::default() };
    let labels = [("flyte.deploy/manifest".to_owned(), "shop".to_owned())].into();
    let mut app = App {
        metadata: Meta { id: id.into(), labels, ..Default::default() }.into(),
        spec: Spec {
            app_payload: Some(Container { image: image.into(), ..Default::default() }.into()),
            desired_state: state.into(),
            ..Default::default()
        }
        .into(),
        ..Default::default()
    };
    let digest = Digest::of(image.as_bytes()).to_string();
    for (key, value) in [(Marks::OWNER, "shop"), (Marks::VERSION, image), (Marks::DIGEST, &digest)] {
        push_variable(&mut app, key, value);
    }
    app
}

fn scope() -> Scope {
    Scope { org: String::new(), project: "shop".into(), domain: "dev".into() }
}

fn id(name: &str) -> AppId {
    scope().app(&AppName::new(name).unwrap())
}

struct Bed {
    simulator: Simulator,
    clock: Arc<VirtualClock>,
    notes: Arc<MemoryNotes>,
}

impl Bed {
    fn new(quirks: Quirks) -> Self {
        let clock = Arc::new(VirtualClock::default());
        Self { simulator: Simulator::new(quirks, clock.clone()), clock, notes: Arc::default() }
    }

    /// As a new program sees it.
    fn observed(&self) -> Observed {
        Observed::new(Arc::new(self.simulator.clone()), "here", self.notes.clone(), self.clock.clone())
    }

    /// The ordinary work of a deploy: a stopped app, a new spec for it, one that runs.
    async fn work(&self) -> Guarantees {
        let observed = self.observed();
        observed.create(app("batch", "1", STOPPED)).await.unwrap();
        self.pass(5).await;
        observed.get(&id("batch")).await.unwrap();
        let mut next = app("batch", "2", STOPPED);
        let now = observed.get(&id("batch")).await.unwrap().unwrap();
        next.metadata.get_or_insert_default().revision = now.metadata.revision;
        observed.update(next, "").await.unwrap();
        self.pass(40).await;
        observed.get(&id("batch")).await.unwrap();
        observed.create(app("web", "1", ACTIVE)).await.unwrap();
        self.pass(10).await;
        observed.list(&scope()).await.unwrap();
        observed.guarantees()
    }

    async fn pass(&self, seconds: u64) {
        self.clock.sleep(std::time::Duration::from_secs(seconds)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_profile_is_found_out_by_ordinary_work() {
    use Guarantee as G;
    for (profile, expected) in [(Profile::Full, true), (Profile::Oss, false)] {
        let known = Bed::new(profile.quirks()).work().await;
        for guarantee in [
            G::KeepsLabels,
            G::KeepsRevisions,
            G::CreatesStopped,
            G::KeepsStoppedSpec,
            G::TellsSubstates,
            G::TellsDeployments,
        ] {
            let Some(Known::Seen(fact)) = known.known(guarantee) else {
                panic!("{profile}: {guarantee:?} was not seen")
            };
            assert_eq!(fact.holds, expected, "{profile}: {guarantee:?} {}", fact.because);
        }
        assert_eq!(known.looks_open_source(), !expected);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_or_written_to_find_out() {
    let bed = Bed::new(Profile::Oss.quirks());
    let observed = bed.observed();
    observed.create(app("a", "1", STOPPED)).await.unwrap();
    observed.get(&id("a")).await.unwrap();
    let _ = observed.guarantees();
    assert_eq!(bed.simulator.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn refusals_tell_what_is_compared() {
    let bed = Bed::new(Profile::Full.quirks());
    let observed = bed.observed();
    observed.create(app("a", "1", ACTIVE)).await.unwrap();
    assert_eq!(observed.guarantees().holds(Guarantee::ComparesRevisions), None);
    observed.create(app("a", "1", ACTIVE)).await.unwrap_err();
    observed.update(app("a", "2", ACTIVE), "").await.unwrap_err();
    assert_eq!(observed.guarantees().holds(Guarantee::ComparesRevisions), Some(true));
    assert_eq!(observed.guarantees().holds(Guarantee::RefusesExisting), Some(true));
}

#[tokio::test(start_paused = true)]
async fn an_old_answer_is_no_proof_that_a_spec_was_dropped() {
    let bed = Bed::new(Quirks { keeps_revisions: false, compares_revisions: false, ..Quirks::full() });
    let observed = bed.observed();
    observed.create(app("a", "1", STOPPED)).await.unwrap();
    observed.get(&id("a")).await.unwrap();
    observed.update(app("a", "2", STOPPED), "").await.unwrap();
    bed.simulator.inject(Fault { rpc: Some("Get".into()), app: None, occurrence: 1, effect: Effect::StaleRead });
    observed.get(&id("a")).await.unwrap();
    assert_eq!(observed.guarantees().holds(Guarantee::KeepsStoppedSpec), None);
    observed.get(&id("a")).await.unwrap();
    assert_eq!(observed.guarantees().holds(Guarantee::KeepsStoppedSpec), Some(true));
    assert_eq!(observed.guarantees().holds(Guarantee::ReadsAreCurrent), Some(false));
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_is_kept_for_a_week_and_corrected_at_once() {
    let bed = Bed::new(Profile::Oss.quirks());
    bed.work().await;
    assert_eq!(bed.observed().guarantees().holds(Guarantee::KeepsLabels), Some(false));
    // A newer server stands there now.
    let newer = Bed { simulator: Simulator::new(Quirks::full(), bed.clock.clone()), ..bed };
    let observed = newer.observed();
    observed.create(app("a", "1", ACTIVE)).await.unwrap();
    observed.get(&id("a")).await.unwrap();
    assert_eq!(observed.guarantees().holds(Guarantee::KeepsLabels), Some(true));
    assert_eq!(newer.observed().guarantees().holds(Guarantee::KeepsLabels), Some(true));
    newer.pass(8 * 24 * 3600).await;
    assert!(newer.observed().guarantees().is_empty());
}

#[tokio::test(start_paused = true)]
async fn notes_that_cannot_be_read_are_none() {
    let bed = Bed::new(Profile::Oss.quirks());
    bed.work().await;
    let good = bed.notes.read("here").unwrap();
    for bad in ["", "{", &good.replace("\"format\": 1", "\"format\": 2"), &good.replace("\"here\"", "\"there\"")] {
        bed.notes.write("here", bad);
        assert!(bed.observed().guarantees().is_empty(), "{bad}");
    }
    bed.notes.write("here", &good);
    assert!(!bed.observed().guarantees().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_filled_in_is_known_by_path_and_value_and_forgotten_when_it_ends() {
    let filled = |observed: &Observed| observed.guarantees().filled().map(str::to_owned).collect::<Vec<_>>();
    let bed = Bed::new(Quirks { fills_timeout: true, ..Quirks::full() });
    let observed = bed.observed();
    observed.create(app("a", "1", ACTIVE)).await.unwrap();
    assert_eq!(filled(&observed), ["spec.timeouts.request_timeout"]);
    let known = observed.guarantees();
    assert!(known.fills("spec.timeouts.request_timeout", &"300s".into()));
    assert!(!known.fills("spec.timeouts.request_timeout", &"30s".into()));
    assert!(!bed.notes.read("here").unwrap().contains("300s"), "values are not kept in the clear");
    let newer = Bed { simulator: Simulator::new(Quirks::full(), bed.clock.clone()), ..bed };
    let observed = newer.observed();
    observed.create(app("a", "1", ACTIVE)).await.unwrap();
    observed.get(&id("a")).await.unwrap();
    assert!(filled(&observed).is_empty());
}
