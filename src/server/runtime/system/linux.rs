//! Processes as Linux shows them under `/proc`.

use std::collections::BTreeSet;
use std::fs;

use super::MARK;

/// When the process was started, as a text that no other process with this number has, on this or another boot.
pub fn start_time(process: u32) -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let stat = stat(process)?;
    stat.is_alive().then(|| format!("{}/{}", boot.trim(), stat.start_ticks))
}

/// Some process of the group is not yet a zombie.
pub fn is_group_alive(group: u32) -> bool {
    !members(group).is_empty()
}

/// The processes that carry the mark in their environment.
pub fn marked(token: &str) -> Vec<u32> {
    let entry = format!("{MARK}={token}");
    let carries = |process: &u32| {
        fs::read(format!("/proc/{process}/environ"))
            .is_ok_and(|environment| environment.split(|&byte| byte == 0).any(|found| found == entry.as_bytes()))
    };
    processes().filter(carries).filter(|&process| stat(process).is_some_and(|stat| stat.is_alive())).collect()
}

/// The TCP ports on which the group listens. `None`: this system does not tell.
pub fn listening_ports(group: u32) -> Option<BTreeSet<u16>> {
    let listeners: Vec<(u16, String)> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|table| listeners(&table))
        .collect();
    let sockets: BTreeSet<String> = members(group).into_iter().flat_map(sockets).collect();
    Some(listeners.into_iter().filter(|(_, inode)| sockets.contains(inode)).map(|(port, _)| port).collect())
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn members(group: u32) -> Vec<u32> {
    processes().filter(|&process| stat(process).is_some_and(|stat| stat.group == group && stat.is_alive())).collect()
}

struct Stat {
    state: char,
    group: u32,
    start_ticks: u64,
}

impl Stat {
    fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

fn stat(process: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

/// Source: proc_pid_stat(5): fields 3 (state), 5 (process group) and 22 (start time).
fn parse_stat(text: &str) -> Option<Stat> {
    // The name in parentheses may hold anything, parentheses too.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        group: fields.get(2)?.parse().ok()?,
        start_ticks: fields.get(19)?.parse().ok()?,
    })
}

/// Port and inode of each listening socket. Source: proc_net(5); state 0A is LISTEN.
fn listeners(table: &str) -> Vec<(u16, String)> {
    let row = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if *fields.get(3)? != "0A" {
            return None;
        }
        let (_, port) = fields.get(1)?.rsplit_once(':')?;
        Some((u16::from_str_radix(port, 16).ok()?, (*fields.get(9)?).to_owned()))
    };
    table.lines().skip(1).filter_map(row).collect()
}

/// Inodes of the sockets that the process has open.
fn sockets(process: u32) -> Vec<String> {
    let open = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let inode = |link: std::path::PathBuf| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned());
    open.filter_map(|entry| fs::read_link(entry.path()).ok()).filter_map(inode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_says() {
        let stat =
            parse_stat("42 (a) b) S 1 40 40 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 1").expect("a process");
        assert_eq!((stat.state, stat.group, stat.start_ticks), ('S', 40, 98_765));
        let table = "  sl  local_address rem_address st tx rx tr tm retrnsmt uid timeout inode\n\
                     0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 123 1\n\
                     1: 0100007F:1F91 0100007F:1F90 01 00000000:00000000 00:00000000 00000000 0 0 124 1\n";
        assert_eq!(listeners(table), [(8080, "123".to_owned())]);
    }

    #[test]
    fn this_process_is_alive() {
        assert!(start_time(std::process::id()).is_some());
        assert_eq!(start_time(u32::MAX), None);
    }
}
