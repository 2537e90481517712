//! Where releases are written to: which control plane a log is of.

use std::fmt;

use super::layout::segment;
use crate::model::Digest;
use crate::model::target::{address, is_of_this_network};

/// One control plane, as far as its records tell it from others. It is a file name.
///
/// An address that everybody understands alike is the place, by whatever target it is reached: a target may be renamed,
/// and one machine's `staging` be another one's `config`. An address that means another machine elsewhere, as that of a
/// forwarded port does, is taken together with the target's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(String);

/// What the name of an embedded control plane begins with. No other target has this name.
const EMBEDDED: &str = "local";

/// The most characters of an address that is its own name; a longer one is cut, and ends in a digest.
const LONGEST: usize = 120;

impl Place {
    /// An embedded control plane, whatever its port is now. `identity` tells those of several machines apart.
    pub fn embedded(identity: Option<&str>) -> Self {
        Self(identity.map_or_else(|| EMBEDDED.to_owned(), |identity| format!("{EMBEDDED}@{}", segment(identity))))
    }

    /// Whether it is an embedded control plane, of this machine or another one.
    pub fn is_embedded(&self) -> bool {
        self.0.split('@').next() == Some(EMBEDDED)
    }

    /// A control plane over the network.
    pub fn remote(target: &str, endpoint: &str) -> Self {
        let address = address(endpoint);
        let name = match is_of_this_network(&address) {
            true => format!("{}@{}", segment(target), segment(&address)),
            false => segment(&address),
        };
        Self(match name.get(..LONGEST) {
            Some(beginning) if name.len() > LONGEST => {
                format!("{beginning}-{}", Digest::of(name.as_bytes()).short())
            }
            _ => name,
        })
    }

    /// Reads the name of a folder; every name is one of a place.
    pub(super) fn of_folder(name: &str) -> Self {
        Self(name.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_by_what_its_address_means() {
        let check = |target: &str, endpoint: &str, expected: &str| {
            assert_eq!(Place::remote(target, endpoint).as_str(), expected, "{target} at {endpoint}");
        };
        // However it is written, and whatever the target is called.
        for endpoint in
            ["dns:///flyte.example.com", "https://Flyte.Example.com/", "flyte.example.com:443", "flyte.example.com"]
        {
            check("staging", endpoint, "flyte.example.com");
            check("config", endpoint, "flyte.example.com");
        }
        check("staging", "flyte.example.com:8443", "flyte.example.com%3a8443");
        check("staging", "https://example.com/flyte/", "example.com%2fflyte");
        check("staging", "http://flyte.example.com:80", "flyte.example.com");
        // These mean something else on every machine.
        check("staging", "http://localhost:8090", "staging@localhost%3a8090");
        check("dev", "dns:///10.0.0.7", "dev@10.0.0.7");
        check("dev", "https://[::1]:8090", "dev@%5b%3a%3a1%5d%3a8090");
        check("dev", "flyte:8090", "dev@flyte%3a8090");
        check("dev", "http://flyte.flyte.svc.cluster.local:8090", "dev@flyte.flyte.svc.cluster.local%3a8090");
        let machines = ["0123456789ab", "ba9876543210"].map(|identity| Place::embedded(Some(identity)));
        assert_ne!(machines[0], machines[1]);
        assert_eq!(machines[0].as_str(), "local@0123456789ab");
        assert!(machines.iter().all(Place::is_embedded) && !Place::remote("dev", "localhost:1").is_embedded());
        let long = Place::remote("staging", &format!("https://example.com/{}", "a/".repeat(300)));
        assert_eq!(long.as_str().len(), LONGEST + 13);
    }
}
