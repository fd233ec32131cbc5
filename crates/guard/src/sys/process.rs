//! Processes: made, told apart, signalled, waited for, and what they may no longer do.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use super::{check, check_int};

/// A process that was made.
#[derive(Debug)]
pub(crate) struct Made {
    /// Its number.
    pub(crate) pid: libc::pid_t,
    /// It, whatever becomes of its number.
    pub(crate) handle: OwnedFd,
}

/// Makes a process with these namespaces; `None` in the new one, which goes on from here with a copy of everything.
///
/// # Errors
/// What the kernel says: a namespace that may not be made, a limit.
///
/// # Safety
/// The calling process has one thread: a lock that another one held would stay locked in the copy.
pub(crate) unsafe fn clone(namespaces: libc::c_int) -> io::Result<Option<Made>> {
    let mut handle: RawFd = -1;
    let flags = libc::c_ulong::try_from(namespaces | libc::CLONE_PIDFD | libc::SIGCHLD).unwrap_or(0);
    let none = ptr::null_mut::<libc::c_void>();
    // SAFETY: no memory is shared and no stack given, so it is a fork; the third argument is on every architecture
    // where the new process's descriptor is written. The caller vouches for the single thread.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone, flags, none, &raw mut handle, none, none) } as i64)?;
    if pid == 0 {
        return Ok(None);
    }
    // SAFETY: the kernel opened it for this process.
    let handle = unsafe { OwnedFd::from_raw_fd(handle) };
    Ok(Some(Made { pid: libc::pid_t::try_from(pid).unwrap_or(libc::pid_t::MAX), handle }))
}

/// Ends this process at once: nothing is flushed, nothing dropped.
pub(crate) fn exit_now(code: u8) -> ! {
    // SAFETY: it does not return and touches no memory.
    unsafe { libc::_exit(libc::c_int::from(code)) }
}

/// Ends the process when it is dropped: a copy of a process must never unwind into what its original was doing.
#[derive(Debug)]
pub(crate) struct End;

impl Drop for End {
    fn drop(&mut self) {
        exit_now(125);
    }
}

/// What the kernel knows of this process's beginning.
#[derive(Debug)]
pub(crate) struct Words {
    /// How many threads it has.
    pub(crate) threads: usize,
    /// Where its arguments lie, and right behind them its environment: first and end.
    arguments: (usize, usize),
    environment: (usize, usize),
}

impl Words {
    /// Those of this process.
    ///
    /// # Errors
    /// The kernel does not say.
    pub(crate) fn own() -> io::Result<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/stat")?).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// The name, which may hold anything, is in parentheses; what follows is counted from 3.
    fn parse(stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<usize>().ok();
        let range =
            |first: usize| Some((field(first)?, field(first + 1)?)).filter(|(from, to)| *from > 0 && from <= to);
        Some(Self { threads: field(20)?, arguments: range(48)?, environment: range(50)? })
    }

    /// Whether one of the arguments before `--` is `word`. Nothing is copied.
    pub(crate) fn any_up_to_dashes(&self, word: &str) -> bool {
        let (from, to) = self.arguments;
        // SAFETY: the kernel put this process's arguments there, and nothing has taken them away since.
        let bytes = unsafe { std::slice::from_raw_parts(from as *const u8, to - from) };
        bytes.split(|byte| *byte == 0).skip(1).take_while(|one| *one != b"--").any(|one| one == word.as_bytes())
    }

    /// Overwrites the arguments and the environment, for others who look and for this process itself. It is called
    /// something else from then on.
    pub(crate) fn forget(self, name: &[&[u8]]) {
        for (from, to) in [self.arguments, self.environment] {
            // SAFETY: the memory is this process's own and may be written to; with one thread nobody reads it now,
            // and what is left are strings that end.
            unsafe { std::ptr::write_bytes(from as *mut u8, 0, to - from) };
        }
        let (mut at, to) = self.arguments;
        for word in name {
            if at + word.len() < to {
                // SAFETY: as above; the length was looked at.
                unsafe { std::ptr::copy_nonoverlapping(word.as_ptr(), at as *mut u8, word.len()) };
                at += word.len() + 1;
            }
        }
        // SAFETY: with one thread nobody reads a variable now.
        unsafe { libc::clearenv() };
    }
}

