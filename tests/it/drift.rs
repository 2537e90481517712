//! Whose a change is, over made-up histories of edits, applies, changes outside and lost records. What is true is worked
//! out from the history alone; the plan may not know, and must never blame the wrong side.

use std::collections::{BTreeMap, BTreeSet};

use flyte::apply::Options;
use flyte::diff::ChangedBy;
use flyte::plan::{Plan, Policy, Verb};
use flyte::port::Releases as _;
use flyte::server::state::Profile;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::invariants::check;
use crate::support::world::{World, request, run};

/// What an app has, by manifest key. `None` only of [`OPTIONAL`].
type Content = BTreeMap<&'static str, Option<u8>>;

const KEYS: [&str; 5] = ["env.A", "env.B", OPTIONAL, "image", "scaling.replicas.max"];
const OPTIONAL: &str = "env.C";

#[derive(Debug, Clone)]
enum Happening {
    /// The manifest is edited.
    Declare(usize, u8),
    /// `lost`: what is written does not get on record. `keep`: a field that is left to others.
    Apply {
        lost: bool,
        keep: Option<usize>,
    },
    /// Somebody edits what runs. `replace`: with a tool that takes our marks away.
    Outside {
        field: usize,
        value: u8,
        replace: bool,
    },
    RecordsLost,
}

fn happening() -> impl Strategy<Value = Happening> {
    let field = 0..KEYS.len();
    prop_oneof![
        4 => (field.clone(), 0..4u8).prop_map(|(field, value)| Happening::Declare(field, value)),
        3 => (prop::bool::weighted(0.2), prop::option::weighted(0.25, field.clone()))
            .prop_map(|(lost, keep)| Happening::Apply { lost, keep }),
        4 => (field, 0..4u8, prop::bool::weighted(0.2))
            .prop_map(|(field, value, replace)| Happening::Outside { field, value, replace }),
        1 => Just(Happening::RecordsLost),
    ]
}

/// What there is to a value: every fourth one of the optional variable is none.
fn of(key: &str, value: u8) -> Option<u8> {
    (key != OPTIONAL || value > 0).then_some(value)
}

