//! Shuts the program in before it reads what strangers wrote: no network, no other programs, only the files asked for.
//!
//! Everything here is best effort: what the system cannot do is told ([`Report`]) and left out. Linux only; elsewhere
//! nothing is done.

use std::path::PathBuf;
use std::sync::OnceLock;

/// What the program needs of the file system.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Files and folders that are read.
    pub reads: Vec<PathBuf>,
    /// Files and folders that are read and written.
    pub writes: Vec<PathBuf>,
}

/// What was shut, in words; `Err` with the reason where it could not be.
#[derive(Clone, Debug)]
pub struct Report {
    /// Files: Landlock.
    pub files: Result<String, String>,
    /// System calls: seccomp.
    pub calls: Result<String, String>,
    /// Rights of root: capabilities.
    pub rights: Result<String, String>,
}

impl Report {
    /// One line for each part.
    pub fn lines(&self) -> [String; 3] {
        let line = |name: &str, what: &Result<String, String>| match what {
            Ok(what) => format!("sandbox: {name}: {what}"),
            Err(why) => format!("sandbox: {name}: NOT in force: {why}"),
        };
        [line("files", &self.files), line("calls", &self.calls), line("rights", &self.rights)]
    }
}

static ENTERED: OnceLock<Report> = OnceLock::new();

/// Whether files outside those asked for are out of reach.
pub fn is_confined() -> bool {
    ENTERED.get().is_some_and(|report| report.files.is_ok())
}

/// What to say of a file that could not be written: the sandbox may be why.
pub fn hint(error: &std::io::Error) -> &'static str {
    if error.kind() == std::io::ErrorKind::PermissionDenied && is_confined() {
        " (this session may write beside its captures, in the current directory and in the temporary one; \
         --no-sandbox lifts that)"
    } else {
        ""
    }
}

/// Shuts the calling thread in, with all it starts later. To be called before any other thread is.
pub fn enter(wanted: &Wanted) -> &'static Report {
    ENTERED.get_or_init(|| system::enter(wanted))
}

#[cfg(target_os = "linux")]
mod system {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    use landlock::{
        ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, Ruleset,
        RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope, path_beneath_rules,
    };
    use rustix::thread::CapabilitySet;
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

    use super::{Report, Wanted};

    /// The newest rules asked for; an older system gets what it knows of them.
    const RULES: ABI = ABI::V6;

    /// What the system tells every program: memory, control groups, time zones.
    const READS: [&str; 8] = [
        "/proc/self",
        "/proc/meminfo",
        "/proc/buddyinfo",
        "/sys/fs/cgroup",
        "/sys/kernel/mm",
        "/etc/localtime",
        "/usr/share/zoneinfo",
        "/dev/urandom",
    ];
    /// Terminals and the like; opened to write, but nothing is made there.
    const DEVICES: [&str; 3] = ["/dev/tty", "/dev/null", "/dev/pts"];

    /// Calls no reading of captures needs: the network, other programs, the system itself.
    const CALLS: &[i64] = &[
        libc::SYS_socket,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_accept,
        libc::SYS_accept4,
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_kexec_load,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_open_by_handle_at,
        libc::SYS_swapon,
        libc::SYS_swapoff,
        libc::SYS_reboot,
        libc::SYS_acct,
        libc::SYS_quotactl,
        libc::SYS_clock_settime,
        libc::SYS_settimeofday,
    ];

    pub(super) fn enter(wanted: &Wanted) -> Report {
        // The order matters: Landlock opens files to make rules of them, and its own calls need no rights.
        let rights = drop_rights();
        let files = confine(wanted).map_err(|error| error.to_string()).and_then(|status| status);
        Report { files, calls: filter().map_err(|error| error.to_string()), rights }
    }

    fn confine(wanted: &Wanted) -> Result<Result<String, String>, landlock::RulesetError> {
        let read = AccessFs::from_read(RULES) & !BitFlags::from(AccessFs::Execute);
        let all = AccessFs::from_all(RULES) & !BitFlags::from(AccessFs::Execute);
        let device = read | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
        // A pipe without a name cannot be ruled, and need not be: the program was handed it.
        let is_named = |path: &PathBuf| path.canonicalize().is_ok();
        let reads = READS.iter().map(PathBuf::from).chain(wanted.reads.iter().cloned()).filter(is_named);
        let devices = DEVICES.iter().map(Path::new);
        let writes = wanted.writes.iter().filter(|path| is_named(path));
        let status = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(RULES))?
            .handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?
            .scope(Scope::AbstractUnixSocket)?
            .create()?
            .add_rules(path_beneath_rules(reads, read))?
            .add_rules(path_beneath_rules(devices, device))?
            .add_rules(path_beneath_rules(writes, all))?
            .restrict_self()?;
        Ok(match status.ruleset {
            RulesetStatus::FullyEnforced => Ok("Landlock, only those asked for".to_owned()),
            RulesetStatus::PartiallyEnforced => {
                Ok("Landlock, only those asked for, as far as this kernel can".to_owned())
            }
            RulesetStatus::NotEnforced => Err("this kernel has no Landlock".to_owned()),
        })
    }

    fn filter() -> Result<String, Box<dyn std::error::Error>> {
        rustix::thread::set_no_new_privs(true)?;
        let rules: BTreeMap<i64, Vec<seccompiler::SeccompRule>> =
            CALLS.iter().map(|call| (*call, Vec::new())).collect();
        let refused = SeccompAction::Errno(libc::EPERM as u32);
        let filter =
            SeccompFilter::new(rules, SeccompAction::Allow, refused, std::env::consts::ARCH.try_into()?)?;
        let program: BpfProgram = filter.try_into()?;
        seccompiler::apply_filter(&program)?;
        Ok("seccomp, no network and no other programs; no new privileges".to_owned())
    }

    /// Root keeps what reading and writing files takes, and nothing else.
    fn drop_rights() -> Result<String, String> {
        let mut sets = rustix::thread::capabilities(None).map_err(|error| error.to_string())?;
        if sets.permitted.is_empty() {
            return Ok("none to drop".to_owned());
        }
        let kept = CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH | CapabilitySet::FOWNER;
        sets.permitted &= kept;
        sets.effective &= kept;
        sets.inheritable = CapabilitySet::empty();
        rustix::thread::set_capabilities(None, sets).map_err(|error| error.to_string())?;
        Ok("all dropped but those for files".to_owned())
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Report, Wanted};

    pub(super) fn enter(_: &Wanted) -> Report {
        let none = || Err("only Linux is supported".to_owned());
        Report { files: none(), calls: none(), rights: none() }
    }
}