/// Sets a variable of this process, which has one thread.
#[cfg(feature = "weaken")]
pub(crate) fn set_variable(name: &CStr, value: Option<&std::ffi::OsStr>) {
    let value = value.and_then(|value| CString::new(std::os::unix::ffi::OsStrExt::as_bytes(value)).ok());
    if let Some(value) = value {
        // SAFETY: strings that end in zero and outlive the call, which copies them.
        unsafe { libc::setenv(name.as_ptr(), value.as_ptr(), 1) };
    }
}

/// Waits for the end of a child.
pub(crate) fn wait_for_end(pid: libc::pid_t) {
    // SAFETY: no status is asked for.
    while unsafe { libc::waitpid(pid, ptr::null_mut(), libc::__WALL) } < 0
        && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
    {}
}

/// A handle on this very process.
pub(crate) fn own_handle() -> io::Result<OwnedFd> {
    // SAFETY: takes two numbers; a descriptor that it returns is new and ours.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, libc::getpid(), 0) } as i64)?;
    // SAFETY: as above.
    Ok(unsafe { OwnedFd::from_raw_fd(RawFd::try_from(fd).unwrap_or(-1)) })
}

/// Signals the process behind a handle.
pub(crate) fn signal_handle(handle: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let nothing = ptr::null::<libc::siginfo_t>();
    // SAFETY: no information is passed, so there is nothing to read.
    check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, handle.as_raw_fd(), signal, nothing, 0) } as i64)
        .map(drop)
}

/// Signals a process, or a group when the number is negative.
pub(crate) fn signal(pid: libc::pid_t, signal: i32) -> io::Result<()> {
    // SAFETY: takes two numbers.
    check_int(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// A child that has ended, if there is one: its number and how.
pub(crate) fn reap() -> io::Result<Option<(libc::pid_t, libc::c_int)>> {
    let mut status = 0;
    // SAFETY: the status is an int that outlives the call.
    let pid = check_int(unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG | libc::__WALL) })?;
    Ok((pid > 0).then_some((pid, status)))
}

/// A call of `prctl` that takes numbers.
pub(crate) fn control(option: libc::c_int, value: u64) -> io::Result<()> {
    let zero: libc::c_ulong = 0;
    // SAFETY: the options used with this take numbers only.
    check_int(unsafe { libc::prctl(option, value, zero, zero, zero) }).map(drop)
}

/// How willingly this process gives way to others: from -20, not at all, to 19.
pub(crate) fn niceness() -> libc::c_int {
    // SAFETY: takes numbers; of the process itself it cannot fail.
    unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
}

/// Changes that; for all that it makes, too.
pub(crate) fn set_niceness(nice: libc::c_int) -> io::Result<()> {
    // SAFETY: takes numbers.
    check_int(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) }).map(drop)
}

/// How long the calling thread has worked.
pub(crate) fn worked() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place it is written to outlives the call; for this clock it cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
    seconds.saturating_add(Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0)))
}

/// Begins a session of its own, without a terminal.
pub(crate) fn new_session() -> io::Result<()> {
    // SAFETY: takes nothing.
    check_int(unsafe { libc::setsid() }).map(drop)
}

/// Becomes this user and group, for good.
pub(crate) fn become_user(uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: take numbers.
    check_int(unsafe { libc::setresgid(gid, gid, gid) })?;
    // SAFETY: as above.
    check_int(unsafe { libc::setresuid(uid, uid, uid) }).map(drop)
}

