//! A plan as one page: a heading with the counts, a table of apps, and their details folded.

use super::details;
use super::escape::{code, words};
use super::findings;
use super::page::{LIMIT, Page, clip, names, units};
use crate::plan::{AppPlan, ComparedWith, Plan, Verb};
use crate::report::plan::{action_word, sentence, symbol_of, verb_word, version_words, why};
use crate::report::words::count;

/// What the table may take of the page.
const TABLE: usize = LIMIT / 2;
/// What is kept for the last lines, which tell what is left out.
const TRAILER: usize = 6_000;
/// What one list of names may take.
const NAMES: usize = 1_500;
/// What one word of a foreign hand may take: a label, an address.
const WORD: usize = 200;

/// The plan as markdown, of at most [`LIMIT`] units whatever is in it.
pub fn plan_markdown(plan: &Plan) -> String {
    let mut page = Page::new();
    page.push(&format!("## flyte plan: {}\n\n{}\n\n", sentence(plan), place(plan)), TRAILER);
    findings::push(&mut page, &plan.diagnostics, TRAILER);
    let (changing, still): (Vec<&AppPlan>, Vec<&AppPlan>) =
        plan.apps.iter().partition(|app| app.verb != Verb::Unchanged || !app.notes.is_empty() || !app.kept.is_empty());
    let untold = table(&mut page, &changing);
    let bare = folded(&mut page, plan, &changing);
    let mut trailer = String::new();
    if !untold.is_empty() {
        trailer.push_str(&format!("Not in the table for want of room: {}.\n\n", by_verb(&untold)));
    }
    if !bare.is_empty() {
        let names = names(bare.iter().map(|app| app.name.as_str()), NAMES);
        trailer.push_str(&format!(
            "Without details for want of room: {}: {names}. `flyte plan` shows all of them.\n\n",
            count(bare.len(), "app")
        ));
    }
    if !still.is_empty() {
        let names = names(still.iter().map(|app| app.name.as_str()), NAMES);
        trailer.push_str(&format!("Unchanged: {names}.\n"));
    }
    page.push(&trailer, 0);
    page.into_text()
}

fn place(plan: &Plan) -> String {
    let word = |text: &str| code(&clip(text, WORD));
    let (owner, scope, target) = (word(&plan.owner), word(&plan.scope.to_string()), word(&plan.target));
    match plan.compared_with {
        ComparedWith::Live => format!("{owner} in {scope} on {target} ({})", word(&plan.endpoint)),
        ComparedWith::Records => {
            format!("{owner} in {scope} since the last apply to {target}, by the records; what runs is not known")
        }
    }
}

/// Writes the table; answers the apps for which there is no room.
fn table<'a>(page: &mut Page, apps: &[&'a AppPlan]) -> Vec<&'a AppPlan> {
    if apps.is_empty() {
        return Vec::new();
    }
    page.push("| | app | action | version | why |\n|---|---|---|---|---|\n", TRAILER);
    let begin = page.used();
    let mut untold = Vec::new();
    for app in apps {
        let row = row(app);
        if page.used() - begin + units(&row) > TABLE || !page.push(&row, TRAILER) {
            untold.push(*app);
        }
    }
    // A row of a table ends only at an empty line.
    page.push("\n", 0);
    untold
}

fn row(app: &AppPlan) -> String {
    let why: Vec<String> = why(app).iter().map(|told| words(&clip(told, WORD))).collect();
    let version = version_words(app).map_or(String::new(), |version| code(&clip(&version, WORD)));
    format!(
        "| {} | {} | {} | {version} | {} |\n",
        code(symbol_of(app)),
        code(app.name.as_str()),
        action_word(app),
        why.join(", ")
    )
}

/// Writes the details; answers the apps for which there is no room.
fn folded<'a>(page: &mut Page, plan: &Plan, apps: &[&'a AppPlan]) -> Vec<&'a AppPlan> {
    let mut bare = Vec::new();
    for app in apps {
        let whole = details::of(plan, app);
        if !whole.is_empty() && !page.push(&whole, TRAILER) {
            bare.push(*app);
        }
    }
    bare
}

/// `3 to update (a, b, c); 1 to delete (d)`
fn by_verb(apps: &[&AppPlan]) -> String {
    let mut verbs: Vec<Verb> = apps.iter().map(|app| app.verb).collect();
    verbs.sort_unstable();
    verbs.dedup();
    let most = NAMES / verbs.len().max(1);
    let one = |verb: Verb| {
        let of: Vec<&str> = apps.iter().filter(|app| app.verb == verb).map(|app| app.name.as_str()).collect();
        format!("{}: {} ({})", verb_word(verb), count(of.len(), "app"), names(of.iter().copied(), most))
    };
    verbs.into_iter().map(one).collect::<Vec<_>>().join("; ")
}
