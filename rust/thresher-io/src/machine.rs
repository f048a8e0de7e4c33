//! What the machine and its control group allow this process: memory, processors, open files.
//!
//! A container is held by a control group, of version 1 or 2, and sees the memory of the whole machine in `/proc`. Each
//! group is held by those above it too, so the least limit on the way up counts.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Percent of the memory allowed that a run takes by default: what runs beside it, and the cache of the file system, need
/// the rest.
const DEFAULT_PERCENT: u64 = 60;
/// What is assumed where the system does not say how much memory it has.
const UNKNOWN_MEMORY: u64 = 4 << 30;
/// Version 1 of control groups says "no limit" by a number near the end of 64 bits.
const NO_LIMIT: u64 = 1 << 60;

/// What this process may use.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Memory of the machine in bytes; none where the system does not say.
    pub memory_bytes: Option<u64>,
    /// Limit of the control group in bytes.
    pub cgroup_memory_bytes: Option<u64>,
    /// Processors that the control group gives, as a share of time: 1.5 are one and a half.
    pub cgroup_cpus: Option<f64>,
    /// The version of control groups that holds the memory.
    pub cgroup_version: Option<u32>,
    /// Files that this process may have open.
    pub open_files: Option<u64>,
    /// Memory that a run takes by default.
    pub default_memory_bytes: u64,
}

/// What this process may use.
#[must_use]
pub fn machine() -> Machine {
    let groups = Groups::of_this_process();
    Machine {
        memory_bytes: physical_memory(),
        cgroup_memory_bytes: groups.memory(),
        cgroup_cpus: groups.cpus(),
        cgroup_version: groups.memory.as_ref().map(|group| group.version),
        open_files: open_files(),
        default_memory_bytes: default_memory(),
    }
}

/// Memory that a run takes by default: 60 % of what the machine or the control group allows, the less.
#[must_use]
pub fn default_memory() -> u64 {
    let limits = [physical_memory(), Groups::of_this_process().memory()];
    let allowed = limits.into_iter().flatten().min().unwrap_or(UNKNOWN_MEMORY);
    allowed / 100 * DEFAULT_PERCENT
}

#[cfg(unix)]
fn physical_memory() -> Option<u64> {
    // SAFETY: both calls only read numbers of the system.
    let (pages, page) = unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
    u64::try_from(pages).ok()?.checked_mul(u64::try_from(page).ok()?).filter(|&bytes| bytes > 0)
}

#[cfg(not(unix))]
fn physical_memory() -> Option<u64> {
    None
}

#[cfg(unix)]
fn open_files() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call fills the struct, which lives as long as the call.
    let done = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    (done == 0).then_some(limit.rlim_cur)
}

#[cfg(not(unix))]
fn open_files() -> Option<u64> {
    None
}

/// One control group: its folder, and that of the topmost one that can be seen.
#[derive(Clone, Debug, PartialEq)]
struct Group {
    version: u32,
    top: PathBuf,
    folder: PathBuf,
}

impl Group {
    /// The least of what the group and those above it say.
    fn least<T: PartialOrd>(&self, limit: impl Fn(&Path) -> Option<T>) -> Option<T> {
        let above = self.folder.ancestors().take_while(|folder| folder.starts_with(&self.top));
        above.filter_map(limit).reduce(|a, b| if b < a { b } else { a })
    }
}

/// The groups that hold the memory and the processors of a process.
#[derive(Debug, Default)]
struct Groups {
    memory: Option<Group>,
    cpu: Option<Group>,
}

impl Groups {
    fn of_this_process() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self::parse(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"))
    }

    fn parse(groups: &str, mounts: &str) -> Self {
        let find = |controller| {
            group(groups, mounts, controller, 1).or_else(|| group(groups, mounts, controller, 2))
        };
        Self { memory: find("memory"), cpu: find("cpu") }
    }

    fn memory(&self) -> Option<u64> {
        let group = self.memory.as_ref()?;
        let file = if group.version == 1 { "memory.limit_in_bytes" } else { "memory.max" };
        group.least(|folder| number(&folder.join(file)).filter(|&bytes| bytes < NO_LIMIT))
    }

