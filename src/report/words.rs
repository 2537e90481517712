//! Reasons, notes and quantities in words.

use std::time::Duration;

use crate::diagnostic::printable;
use crate::diff::KnownBy;
use crate::plan::{Note, Reason};

/// The most paths that a note names.
const MAX_PATHS: usize = 5;

/// `1.2 KiB`
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `0.4 s`, `12 s`, `3 min 5 s`
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// A text that [`wrap`] keeps on one line.
pub fn unbroken(text: &str) -> String {
    text.replace(' ', "\u{a0}")
}

/// Lines of at most so many columns, but for words that are longer; in the first one `used` columns are taken already.
pub fn wrap(text: &str, columns: usize, used: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut taken = used;
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always one");
        let blank = if line.is_empty() { "" } else { " " };
        let longer = taken + blank.len() + word.chars().count();
        if longer <= columns || taken == 0 {
            line.push_str(blank);
            line.push_str(word);
            taken = longer;
        } else {
            taken = word.chars().count();
            lines.push(word.to_owned());
        }
    }
    lines.into_iter().map(|line| line.replace('\u{a0}', " ")).collect()
}

/// `1 field`, `3 fields`
pub fn count(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

pub fn reason(reason: &Reason) -> String {
    match reason {
        Reason::New => "it does not exist yet".into(),
        Reason::NotOnRecord => "no release of it is on record".into(),
        Reason::Gone => "it is gone, though it was deployed here".into(),
        Reason::FieldsChanged { count: n } => format!("{} changed", count(*n, "field")),
        Reason::CodeChanged => "the code changed".into(),
        Reason::CodeGone => "its code is no longer stored, and is sent again".into(),
        Reason::Drifted => "it was changed outside".into(),
        Reason::ChangedAlike => "it was changed outside to what is declared".into(),
        Reason::MarksGone => "its marks were taken away; this brings them back".into(),
        Reason::OthersChosen => "another choice of what is left to others".into(),
        Reason::Adopted { from: Some(owner) } => format!("adopted from the manifest `{owner}`"),
        Reason::Adopted { from: None } => "adopted: no manifest owned it".into(),
        Reason::RolledBack => "a release of before is brought back".into(),
        Reason::Relabelled { from, to } => format!("the label changes from {from} to {to}"),
        Reason::Inactive => "it is stopped and is to run".into(),
        Reason::LeftRunning => "it runs, and is to be stopped".into(),
        Reason::Asked => "asked for by name".into(),
        Reason::NotInManifest => "it is no longer declared".into(),
    }
}

pub fn note(note: &Note) -> String {
    match note {
        Note::TakesEffectAtOnce => "it is active: the new version takes over as soon as it is ready".into(),
        Note::StaysStopped => "stays stopped until `flyte activate`".into(),
        Note::NotOurs { owner: Some(owner) } => {
            format!("it belongs to the manifest `{owner}`; `--adopt` takes it over")
        }
        Note::NotOurs { owner: None } => "it was not deployed from a manifest; `--adopt` takes it over".into(),
        Note::KnownBy { known_by: KnownBy::Record } => {
            "somebody replaced the whole spec; by our records we deployed it last".into()
        }
        Note::KnownBy { .. } => "somebody replaced the whole spec; by its label it is ours".into(),
        Note::NoRecord => "what we last applied is not on record: whose each change is cannot be told".into(),
        Note::Alike { fields } => format!("changed outside to what is declared now: {}", fields.join(", ")),
        Note::PerhapsFilled { fields } => format!("perhaps filled in by the server: {}", fields.join(", ")),
        Note::DeclaredAgain { fields } => format!("was left to others; declared again: {}", fields.join(", ")),
        Note::LastApplied { version, at, by } => {
            format!("{version} was applied on {} by {by}", at.strftime("%F %T UTC"))
        }
        Note::NotLookedUp { parameters } => {
            format!("left aside, since it is looked up on the control plane: {}", parameters.join(", "))
        }
        Note::LabelInUse { label, live, planned, .. } => {
            format!("version conflict: {label} stands for {live}, not for {planned}; choose another label")
        }
        Note::DependsOnStopped { app } => format!("`{app}`, which it depends on, is stopped: `flyte activate {app}`"),
        Note::UsesStopped { app } => {
            format!("`{app}`, whose endpoint it is given, is stopped; it is deployed elsewhere")
        }
        Note::DependsOnMissing { app } => {
            format!("`{app}`, which it depends on, is not there")
        }
        Note::DependenciesUnknown => {
            "its record does not tell what it depended on: what is declared now is taken for that, \
                                      as far as it was there"
                .into()
        }
        Note::LeftRunning { app } => format!("`{app}`, which depends on it, is left running"),
        Note::Unhealthy { status } => format!("does not run: {status}"),
        Note::AwaitedFirst => "not ready yet: the apps that depend on it wait for it".into(),
        Note::Awaited => "not ready yet: apply waits until it is".into(),
        Note::NotPruned => "kept; `flyte apply --prune` deletes it".into(),
        Note::UsedAsExternal { by } => {
            format!("kept: `{by}` is given its endpoint, as `external`; deploy it from elsewhere with `--adopt`")
        }
        Note::MarksLost => "kept: it lost its marks; `--prune` does not touch it".into(),
        Note::NotDeployed => "not deployed; `flyte apply` creates it".into(),
        Note::AlreadyGone => "it is gone already".into(),
        Note::RunsForAMoment => {
            "runs for a moment before it is stopped again: this server keeps only a spec that it runs".into()
        }
        Note::MayRunForAMoment => {
            "may run for a moment before it is stopped: whether this server keeps apps stopped is unknown".into()
        }
        Note::NotActedOn { keys } => {
            let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
            let what = if keys.len() == 1 { "it" } else { "them" };
            format!("this server keeps {} and does not act on {what}", keys.join(", "))
        }
        Note::ServedBySdk => {
            "the embedded control plane runs it as a process, with the `fserve` of the Flyte SDK that is installed here; \
             its image is not used"
                .into()
        }
        Note::NotPacked { paths } => {
            let shown: Vec<String> =
                paths.iter().take(MAX_PATHS).map(|path| format!("`{}`", printable(path))).collect();
            let more =
                if paths.len() > MAX_PATHS { format!(" and {} more", paths.len() - MAX_PATHS) } else { String::new() };
            format!(
                "not packed, since they may hold credentials: {}{more}; what is named in `include` is packed",
                shown.join(", ")
            )
        }
        Note::ImageNotUsed => "the embedded control plane runs it as a process; its image is not used".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(3 << 30), "3.0 GiB");
        assert_eq!(duration(Duration::from_millis(420)), "0.4 s");
        assert_eq!(duration(Duration::from_secs(185)), "3 min 5 s");
        assert_eq!(count(1, "field"), "1 field");
    }

    #[test]
    fn lines_break_between_words() {
        let check = |text: &str, used, expected: &[&str]| assert_eq!(wrap(text, 10, used), expected, "{text}");
        check("", 0, &[""]);
        check("one two six", 0, &["one two", "six"]);
        check("one two sixe", 0, &["one two", "sixe"]);
        check("one two si", 0, &["one two si"]);
        check("one two six", 4, &["one", "two six"]);
        check("one two six", 9, &["", "one two", "six"]);
        check("unbreakable words", 0, &["unbreakable", "words"]);
        check("a unbreakable", 0, &["a", "unbreakable"]);
        check(&format!("one two, {}", unbroken("si x")), 0, &["one two,", "si x"]);
    }
}
