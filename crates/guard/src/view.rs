//! What a call sees of the file system (rung A): a root of its own, in which only what was named is there.
//!
//! Everything is taken as a detached tree and gets its attributes while nobody can use it; then it is put in place in
//! a new root, and the old one is let go of. What lies over something else (masks, protected paths, files of our own)
//! comes after that, when no link can lead out of the view any more.
//!
//! Why each part matters: sockets of the machine's services lie in `/run`, `/tmp` and `/var` (not there); programs
//! that run later and outside lie in the writable folders (protected); credentials lie everywhere (masked).

pub(crate) mod cover;
pub(crate) mod placeholder;
mod skeleton;
mod trees;

pub(crate) use trees::Trees;

use std::path::Path;

use crate::error::{LaunchError, Layer};
use crate::plan::View;
use crate::sys::c_path;
use crate::sys::mount::{self, Depth};
use crate::weaken;

/// Folders of the system that every call sees.
pub(crate) const SYSTEM: [&str; 9] = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32", "/etc", "/opt"];
/// Files of the system that no call sees.
pub(crate) const ALWAYS_MASKED: [&str; 7] = [
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/krb5.keytab",
];
/// Parts of `/proc` that change the machine, for who may.
const PROC_READ_ONLY: [&str; 5] = ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs"];
/// Parts of `/proc` that tell of the machine.
const PROC_MASKED: [&str; 8] = [
    "/proc/kcore",
    "/proc/keys",
    "/proc/key-users",
    "/proc/kmsg",
    "/proc/kallsyms",
    "/proc/timer_list",
    "/proc/scsi",
    "/proc/acpi",
];

pub(crate) fn trouble(what: &str) -> impl FnOnce(std::io::Error) -> LaunchError + '_ {
    LaunchError::of(Layer::MountView, what)
}

/// Gives the calling process, in fresh namespaces that it owns, its view. `trees` are those that its caller took.
///
/// # Errors
/// [`LaunchError::Layer`] with what the kernel refused; [`LaunchError::Plan`]: a path is not there, or cannot be given.
pub(crate) fn build(view: &View, trees: Trees) -> Result<(), LaunchError> {
    mount::make_private().map_err(trouble("make mounts private"))?;
    if weaken::asked("host_mount_view") {
        return Ok(());
    }
    // Not one more below: the filter refuses them too, and this holds without it.
    let _ = std::fs::write("/proc/sys/user/max_user_namespaces", "0");
    let mut root = skeleton::Root::make()?;
    root.furnish(view, trees)?;
    root.enter()?;
    restrict_proc()?;
    cover::all(view)?;
    skeleton::close()
}

/// What changes the machine can only be read, root or not.
fn restrict_proc() -> Result<(), LaunchError> {
    for path in PROC_READ_ONLY {
        let Ok(path) = c_path(Path::new(path)) else { continue };
        match mount::take(&path, Depth::One) {
            Ok(tree) => {
                let tree = std::os::fd::AsFd::as_fd(&tree);
                mount::set(tree, mount::READ_ONLY, Depth::One)
                    .and_then(|()| mount::put(tree, &path))
                    .map_err(trouble("make parts of /proc read-only"))?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(trouble("take parts of /proc")(error)),
        }
    }
    Ok(())
}