/// What we wrote, without what was left to others, and what that was.
type Written = (Content, Option<&'static str>);

/// What is true.
struct Truth {
    keeps_labels: bool,
    declared: Content,
    live: Content,
    /// What we last wrote, and what of it was left to others.
    applied: Content,
    kept: Option<&'static str>,
    /// Our marks were taken away since.
    stripped: bool,
    /// What of our writes is on record, oldest first: without what was left to others, by which it is not told apart, and
    /// whole.
    recorded: Vec<(Written, Content)>,
}

/// How much a plan can know.
#[derive(Debug, PartialEq)]
enum Knowledge {
    /// Everything.
    Whole,
    /// That it was changed outside.
    Drift,
    /// The marks are gone and what is on record is older than what we wrote: a guess is all there can be.
    Guess,
    /// Not even that it is ours.
    Nothing,
}

impl Truth {
    fn written(&self) -> Written {
        let mut content = self.applied.clone();
        if let Some(kept) = self.kept {
            content.remove(kept);
        }
        (content, self.kept)
    }

    fn differs_from_applied(&self, key: &str) -> bool {
        self.live[key] != self.applied[key] && self.kept != Some(key)
    }

    /// What runs is not what we wrote, of what was not left to others.
    fn is_edited(&self) -> bool {
        self.stripped || KEYS.iter().any(|key| self.differs_from_applied(key))
    }

    fn knowledge(&self) -> Knowledge {
        match () {
            () if !self.is_edited() => Knowledge::Whole,
            () if !self.stripped || self.keeps_labels => match self.on_record() {
                Some(_) => Knowledge::Whole,
                None => Knowledge::Drift,
            },
            () if self.recorded.is_empty() => Knowledge::Nothing,
            () if self.is_last() => Knowledge::Whole,
            () => Knowledge::Guess,
        }
    }

    /// What is on record of what we wrote, whole: the newest, where it was left to others in more ways than one.
    fn on_record(&self) -> Option<&Content> {
        let written = self.written();
        self.recorded.iter().rev().find(|(recorded, _)| *recorded == written).map(|(_, whole)| whole)
    }

    fn is_last(&self) -> bool {
        self.recorded.last().is_some_and(|(recorded, _)| *recorded == self.written())
    }

    /// Who made a field differ from what is declared. What was left to others is declared again, unless somebody is known
    /// to have changed it since.
    fn author(&self, key: &str) -> ChangedBy {
        if self.kept == Some(key) {
            let changed = self.on_record().is_some_and(|recorded| recorded[key] != self.live[key]);
            return if changed { ChangedBy::Them } else { ChangedBy::Us };
        }
        match (self.declared[key] != self.applied[key], self.live[key] != self.applied[key]) {
            (true, true) => ChangedBy::Both,
            (true, false) => ChangedBy::Us,
            (false, true) => ChangedBy::Them,
            (false, false) => panic!("{key} does not differ"),
        }
    }

    fn is_drifted(&self) -> bool {
        let is_theirs = |key: &str| self.live[key] != self.declared[key] && self.author(key) == ChangedBy::Them;
        self.is_edited() || self.kept.is_some_and(is_theirs)
    }

    fn assert(&self, plan: &Plan, told: &str) {
        let knowledge = self.knowledge();
        let app = &plan.apps[0];
        let text = flyte::report::plan_text(plan, flyte::report::Paint::default());
        let told = format!("{told}\n{knowledge:?}\n{text}");
        let differing: BTreeSet<&str> = KEYS.into_iter().filter(|key| self.live[key] != self.declared[key]).collect();
        let shown: BTreeSet<&str> = app.fields.iter().map(|field| field.key.as_str()).collect();
        assert_eq!(shown, differing, "{told}");
        assert_eq!(plan.has_drift(), knowledge != Knowledge::Nothing && self.is_drifted(), "{told}");
        assert_eq!(app.verb == Verb::Refused, knowledge == Knowledge::Nothing, "{told}");
        for field in &app.fields {
            let truth = self.author(&field.key);
            match knowledge {
                Knowledge::Whole => assert_eq!(field.changed_by, truth, "{} {told}", field.key),
                Knowledge::Drift if self.kept == Some(field.key.as_str()) && !self.stripped => {
                    assert_eq!(field.changed_by, truth, "{} {told}", field.key);
                }
                Knowledge::Drift | Knowledge::Nothing => {
                    assert_eq!(field.changed_by, ChangedBy::Unknown, "{} {told}", field.key);
                }
                Knowledge::Guess => {}
            }
        }
    }
}

fn manifest(content: &Content) -> Vec<(String, String)> {
    let variable = |key: &str| content[key].map(|value| format!("{} = \"{value}\"", key.trim_start_matches("env.")));
    let variables: Vec<String> = ["env.A", "env.B", OPTIONAL].into_iter().filter_map(variable).collect();
    let text = format!(
        "name = \"shop\"\nproject = \"p\"\ndomain = \"d\"\n[app.web]\nimage = \"web:{}\"\nactivation = \"auto\"\nargs = [\"serve\"]\n\
         env = {{ {} }}\nscaling = {{ replicas = {{ min = 0, max = {} }} }}\n",
        content["image"].unwrap(),
        variables.join(", "),
        content["scaling.replicas.max"].unwrap() + 1
    );
    vec![("flyte.toml".to_owned(), text)]
}

fn edit(world: &World, key: &str, value: Option<u8>, replace: bool) {
    let mut app = world.simulator.apps().remove(0);
    app.status = Default::default();
    let mut app = flyte_schema::to_json(&app).unwrap();
    let spec = &mut app["spec"];
    let env = spec["container"]["env"].as_array_mut().unwrap();
    if replace {
        env.retain(|pair| !pair["key"].as_str().unwrap().starts_with("FLYTE_DEPLOY_"));
    }
    match (key.strip_prefix("env."), value) {
        (Some(name), value) => {
            env.retain(|pair| pair["key"] != name);
            env.extend(value.map(|value| json!({ "key": name, "value": value.to_string() })));
        }
        (None, Some(value)) if key == "image" => spec["container"]["image"] = format!("web:{value}").into(),
        (None, Some(value)) => spec["autoscaling"]["replicas"]["max"] = Value::from(value + 1),
        (None, None) => panic!("{key} is not optional"),
    }
    world.simulator.put(flyte_schema::from_json(app).unwrap()).unwrap();
}

async fn lose(world: &World) {
    for name in world.releases.objects().into_keys() {
        world.releases.remove(&name).await.unwrap();
    }
}

async fn relive(profile: Profile, history: &[Happening]) {
    let mut world = World::new(profile);
    let first: Content = KEYS.into_iter().map(|key| (key, Some(1))).collect();
    let mut truth = Truth {
        keeps_labels: profile == Profile::Full,
        declared: first.clone(),
        live: first.clone(),
        applied: first.clone(),
        kept: None,
        stripped: false,
        recorded: vec![((first.clone(), None), first.clone())],
    };
    world.write(&manifest(&first));
    assert!(world.apply(&request(Policy::default()), &Options::default()).await.unwrap().outcome.is_success());
    for (at, happening) in history.iter().enumerate() {
        let told = format!("{profile:?}: after {:#?}", &history[..=at]);
        match happening {
            Happening::Declare(field, value) => {
                truth.declared.insert(KEYS[*field], of(KEYS[*field], *value));
                world.write(&manifest(&truth.declared));
            }
            Happening::Outside { field, value, replace } => {
                let value = of(KEYS[*field], *value);
                edit(&world, KEYS[*field], value, *replace);
                truth.live.insert(KEYS[*field], value);
                truth.stripped |= replace;
            }
            Happening::RecordsLost => {
                lose(&world).await;
                truth.recorded.clear();
            }
            Happening::Apply { lost, keep } => apply(&world, &mut truth, *lost, *keep, &told).await,
        }
        let plan = world.plan(&request(Policy::default())).await.unwrap().plan;
        truth.assert(&plan, &told);
    }
}

async fn apply(world: &World, truth: &mut Truth, lost: bool, keep: Option<usize>, told: &str) {
    // A variable that is nowhere cannot be named.
    let keep = keep.map(|field| KEYS[field]).filter(|key| *key != OPTIONAL);
    let mut asked = request(Policy { adopt: true, ..Policy::default() });
    asked.keep_drift = keep.map(|key| format!("web.{key}")).into_iter().collect();
    let records = world.releases.objects();
    world.releases.refuse(lost.then_some("it is read-only"));
    // Without its records, an app that bears no marks is nobody's, and adopted.
    let report = world.apply(&asked, &Options::default()).await.unwrap();
    world.releases.refuse(None);
    assert!(report.outcome.is_success(), "{told}\n{:#?}", report.apps);
    if lost {
        assert_eq!(world.releases.objects(), records, "{told}");
    }
    let written = match keep {
        Some(key) => {
            truth.declared.iter().map(|(name, value)| (*name, *value)).chain([(key, truth.live[key])]).collect()
        }
        None => truth.declared.clone(),
    };
    let changes = truth.stripped || truth.kept != keep || truth.live != written || truth.is_edited();
    (truth.applied, truth.live, truth.kept, truth.stripped) = (written.clone(), written, keep, false);
    if !lost && (changes || !truth.is_last()) {
        truth.recorded.push((truth.written(), truth.applied.clone()));
    }
    let plan = world.plan(&asked).await.unwrap().plan;
    let text = flyte::report::plan_text(&plan, flyte::report::Paint::default());
    assert!(plan.is_empty() && !plan.has_drift(), "{told}\nthe plan after apply is not empty\n{text}");
}

#[test]
fn nobody_is_blamed_for_what_others_did() {
    check(150, (prop::collection::vec(happening(), 1..12), any::<bool>()), |(history, oss)| {
        run(relive(if oss { Profile::Oss } else { Profile::Full }, &history));
    });
}
