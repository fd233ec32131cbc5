//! What one process may use, and how many there may be.

use std::io;

use crate::plan::Limits;
use crate::sys::process;

/// Limits this process and all that it becomes or makes.
///
/// Processes are counted for the user in its namespace: in rung A only those of the call, in rung B all that the user
/// has, which the limit takes into account as of the call's start. Memory is what a
/// process may write to that is its own: what it only reserves (runtimes reserve a lot) is not counted.
///
/// # Errors
/// What the kernel says.
pub(crate) fn apply(limits: &Limits) -> io::Result<()> {
    // A dump would be written wherever the machine says, by the machine.
    process::limit(libc::RLIMIT_CORE, 0)?;
    for (resource, most) in [
        (libc::RLIMIT_DATA, limits.memory_bytes),
        (libc::RLIMIT_NPROC, limits.processes),
        (libc::RLIMIT_NOFILE, limits.open_files),
        (libc::RLIMIT_FSIZE, limits.file_bytes),
    ] {
        if most > 0 {
            process::limit(resource, most)?;
        }
    }
    Ok(())
}
