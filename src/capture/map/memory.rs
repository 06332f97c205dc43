//! How much memory the program may take: of the machine, of its control groups (both versions), of its own limit.

use std::path::Path;

/// Memory that is free by the system's account, and by all limits the program runs under.
pub(super) fn free() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let free = available(&text)?;
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let least = |free: u64, allowed: Option<u64>| allowed.map_or(free, |allowed| free.min(allowed));
    let free = paths(&groups).into_iter().map(|group| allowed(&group)).fold(free, least);
    Some(least(free, addresses()))
}

fn available(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.saturating_mul(1024))
}

/// A control group: where its files are, and what they are called.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    folder: String,
    limit: &'static str,
    used: &'static str,
    /// The row of `memory.stat` that says what of it is cache, to be had back.
    cache: &'static str,
}

/// The control groups that may limit memory, by `/proc/self/cgroup`: the program's own and all above it. A container often
/// sees its own group as the root, so the root is always among them.
fn paths(text: &str) -> Vec<Group> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, limit, used, cache) = if controllers.is_empty() {
            ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file ")
        } else if controllers.split(',').any(|name| name == "memory") {
            (
                "/sys/fs/cgroup/memory",
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                "total_inactive_file ",
            )
        } else {
            continue;
        };
        let mut path = path.trim_end_matches('/');
        loop {
            found.push(Group { folder: format!("{root}{path}"), limit, used, cache });
            match path.rsplit_once('/') {
                Some((above, _)) => path = above,
                None => break,
            }
        }
    }
    found
}

fn allowed(group: &Group) -> Option<u64> {
    let read = |name: &str| std::fs::read_to_string(Path::new(&group.folder).join(name)).ok();
    let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
    let most = number(group.limit)?;
    let cache = read("memory.stat").and_then(|text| {
        text.lines().find_map(|line| line.strip_prefix(group.cache)?.trim().parse::<u64>().ok())
    });
    let used = number(group.used).unwrap_or(0).saturating_sub(cache.unwrap_or(0));
    Some(most.saturating_sub(used))
}

/// What the limit on addresses (`ulimit -v`) leaves.
fn addresses() -> Option<u64> {
    let most = rustix::process::getrlimit(rustix::process::Resource::As).current?;
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split_whitespace().next()?.parse().ok()?;
    Some(most.saturating_sub(pages.saturating_mul(rustix::param::page_size() as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_both_versions_and_all_above_are_asked() {
        let folders = |text: &str| paths(text).into_iter().map(|group| group.folder).collect::<Vec<_>>();
        assert_eq!(
            folders("0::/user.slice/run-r1.scope\n"),
            ["/sys/fs/cgroup/user.slice/run-r1.scope", "/sys/fs/cgroup/user.slice", "/sys/fs/cgroup"]
        );
        assert_eq!(folders("0::/\n"), ["/sys/fs/cgroup"]);
        assert_eq!(
            folders("12:cpu,cpuacct:/x\n4:memory:/docker/ab\n"),
            ["/sys/fs/cgroup/memory/docker/ab", "/sys/fs/cgroup/memory/docker", "/sys/fs/cgroup/memory"]
        );
        assert!(paths("nonsense").is_empty());
    }

    #[test]
    fn free_memory_is_read_from_the_system() {
        assert_eq!(available("MemTotal: 5 kB\nMemAvailable:   2048 kB\n"), Some(2 << 20));
        assert!(free().is_some_and(|free| free > 0));
    }
}
