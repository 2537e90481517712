//! Finds free loopback ports.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::time::Duration;

/// Ports for the processes of apps. Below the range from which systems take the ports of outgoing connections, so that
/// none of those can occupy a port between its choice and its use.
pub const PROCESSES: Range<u16> = 20_000..26_000;

/// Ports for the stable URLs of apps, for the same reason, and apart so that neither takes the other's.
pub const INGRESS: Range<u16> = 26_000..32_000;

const ATTEMPTS: u64 = 200;

/// A port of the range on which nothing listens and which is not `taken`. `None` if many tries found none.
pub fn free(range: Range<u16>, taken: impl Fn(u16) -> bool) -> Option<u16> {
    // A new `RandomState` per process is all the chance that is needed for two control planes to seldom meet.
    let chance = RandomState::new();
    (0..ATTEMPTS)
        .map(|attempt| {
            let offset = chance.hash_one(attempt) % u64::from(range.end - range.start);
            range.start + u16::try_from(offset).unwrap_or(0)
        })
        .find(|&port| !taken(port) && is_free(port))
}

/// Nothing accepts connections on the port, and it can be bound.
fn is_free(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    // Where a listener on all addresses does not keep others from binding loopback, only connecting shows it.
    TcpStream::connect_timeout(&address, Duration::from_millis(100)).is_err() && TcpListener::bind(address).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_not_free() {
        let busy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let port = busy.local_addr().expect("an address").port();
        assert!(!is_free(port));
        assert_eq!(free(port..port + 1, |_| false), None);
        let found = free(PROCESSES, |_| false).expect("one of six thousand");
        assert!(PROCESSES.contains(&found));
        assert_eq!(free(found..found + 1, |taken| taken == found), None);
    }
}
