//! What is known of the machine without trying: settings, and where this runs.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// The namespaces of a process.
pub(super) const NAMESPACES: [&str; 7] = ["user", "net", "mnt", "pid", "ipc", "uts", "cgroup"];

/// The name of the namespace that this process is in.
pub(super) fn namespace(kind: &str) -> Option<String> {
    let link = std::fs::read_link(format!("/proc/self/ns/{kind}")).ok()?;
    Some(link.to_string_lossy().into_owned())
}

/// How many more domains of Landlock this process could be put in: the kernel stacks sixteen. It is less by one for
/// each that it is in. They are put on a thread that ends.
pub(super) fn domains_left() -> usize {
    std::thread::spawn(|| {
        // SAFETY: no pointers; it holds for this thread.
        unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
        (0..DOMAINS_MAX).take_while(|_| enter_domain()).count()
    })
    .join()
    .unwrap_or_default()
}

/// LIMIT: more than any kernel stacks.
const DOMAINS_MAX: usize = 64;

fn enter_domain() -> bool {
    /// One right, so that there is something to be denied.
    const EXECUTE: u64 = 1;
    let handled = EXECUTE;
    // SAFETY: attributes of the size given, which outlive the call; the descriptor is fresh and closed here.
    unsafe {
        let rules = libc::syscall(
            libc::SYS_landlock_create_ruleset,
            (&raw const handled).cast::<libc::c_void>(),
            size_of_val(&handled),
            0,
        );
        let Ok(rules) = libc::c_int::try_from(rules) else { return false };
        let entered = rules >= 0 && libc::syscall(libc::SYS_landlock_restrict_self, rules, 0) == 0;
        libc::close(rules);
        entered
    }
}

/// What a fix depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Machine {
    /// This program.
    pub(super) program: PathBuf,
    /// `user.max_user_namespaces`.
    pub(super) user_namespaces_max: Option<u64>,
    /// `kernel.unprivileged_userns_clone`, of some distributions.
    pub(super) unprivileged_clone: Option<u64>,
    /// `kernel.apparmor_restrict_unprivileged_userns`, of others.
    pub(super) apparmor_restricts: Option<u64>,
    /// The security modules that are on.
    pub(super) modules: Option<String>,
    /// Whether it looks like a container.
    pub(super) container: bool,
}

impl Machine {
    pub(super) fn current() -> Self {
        let setting = |path: &str| read_to_string(Path::new("/proc/sys").join(path)).ok()?.trim().parse().ok();
        let exists = |path: &str| Path::new(path).exists();
        Self {
            program: std::env::current_exe().unwrap_or_default(),
            user_namespaces_max: setting("user/max_user_namespaces"),
            unprivileged_clone: setting("kernel/unprivileged_userns_clone"),
            apparmor_restricts: setting("kernel/apparmor_restrict_unprivileged_userns"),
            modules: read_to_string("/sys/kernel/security/lsm").ok().map(|modules| modules.trim().to_owned()),
            container: exists("/.dockerenv")
                || exists("/run/.containerenv")
                || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
                || std::env::var_os("container").is_some(),
        }
    }
}
