//! What is known of a control plane, and what that means for whoever deploys to it.

use serde_json::{Value, json};

use super::{Paint, Table};
use crate::model::{Guarantee, Guarantees, Known};

/// What a guarantee is called, in groups.
const WORDS: [(&str, &[(Guarantee, &str)]); 4] = [
    (
        "RECORDS",
        &[
            (Guarantee::KeepsLabels, "labels"),
            (Guarantee::KeepsMetadata, "address of the code"),
            (Guarantee::KeepsRevisions, "revisions"),
            (Guarantee::KeepsStoppedSpec, "a new spec of a stopped app"),
        ],
    ),
    (
        "COMPARES",
        &[
            (Guarantee::ComparesRevisions, "revisions, when an app is updated"),
            (Guarantee::RefusesExisting, "names, when an app is created"),
        ],
    ),
    (
        "TELLS",
        &[
            (Guarantee::ReadsAreCurrent, "what was just written"),
            (Guarantee::TellsSubstates, "substates, such as CRASH_LOOP"),
            (Guarantee::TellsDeployments, "which deployment a status is of"),
        ],
    ),
    (
        "HONOURS",
        &[
            (Guarantee::CreatesStopped, "apps created as stopped"),
            (Guarantee::ActsOnAuthentication, "requires_auth"),
            (Guarantee::ActsOnSubdomain, "ingress.subdomain"),
            (Guarantee::ActsOnCustomDomain, "ingress.custom_domain"),
            (Guarantee::ActsOnPrivate, "ingress.private"),
            (Guarantee::ActsOnCluster, "cluster"),
            (Guarantee::ActsOnPool, "cluster_pool"),
            (Guarantee::ActsOnAccelerators, "resources.gpu"),
        ],
    ),
];

const LIKE_OPEN_SOURCE: &str = "the open-source server does not, and this one is like it in all that was seen";

/// The profile as people read it.
pub fn server_text(guarantees: &Guarantees, paint: Paint) -> String {
    let mut text = String::new();
    for (group, lines) in WORDS {
        let mut table = Table::new(&[group, "", "SINCE", "KNOWN BY"]);
        for (guarantee, what) in lines {
            let known = guarantees.known(*guarantee);
            let (since, because) = match &known {
                Some(Known::Seen(fact)) => (day(fact.since), fact.because.clone()),
                Some(Known::LikeOpenSource) => ("-".to_owned(), LIKE_OPEN_SOURCE.to_owned()),
                None => ("-".to_owned(), "not seen yet".to_owned()),
            };
            table.row(vec![(*what).to_owned(), answer(guarantees, *guarantee).to_owned(), since, because]);
        }
        text.push_str(&table.render());
        text.push('\n');
    }
    let filled: Vec<&str> = guarantees.filled().collect();
    if !filled.is_empty() {
        text.push_str(&format!("fills in where nothing is sent: {}\n\n", filled.join(", ")));
    }
    for (what, means) in meaning(guarantees) {
        text.push_str(&format!("{} {means}\n", paint.bold(format!("{what}:"))));
    }
    text
}

fn answer(guarantees: &Guarantees, guarantee: Guarantee) -> &'static str {
    match guarantees.holds(guarantee) {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
}

fn day(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// What the facts mean for the parts of a deployer's work.
fn meaning(guarantees: &Guarantees) -> [(&'static str, String); 5] {
    use Guarantee as G;
    let holds = |guarantee| guarantees.holds(guarantee);
    let plan = match holds(G::ComparesRevisions) {
        Some(true) => "a write is refused by the server if the app has changed since the plan was made",
        Some(false) => {
            "apply reads each app right before it writes and again afterwards; what somebody else writes in between is \
             overwritten, or told as overtaken"
        }
        None => {
            "apply reads each app right before it writes and again afterwards; whether the server also refuses to \
             overwrite somebody else's change is not known"
        }
    };
    let drift = match holds(G::KeepsMetadata) {
        Some(false) => "a spec is compared with its own mark; which code runs is told by the spec, not by the metadata",
        _ => "a spec is compared with its own mark",
    };
    let activation = match (holds(G::CreatesStopped), holds(G::KeepsStoppedSpec)) {
        (Some(true), Some(true)) => "an app that is to stay stopped is created and updated without running",
        (Some(false), Some(false)) => {
            "an app that is to stay stopped runs for a moment when it is created or updated, and is stopped again"
        }
        (Some(false), _) => "an app that is to stay stopped runs for a moment when it is created, and is stopped again",
        (_, Some(false)) => "an app that is to stay stopped runs for a moment when it is updated, and is stopped again",
        _ => "whether an app that is to stay stopped runs for a moment is not known for every write",
    };
    let waiting = match (holds(G::KeepsRevisions), holds(G::ReadsAreCurrent)) {
        (Some(true), _) => "a status counts once its revision is that of the write",
        (_, Some(false)) => {
            "a status counts once the spec read with it is the one written, and it differs from the status before; \
             reads may be 30 s old"
        }
        _ => "a status counts once the spec read with it is the one written, and it differs from the status before",
    };
    let rollback = match holds(G::KeepsStoppedSpec) {
        Some(false) => "a former spec is written like a new one; of a stopped app it runs for a moment",
        _ => "a former spec is written like a new one",
    };
    [("plan", plan), ("drift", drift), ("activation", activation), ("waiting", waiting), ("rollback", rollback)]
        .map(|(what, means)| (what, means.to_owned()))
}

/// The profile for programs. `holds` is null where it is not known.
pub fn server_json(guarantees: &Guarantees) -> Value {
    let facts = WORDS.iter().flat_map(|(_, lines)| lines.iter()).map(|(guarantee, what)| {
        let mut fact = json!({ "name": guarantee, "what": what, "holds": guarantees.holds(*guarantee) });
        match guarantees.known(*guarantee) {
            Some(Known::Seen(seen)) => {
                fact["known"] = "seen".into();
                fact["because"] = seen.because.as_str().into();
                fact["since"] = json!(seen.since);
                fact["last_seen"] = json!(seen.seen);
            }
            Some(Known::LikeOpenSource) => {
                fact["known"] = "like_open_source".into();
                fact["because"] = LIKE_OPEN_SOURCE.into();
            }
            None => fact["known"] = "unknown".into(),
        }
        fact
    });
    let meaning: serde_json::Map<String, Value> =
        meaning(guarantees).into_iter().map(|(what, means)| (what.to_owned(), means.into())).collect();
    json!({
        "guarantees": facts.collect::<Vec<_>>(),
        "looks_open_source": guarantees.looks_open_source(),
        "fills_in": guarantees.filled().collect::<Vec<_>>(),
        "meaning": meaning,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guarantee_is_told() {
        let told: Vec<Guarantee> = WORDS.iter().flat_map(|(_, lines)| lines.iter().map(|(it, _)| *it)).collect();
        for guarantee in Guarantee::ALL {
            assert!(told.contains(&guarantee), "{guarantee:?}");
        }
    }
}
