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
    set_capabilities(&[0; 6])?;
    process::control(libc::PR_SET_NO_NEW_PRIVS, 1)
}

/// While it lives, the calling thread has no more rights to files than the commands of its jail: no capabilities, and of
/// root's the groups that [the spawner](crate::spawner) left. Other threads are as before.
#[derive(Debug)]
pub(crate) struct Lowered {
    /// What the thread had, when that was something.
    capabilities: Option<[u32; 6]>,
    /// The groups it was in, where it left them.
    groups: Option<Vec<libc::gid_t>>,
}

impl Lowered {
    /// # Errors
    /// What the kernel says: then nothing is to be done for a command.
    pub(crate) fn here() -> io::Result<Self> {
        let mut lowered = Self { capabilities: None, groups: None };
        if process::identity().0 == 0 {
            let groups = process::groups()?;
            if !groups.is_empty() {
                process::set_own_groups(&[])?;
                lowered.groups = Some(groups);
            }
        }
        let had = capabilities()?;
        let [effective, permitted, inheritable, more_effective, more_permitted, more_inheritable] = had;
        if effective != 0 || more_effective != 0 {
            set_capabilities(&[0, permitted, inheritable, 0, more_permitted, more_inheritable])?;
            lowered.capabilities = Some(had);
        }
        Ok(lowered)
    }
}

impl Drop for Lowered {
    fn drop(&mut self) {
        // Only what it had: the kernel has no reason to refuse. Should it, the thread goes on with less.
        if let Some(had) = self.capabilities {
            let _ = set_capabilities(&had);
        }
        if let Some(groups) = &self.groups {
            let _ = process::set_own_groups(groups);
        }
    }
}

/// The calling thread's sets: effective, permitted and inheritable, lower halves first.
fn capabilities() -> io::Result<[u32; 6]> {
    let header: [u32; 2] = [VERSION, 0];
    let mut sets = [0_u32; 6];
    // SAFETY: a header of the third version, and room for its three sets in two words each; both outlive the call.
    check(unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()) } as i64)?;
    Ok(sets)
}

fn set_capabilities(sets: &[u32; 6]) -> io::Result<()> {
    let header: [u32; 2] = [VERSION, 0];
    // SAFETY: a header of the third version, and its three sets in two words each; both outlive the call.
    check(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) } as i64).map(drop)
}

fn clear_ambient() -> io::Result<()> {
    let zero: libc::c_ulong = 0;
    // SAFETY: takes numbers.
    let done = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, zero, zero, zero) };
    crate::sys::check_int(done).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_gave_up_for_a_while_it_has_again() -> io::Result<()> {
        let (before, groups) = (capabilities()?, process::groups()?);
        let lowered = Lowered::here()?;
        let [effective, permitted, _, more_effective, ..] = capabilities()?;
        assert_eq!((effective, more_effective), (0, 0));
        assert_eq!(Some(permitted), before.get(1).copied());
        let is_root = process::identity().0 == 0;
        assert_eq!(process::groups()?, if is_root { Vec::new() } else { groups.clone() });
        drop(lowered);
        assert_eq!((capabilities()?, process::groups()?), (before, groups));
        Ok(())
    }
}