/// Who this process is.
pub(crate) fn identity() -> (u32, u32) {
    // SAFETY: take nothing and cannot fail.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

/// Goes to this folder.
pub(crate) fn change_folder(path: &CStr) -> io::Result<()> {
    // SAFETY: a string that ends in zero and outlives the call.
    check_int(unsafe { libc::chdir(path.as_ptr()) }).map(drop)
}

/// What files this process makes do not get.
pub(crate) fn mask_modes(mask: libc::mode_t) {
    // SAFETY: takes a number and cannot fail.
    unsafe { libc::umask(mask) };
}

/// Blocks every signal that can be, so that none is lost before it is waited for.
pub(crate) fn block_signals() -> io::Result<()> {
    // SAFETY: the set is filled before it is used.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut set);
        check_int(libc::sigprocmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut())).map(drop)
    }
}

/// Gives signals the meaning that every program expects at its start.
pub(crate) fn plain_signals() {
    for number in 1..=64 {
        // SAFETY: a default action has no handler. Numbers that cannot be set are refused, which is no harm.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
}

/// Lets signals through again.
pub(crate) fn pass_signals() -> io::Result<()> {
    // SAFETY: the set is emptied before it is used.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        check_int(libc::sigprocmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut())).map(drop)
    }
}

/// Becomes readable when a child has ended. Signals are to be blocked before any child is made.
pub(crate) fn child_signals() -> io::Result<OwnedFd> {
    // SAFETY: the set is emptied before it is used, and outlives the call; the descriptor is new and ours.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        let fd = check_int(libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Takes what [`child_signals`] has to say: several ends may be one signal, so only that there were some counts.
pub(crate) fn forget_signals(signals: &OwnedFd) {
    let mut drained = [0_u8; 1024];
    // SAFETY: a buffer of this length that outlives the call. Nothing to read is no error.
    unsafe { libc::read(signals.as_raw_fd(), drained.as_mut_ptr().cast(), drained.len()) };
}

/// What was asked of a descriptor, and what came.
pub(crate) type Watched = libc::pollfd;

/// Waiting for something to read, or for the end.
pub(crate) fn readable(fd: BorrowedFd<'_>) -> Watched {
    Watched { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 }
}

/// Waits for one of them, at most so long; forever without a time.
pub(crate) fn wait_for(watched: &mut [Watched], at_most: Option<Duration>) -> io::Result<()> {
    let milliseconds = at_most.map_or(-1, |time| {
        // Rounded up, so that a time that has not quite come is not waited for in circles.
        libc::c_int::try_from(time.as_micros().div_ceil(1000)).unwrap_or(libc::c_int::MAX)
    });
    let count = libc::nfds_t::try_from(watched.len()).unwrap_or(0);
    // SAFETY: a slice of this length that outlives the call.
    match check_int(unsafe { libc::poll(watched.as_mut_ptr(), count, milliseconds) }) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        other => other.map(drop),
    }
}

/// Makes a descriptor mean what another does, and stay open in the program that follows.
pub(crate) fn put_at(fd: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    if fd.as_raw_fd() == number {
        // SAFETY: takes numbers; clears the flag that closes it.
        return check_int(unsafe { libc::fcntl(number, libc::F_SETFD, 0) }).map(drop);
    }
    // SAFETY: takes numbers.
    check_int(unsafe { libc::dup2(fd.as_raw_fd(), number) }).map(drop)
}

/// A copy of a descriptor with a number of at least `least`, closed on exec.
pub(crate) fn copy_above(fd: BorrowedFd<'_>, least: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers; what it returns is new and ours.
    let copy = check_int(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) })?;
    // SAFETY: as above.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Closes every descriptor from 3 on but these.
pub(crate) fn close_all_but(kept: &[RawFd]) -> io::Result<()> {
    let mut kept: Vec<u32> = kept.iter().filter_map(|number| u32::try_from(*number).ok()).collect();
    kept.sort_unstable();
    let mut first = 3;
    for number in kept {
        if number > first {
            close_between(first, number - 1)?;
        }
        first = first.max(number.saturating_add(1));
    }
    close_between(first, u32::MAX)
}

