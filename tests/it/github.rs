//! The page for GitHub fits into a comment whatever is in the plan, and whatever does not fit is counted.

use flyte::apply::Options;
use flyte::plan::{Plan, Policy};
use flyte::report::github::{LIMIT, plan_markdown, units};
use flyte::server::state::Profile;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::support::world::{World, request, run};

/// What GitHub takes as one comment.
const COMMENT: usize = 65_536;

/// Texts that mean something to markdown, HTML, a table, a runner or a terminal.
const FOREIGN: [&str; 12] = [
    "```\n</details>\n```",
    "``````",
    "<script>alert(1)</script></details></summary>",
    "| a | b |",
    "🔴🟠🟡🏳️‍🌈",
    "日本語のテキスト",
    "::error::x\n::stop-commands::y",
    "##[error]x",
    "@everyone #1 [x](http://x)",
    "\u{202e}gnp.exe",
    "\r\n\t\u{1b}[31m",
    "&amp;<!-- -->",
];

fn manifest(apps: &[(String, Vec<String>)]) -> String {
    let mut text = String::from("name = \"shop\"\nproject = \"p\"\ndomain = \"d\"\n");
    for (at, (image, values)) in apps.iter().enumerate() {
        text.push_str(&format!(
            "\n[app.app-{at}]\nimage = \"ghcr.io/acme/{image}\"\nargs = [\"serve\"]\n[app.app-{at}.env]\n"
        ));
        for (number, value) in values.iter().enumerate() {
            text.push_str(&format!("V{number} = {}\n", toml::Value::from(value.as_str())));
        }
    }
    text
}

/// The plan of a second manifest over the first.
fn plan(first: &str, second: &str) -> Plan {
    run(async {
        let mut world = World::new(Profile::Full);
        world.write(&[("flyte.toml".to_owned(), first.to_owned())]);
        world.apply(&request(Policy::default()), &Options::default()).await.unwrap();
        world.write(&[("flyte.toml".to_owned(), second.to_owned())]);
        world.plan(&request(Policy { prune: true, ..Policy::default() })).await.unwrap().plan
    })
}

/// How many apps a sentence of the page counts; none where there is no such sentence.
fn told(page: &str, beginning: &str) -> usize {
    let counted = regex::Regex::new(r"(\d+) apps?[ :]").unwrap();
    let line = page.lines().find(|line| line.starts_with(beginning)).unwrap_or_default();
    counted.captures_iter(line).map(|found| found[1].parse::<usize>().unwrap()).sum()
}

fn check(plan: &Plan) -> String {
    let page = plan_markdown(plan);
    assert!(units(&page) <= LIMIT && LIMIT < COMMENT, "{} units", units(&page));
    assert!(page.len() < 262_144 && page.chars().count() < COMMENT);
    let rows = page.lines().filter(|line| line.starts_with("| <code>")).count();
    let open = page.lines().filter(|line| line.starts_with("<details>")).count();
    assert_eq!(open, page.lines().filter(|line| *line == "</details>").count());
    let counts = plan.counts();
    let changing = plan.apps.len() - counts.unchanged;
    assert_eq!(rows + told(&page, "Not in the table"), changing, "the table and what is not in it");
    assert_eq!(open + told(&page, "Without details"), changing, "the details and what is without");
    // Between its fences, a block is closed by its own fence and by nothing before.
    let mut fence: Option<String> = None;
    for line in page.lines() {
        match &fence {
            Some(mark) if line == mark => fence = None,
            Some(mark) => assert!(!line.starts_with(mark.as_str()), "{line}"),
            None if line.starts_with("```") => fence = Some(line.trim_end_matches("diff").to_owned()),
            None => assert!(!line.contains("script>") && !line.contains("@everyone"), "{line}"),
        }
        assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "a command: {line}");
        assert!(!line.contains('\u{202e}') && !line.contains('\u{1b}'), "{line:?}");
    }
    assert_eq!(fence, None);
    page
}

#[test]
fn five_hundred_apps_fit() {
    let apps = |tag: &str| -> Vec<(String, Vec<String>)> {
        (0..500).map(|n| (format!("web:{tag}"), vec![format!("value {n} of {tag}"); 4])).collect()
    };
    let plan = plan(&manifest(&apps("1")), &manifest(&apps("2")));
    let page = check(&plan);
    assert!(page.starts_with("## flyte plan: 500 to update\n"), "{}", &page[..100]);
    assert!(page.contains("Without details for want of room: ") && page.contains(" more. "), "{page}");
    // Room is used.
    assert!(units(&page) > LIMIT * 8 / 10, "{}", units(&page));
}

#[test]
fn a_small_plan_is_shown_whole() {
    let first = manifest(&[("web:1".into(), vec!["info".into()]), ("api:1".into(), vec![])]);
    let second = manifest(&[("web:2".into(), vec!["de|bug".into()]), ("api:1".into(), vec![])]);
    let page = check(&plan(&first, &second));
    for text in ["1 to update, 1 unchanged", "! env.V0", "- \"info\"", "+ \"de|bug\"", "Unchanged: app-1."] {
        assert!(page.contains(text), "{text} is not in\n{page}");
    }
    assert!(!page.contains("for want of room"), "{page}");
}

#[test]
fn enormous_and_hostile_plans_fit() {
    let value = (prop::sample::select(&FOREIGN[..]), 1..600usize).prop_map(|(text, times)| text.repeat(times));
    let values = prop::collection::vec(value, 0..5);
    let apps = (prop::collection::vec(values, 1..12), 1..40usize);
    let config = Config { cases: 5, failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..Config::default() };
    let result = TestRunner::new(config).run(&apps, |(values, times)| {
        let made = |tag: &str| -> Vec<(String, Vec<String>)> {
            let apps = values.iter().cycle().take(values.len() * times.min(60 / values.len()).max(1));
            apps.map(|values| {
                let values =
                    values.iter().map(|value| format!("{tag}{}", &value.chars().take(8_000).collect::<String>()));
                (format!("web:{tag}"), values.collect())
            })
            .collect()
        };
        let (first, second) = (manifest(&made("1")), manifest(&made("2")));
        prop_assume!(first.len() < flyte::manifest::MAX_BYTES);
        let mut plan = plan(&first, &second);
        check(&plan);
        // What a server, another manifest or a flag may put there.
        plan.owner = FOREIGN.concat().repeat(500);
        plan.endpoint = FOREIGN.concat().repeat(500);
        for app in &mut plan.apps {
            app.live.as_mut().unwrap().version = Some(FOREIGN.concat().repeat(50));
            app.reasons.push(flyte::plan::Reason::Adopted { from: Some(FOREIGN.concat().repeat(50)) });
            app.notes.push(flyte::plan::Note::Unhealthy { status: FOREIGN.concat().repeat(50) });
        }
        check(&plan);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn ten_thousand_apps_are_counted() {
    let first = manifest(&[("web:1".into(), vec!["x".into()])]);
    let second = manifest(&[("web:2".into(), vec!["y".into()])]);
    let mut plan = plan(&first, &second);
    let one = plan.apps[0].clone();
    plan.apps = (0..10_000)
        .map(|n| {
            let name = flyte::model::AppName::new(format!("app-with-quite-a-long-n-{n:05}")).unwrap();
            flyte::plan::AppPlan { name, ..one.clone() }
        })
        .collect();
    let page = check(&plan);
    assert!(page.contains("Not in the table for want of room: update: "), "{page}");
}
