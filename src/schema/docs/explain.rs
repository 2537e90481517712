//! The text of `flyte explain KEY`.

use super::super::{Key, Schema};
use super::accepts;

/// The manual text of a key, such as `app.scaling.replicas`, for a terminal; of one that others call so, with what it is
/// here. `None`: there is no such key.
pub fn explain(path: &str) -> Option<String> {
    let schema = Schema::load();
    let Some(key) = schema.lookup(path) else {
        let ours = schema.spelled(path)?;
        return Some(format!("`{path}` is written `{ours}` in an app.\n\n{}", explain(&ours)?));
    };
    let mut text = format!("{path}: {}\n", key.summary);
    if key.planned {
        text.push_str("\nReserved for a later release: a manifest that uses it is refused.\n");
        return Some(text);
    }
    if !key.about.is_empty() {
        text.push_str(&format!("\n{}\n", wrap(&key.about, 80)));
    }
    text.push_str(&format!("\nAccepts:  {}\n", accepts(key)));
    if key.required {
        text.push_str("Required.\n");
    }
    if let Some(default) = &key.default {
        text.push_str(&format!("Default:  {default}\n"));
    }
    let inside = inside(key);
    if !inside.is_empty() {
        text.push_str("\nInside:\n");
        let width = inside.iter().map(|key| key.name.len()).max().unwrap_or(0);
        for key in inside {
            text.push_str(&format!("    {:width$}  {}\n", key.name, key.summary));
        }
    }
    text.push_str("\nExample:\n");
    for line in key.example.lines() {
        text.push_str(&format!("    {line}\n"));
    }
    Some(text)
}

/// The keys of the table, or of the tables in a list or map.
fn inside(key: &Key) -> Vec<&Key> {
    fn tables(forms: &[super::Form]) -> Vec<&Key> {
        forms
            .iter()
            .flat_map(|form| match form {
                super::Form::Table(table) => table.keys.iter().filter(|key| !key.planned).collect(),
                super::Form::Map { element, .. } => tables(element),
                super::Form::List { element, .. } if forms.len() == 1 => tables(element),
                _ => Vec::new(),
            })
            .collect()
    }
    tables(&key.forms)
}

/// Paragraphs filled up to 80 columns; indented lines, which are examples, stay as they are.
pub fn reflow(text: &str) -> String {
    let fill = |block: &str| {
        let is_example = block.lines().any(|line| line.starts_with("    "));
        if is_example { block.to_owned() } else { wrap(block, 80) }
    };
    text.split("\n\n").map(fill).collect::<Vec<_>>().join("\n\n")
}

/// Breaks lines between words at `width` characters.
fn wrap(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is one from the start");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_fit_a_terminal_and_examples_stay() {
        let check = |text: &str, expected: &str| assert_eq!(reflow(text), expected);
        check("a\nb\n\n    x = 1\n    y = 2\n\nc", "a b\n\n    x = 1\n    y = 2\n\nc");
        for page in crate::diagnostic::PAGES {
            let long = reflow(page.text)
                .lines()
                .find(|line| line.chars().count() > 80 && !line.starts_with("    "))
                .map(str::to_owned);
            assert_eq!(long, None, "{}", page.code);
        }
    }
}
