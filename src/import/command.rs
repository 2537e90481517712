//! The command of `fserve` taken apart.

use super::STARTER;

/// The options of `fserve` that say something about the app.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Starter<'a> {
    pub parameters: Option<&'a str>,
    /// `module:attribute`
    pub python: Option<&'a str>,
    /// Where the code is unpacked, unless it is the working directory.
    pub dest: Option<&'a str>,
    /// The code is a pickled object.
    pub pickled: bool,
}

/// `None` for a command that is not that of the starter, or has more in it than flyte writes.
pub fn starter<'a>(command: &[&'a str]) -> Option<Starter<'a>> {
    let mut words = command.iter().copied();
    if words.next() != Some(STARTER) {
        return None;
    }
    let mut found = Starter::default();
    while let Some(word) = words.next() {
        match word {
            "--" => return words.next().is_none().then_some(found),
            // The scope is the manifest's; the code and the version are none of the command's.
            "--version" | "--project" | "--domain" | "--org" | "--image-cache" | "--tgz" | "--raw-data-path"
            | "--resolver" => {
                words.next()?;
            }
            "--pkl" => {
                words.next()?;
                found.pickled = true;
            }
            "--dest" => found.dest = Some(words.next()?).filter(|dest| *dest != "."),
            "--parameters" => found.parameters = Some(words.next()?),
            "--resolver-args" => found.python = Some(words.next()?),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_is_not_only_the_starters_is_kept() {
        let command = ["fserve", "--version", "v", "--tgz", "s3://b/c", "--dest", ".", "--parameters", "p"];
        let whole: Vec<&str> = command.into_iter().chain(["--resolver", "r", "--resolver-args", "m:v", "--"]).collect();
        assert_eq!(starter(&whole), Some(Starter { parameters: Some("p"), python: Some("m:v"), ..Starter::default() }));
        assert_eq!(starter(&command), None);
        let pickled = Starter { pickled: true, dest: Some("/srv"), ..Starter::default() };
        assert_eq!(starter(&["fserve", "--pkl", "x", "--dest", "/srv", "--"]), Some(pickled));
        assert_eq!(starter(&["fserve", "--unknown", "x", "--"]), None);
        assert_eq!(starter(&["nginx"]), None);
    }
}
