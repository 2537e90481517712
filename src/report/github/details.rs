//! What changes of one app, folded under its name.

use serde_json::Value;

use super::escape::{code, fence, fenced_line};
use super::page::{clip, units};
use crate::diff::{ChangedFile, FieldChange};
use crate::plan::{AppPlan, Plan, Verb};
use crate::report::Paint;
use crate::report::code::{file_text, headline};
use crate::report::field::{changed_elements, kept_words, shown_fields, value, whose};
use crate::report::plan::{action_word, compared_with, shown_at};
use crate::report::words::{bytes, count, note};

/// What the details of one app may take, its code with it.
const MOST: usize = 12_000;
/// What one value may take.
const VALUE: usize = 600;
/// What one line of code may take.
const LINE: usize = 300;
/// What the last line of a block may take.
const LAST: usize = 200;

/// The details of an app; empty where there are none.
pub fn of(plan: &Plan, app: &AppPlan) -> String {
    let mut block = Block::default();
    if let Some(other) = compared_with(app) {
        block.push("note", &[format!("# {}", clip(&other, VALUE))]);
    }
    for field in shown_fields(app) {
        block.push("field", &field_lines(plan, app, &field));
    }
    for field in &app.kept {
        block.push("field", &[format!("# {}", clip(&kept_words(field), VALUE))]);
    }
    for told in &app.notes {
        block.push("note", &[format!("# {}", clip(&note(told), VALUE))]);
    }
    if matches!(app.verb, Verb::Create | Verb::Update | Verb::Refused) {
        code_lines(plan, app, &mut block);
    }
    if block.lines.is_empty() {
        return String::new();
    }
    let head = format!("{}: {}", code(app.name.as_str()), action_word(app));
    format!("<details><summary>{head}</summary>\n\n{}\n</details>\n\n", fence("diff", &block.finish()))
}

/// Lines up to a limit, and what did not fit, counted by its kind.
#[derive(Debug, Default)]
struct Block {
    lines: Vec<String>,
    used: usize,
    left_out: Vec<(&'static str, usize)>,
}

impl Block {
    /// Adds lines that belong together, or none of them; after the first that does not fit, none of its kind.
    fn push(&mut self, kind: &'static str, lines: &[String]) {
        let lines: Vec<String> = lines.iter().map(|line| fenced_line(line)).collect();
        let size: usize = lines.iter().map(|line| units(line) + 1).sum();
        let is_cut = self.left_out.iter().any(|(cut, _)| *cut == kind);
        if !is_cut && self.used + size + LAST <= MOST {
            self.used += size;
            self.lines.extend(lines);
        } else {
            self.leave_out(kind, 1);
        }
    }

    fn leave_out(&mut self, kind: &'static str, more: usize) {
        match self.left_out.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, number)) => *number += more,
            None => self.left_out.push((kind, more)),
        }
    }

    fn finish(mut self) -> Vec<String> {
        if !self.left_out.is_empty() {
            let left: Vec<String> = self.left_out.iter().map(|(kind, number)| count(*number, kind)).collect();
            self.lines.push(format!("# and more, for want of room: {}", left.join(", ")));
        }
        self.lines
    }
}

fn field_lines(plan: &Plan, app: &AppPlan, field: &FieldChange) -> Vec<String> {
    let show = |sign: char, of: &Value| format!("{sign} {}", clip(&value(of), VALUE));
    let key = clip(&field.key, LINE);
    if let (None, Some(new), Verb::Create) = (&field.old, &field.new, app.verb) {
        return vec![format!("+ {key} = {}", clip(&value(new), VALUE))];
    }
    let place = field.span.map(|span| format!("  ({})", plan.diagnostics.sources.locate(span))).unwrap_or_default();
    let pin = field.pin.as_ref().map(|pin| format!("  ({pin})")).unwrap_or_default();
    let outside = whose(field.changed_by, field.released.as_ref()).unwrap_or_default();
    let mut lines = vec![format!("! {key}{}{}{}", clip(&outside, VALUE), clip(&place, LINE), clip(&pin, LINE))];
    match (&field.old, &field.new) {
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            lines.extend(changed_elements(old, new).into_iter().map(|(sign, item)| show(sign, item)));
        }
        (old, new) => {
            lines.extend(old.iter().map(|old| show('-', old)));
            lines.extend(new.iter().map(|new| show('+', new)));
        }
    }
    lines
}

fn code_lines(plan: &Plan, app: &AppPlan, block: &mut Block) {
    let Some(change) = &app.code else {
        if let Some(bundle) = app.bundle.as_ref().filter(|_| app.changes_code()) {
            let size = bundle.files.iter().map(|file| file.size).sum();
            block.push("line", &[format!("+ code: {}, {}", count(bundle.files.len(), "file"), bytes(size))]);
        }
        return;
    };
    block.push("line", &[format!("! code: {}", headline(app, change))]);
    for file in &change.files {
        block.push("file", &[clip(&file_text(file, Paint::default()), LINE)]);
    }
    match shown_at(plan, app) {
        Some(first) if change.files.iter().any(|file| file.patch.is_some()) => {
            block.push("line", &[format!("# the lines are shown at {first}")]);
        }
        _ => change.files.iter().for_each(|file| patch_lines(file, block)),
    }
}

fn patch_lines(changed: &ChangedFile, block: &mut Block) {
    let Some(patch) = &changed.patch else { return };
    block.push("line of code", &[format!("# {}", clip(&changed.file.path, LINE))]);
    for line in &patch.lines {
        block.push("line of code", &[clip(line, LINE)]);
    }
    if patch.left_out > 0 {
        block.leave_out("line of code", patch.left_out);
    }
}