/// Leaves all groups but the one it runs as.
///
/// # Errors
/// It is still in one.
pub(crate) fn leave_groups() -> io::Result<()> {
    // SAFETY: no groups, so nothing is read.
    let left = check_int(unsafe { libc::setgroups(0, ptr::null()) });
    // SAFETY: a size of zero only asks how many there are.
    if unsafe { libc::getgroups(0, ptr::null_mut()) } == 0 { Ok(()) } else { left.map(drop) }
}

/// The groups of the calling thread beside its own.
pub(crate) fn groups() -> io::Result<Vec<libc::gid_t>> {
    // SAFETY: a size of zero only asks how many there are.
    let count = check_int(unsafe { libc::getgroups(0, ptr::null_mut()) })?;
    let mut groups = vec![0; usize::try_from(count).unwrap_or(0)];
    // SAFETY: there is room for as many as the size says.
    let count = check_int(unsafe { libc::getgroups(count, groups.as_mut_ptr()) })?;
    groups.truncate(usize::try_from(count).unwrap_or(0));
    Ok(groups)
}

/// Puts the calling thread, and no other, into these groups.
pub(crate) fn set_own_groups(groups: &[libc::gid_t]) -> io::Result<()> {
    // SAFETY: a list of this length that outlives the call; made directly, as the library's concerns all threads.
    check(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) } as i64).map(drop)
}

/// Closes every descriptor from `first` to `last`.
pub(crate) fn close_between(first: u32, last: u32) -> io::Result<()> {
    if first > last {
        return Ok(());
    }
    // SAFETY: takes numbers. Owners of what is closed are in processes that never drop them: they exit or exec.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } as i64).map(drop)
}

/// Becomes another program; returns only when that failed.
pub(crate) fn execute(program: &CStr, arguments: &[CString], environment: &[CString]) -> io::Error {
    let pointers = |texts: &[CString]| -> Vec<*const libc::c_char> {
        texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: two arrays of strings that end in zero, each closed by a null, all of which outlive the call.
    unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// Limits a resource, for good.
pub(crate) fn limit(resource: libc::c_uint, most: u64) -> io::Result<()> {
    // SAFETY: all zeroes is a valid value of two numbers.
    let mut now: libc::rlimit64 = unsafe { std::mem::zeroed() };
    // SAFETY: the place it is written to outlives the call.
    check_int(unsafe { libc::getrlimit64(resource as _, &raw mut now) })?;
    let most = most.min(now.rlim_max);
    let wanted = libc::rlimit64 { rlim_cur: most, rlim_max: most };
    // SAFETY: a value that outlives the call.
    check_int(unsafe { libc::setrlimit64(resource as _, &raw const wanted) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn where_words_lie_is_read_behind_the_name() {
        let after = |threads: &str| {
            let mut fields: Vec<String> = (3..=52).map(|number| (number * 100).to_string()).collect();
            fields[17] = threads.to_owned();
            fields.join(" ")
        };
        let words = Words::parse(&format!("7 (a) b (c) {}", after("1"))).unwrap();
        assert_eq!((words.threads, words.arguments, words.environment), (1, (4800, 4900), (5000, 5100)));
        for bad in [String::new(), "7 (a) S 1".to_owned(), format!("7 (a) {}", after("many"))] {
            assert!(Words::parse(&bad).is_none(), "{bad}");
        }
        assert!(Words::own().unwrap().threads >= 1);
    }

    #[test]
    fn a_word_counts_only_before_the_dashes() {
        let line = b"exeat\0--quiet\0exec\0--\0serve\0";
        let from = line.as_ptr() as usize;
        let words = || Words { threads: 1, arguments: (from, from + line.len()), environment: (0, 0) };
        for (word, found) in [("exec", true), ("serve", false), ("exeat", false), ("exe", false), ("", false)] {
            assert_eq!(words().any_up_to_dashes(word), found, "{word}");
        }
    }
}