    fn cpus(&self) -> Option<f64> {
        let group = self.cpu.as_ref()?;
        group.least(|folder| {
            let (quota, period) = if group.version == 1 {
                (number(&folder.join("cpu.cfs_quota_us"))?, number(&folder.join("cpu.cfs_period_us"))?)
            } else {
                let text = fs::read_to_string(folder.join("cpu.max")).ok()?;
                let (quota, period) = text.trim().split_once(' ')?;
                (quota.parse().ok()?, period.parse().ok()?)
            };
            (period > 0).then(|| quota as f64 / period as f64)
        })
    }
}

/// The group of one controller, from `/proc/self/cgroup` and `/proc/self/mountinfo`.
fn group(groups: &str, mounts: &str, controller: &str, version: u32) -> Option<Group> {
    // Lines of 4:memory:/path in version 1, the one line 0::/path in version 2.
    let path = groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let is_ours = match version {
            1 => controllers.split(',').any(|name| name == controller),
            _ => controllers.is_empty(),
        };
        is_ours.then_some(path)
    })?;
    mounts.lines().find_map(|line| {
        // 36 35 0:31 /root /mount/point options - type source options
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let (root, mount) = (left.next()?, left.next()?);
        let mut right = right.split(' ');
        let (kind, options) = (right.next()?, right.nth(1)?);
        let is_ours = match version {
            1 => kind == "cgroup" && options.split(',').any(|name| name == controller),
            _ => kind == "cgroup2",
        };
        if !is_ours {
            return None;
        }
        let top = PathBuf::from(mount);
        // In a container the mount shows a part of the tree; a path outside of it is that of its top.
        let below = Path::new(path).strip_prefix(root).unwrap_or_else(|_| Path::new(""));
        let folder = top.join(below);
        let folder = if folder.is_dir() { folder } else { top.clone() };
        Some(Group { version, top, folder })
    })
}

/// The number in a file; none if it says `max`, or less than 0.
fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn version_2_counts_the_least_limit_on_the_way_up() {
        let dir = tree(&[
            ("memory.max", "max\n"),
            ("a/memory.max", "1000\n"),
            ("a/cpu.max", "150000 100000\n"),
            ("a/b/memory.max", "2000\n"),
            ("a/b/cpu.max", "max 100000\n"),
        ]);
        let mounts = format!("30 23 0:26 / {} rw,nosuid - cgroup2 cgroup2 rw", dir.path().display());
        let groups = Groups::parse("0::/a/b\n", &mounts);
        assert_eq!((groups.memory(), groups.cpus()), (Some(1000), Some(1.5)));
        assert_eq!(groups.memory.unwrap().version, 2);
        assert_eq!(Groups::parse("0::/\n", &mounts).memory(), None);
    }

    #[test]
    fn version_1_names_its_controllers_and_no_limit_is_a_large_number() {
        let dir = tree(&[
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/job/memory.limit_in_bytes", "4096\n"),
            ("cpu/job/cpu.cfs_quota_us", "-1\n"),
            ("cpu/cpu.cfs_quota_us", "50000\n"),
            ("cpu/cpu.cfs_period_us", "100000\n"),
        ]);
        let top = dir.path().display();
        let mounts = format!(
            "31 23 0:27 / {top}/cpu rw - cgroup cgroup rw,cpu,cpuacct\n32 23 0:28 / {top}/memory rw - cgroup cgroup rw,memory\n"
        );
        let of = |groups: &str| Groups::parse(groups, &mounts);
        let inside = of("5:memory:/job\n4:cpu,cpuacct:/job\n");
        assert_eq!((inside.memory(), inside.cpus()), (Some(4096), Some(0.5)));
        // The path of a container, seen from outside of it, is not there inside: its top is.
        assert_eq!(of("5:memory:/docker/123\n").memory(), None);
        assert_eq!(of("").memory(), None);
    }

    #[test]
    fn the_default_is_a_share_of_what_this_machine_allows() {
        let machine = machine();
        let allowed = machine.memory_bytes.into_iter().chain(machine.cgroup_memory_bytes).min();
        assert_eq!(machine.default_memory_bytes, allowed.unwrap_or(UNKNOWN_MEMORY) / 100 * 60);
        assert!(machine.default_memory_bytes > 0);
    }
}
