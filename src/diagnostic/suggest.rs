//! `did you mean`.

/// The candidate that `text` most likely means: few edits away, for its length.
pub fn did_you_mean<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = |candidate: &&str| {
        let edits = strsim::damerau_levenshtein(&text.to_ascii_lowercase(), &candidate.to_ascii_lowercase());
        let longest = text.chars().count().max(candidate.chars().count());
        let allowed = match longest {
            0..=2 => 0,
            3..=5 => 1,
            6..=9 => 2,
            _ => 3,
        };
        (edits <= allowed).then_some(edits)
    };
    candidates.into_iter().filter_map(|c| near(&c).map(|edits| (edits, c))).min().map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(did_you_mean(text, ["port", "args", "image", "backend", "depends_on"]), expected, "{text}");
        };
        check("prot", Some("port"));
        check("Image", Some("image"));
        check("bakcend", Some("backend"));
        check("dependson", Some("depends_on"));
        check("colour", None);
        check("", None);
    }
}
