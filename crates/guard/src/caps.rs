//! Giving up every capability, for good.
//!
//! This is what makes a setuid program, a file capability or a user namespace of one's own worth nothing inside:
//! the bounding set is empty, root is nobody special, and no `exec` gives anything back.

use std::io;

use crate::sys::{check, process};
use crate::weaken;

/// The kernel's header of a set of capabilities, in its third version.
const VERSION: u32 = 0x2008_0522;
/// More than any kernel has: the first that it does not know ends the loop.
const HIGHEST: u64 = 63;
/// Root gets nothing by being root, ids do not change capabilities, nothing is kept; each locked.
const SECURE_BITS: u64 = 0b1110_1111;

/// Gives up all of them, and all ways to new privileges. Whoever is made from here on has none either.
///
/// # Errors
/// What the kernel says.
pub(crate) fn give_up() -> io::Result<()> {
    if weaken::asked("keep_capabilities") {
        return Ok(());
    }
    for capability in 0..=HIGHEST {
        match process::control(libc::PR_CAPBSET_DROP, capability) {
            Ok(()) => {}
            // Not one that this kernel has.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => break,
            // It may not be dropped by who does not have it: nor can it be gained, without new privileges.
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => break,
            Err(error) => return Err(error),
        }
    }
    clear_ambient()?;
    match process::control(libc::PR_SET_SECUREBITS, SECURE_BITS) {
        // Only who has capabilities may say this, and only they need it.
        Err(error) if error.raw_os_error() != Some(libc::EPERM) => return Err(error),
        _ => {}
    }
    let header: [u32; 2] = [VERSION, 0];
    let none = [0_u32; 6];
    // SAFETY: a header of the third version, and its three sets in two words each; both outlive the call.
    check(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) } as i64)?;
    process::control(libc::PR_SET_NO_NEW_PRIVS, 1)
}

fn clear_ambient() -> io::Result<()> {
    let zero: libc::c_ulong = 0;
    // SAFETY: takes numbers.
    let done = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, zero, zero, zero) };
    crate::sys::check_int(done).map(drop)
}
