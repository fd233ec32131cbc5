//! Changing what is said of files, where Landlock alone holds them (rung B): it has no right for that.
//!
//! The file that a call means is looked up once, as the tool would: from its folder or descriptor, with no more rights
//! than it has. What was found is held, it is seen where that lies ([`given`](crate::given)), and it is changed by what
//! holds it. Whatever becomes of the name meanwhile, it is not asked for again.
//!
//! The tool has the supervisor's root: it cannot take another (`chroot` is refused), and rung B has no namespaces. But
//! links that the kernel makes up lead elsewhere for us than for the tool: they are not followed, except where a path
//! is plainly another word for one of its descriptors, as libraries write it.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::path::PathBuf;

use super::change::{Change, Time};
use super::connect::errno;
use super::{Early, Outcome, Stepped, Supervisor, descriptor};
use crate::attempt::{Attempt, Class, Destination, Seen};
use crate::caps::Lowered;
use crate::filter::{arguments, calls};
use crate::given::{self, Lies};
use crate::notify::Call;
use crate::sys::check;
use crate::weaken;

/// The longest path, in bytes, as in the kernel.
const PATH_BYTES_MAX: usize = 4096;
/// The longest name of an attribute, and its end.
const ATTRIBUTE_BYTES_MAX: usize = 256;
/// The longest value of an attribute, as in the kernel.
const VALUE_BYTES_MAX: usize = 65_536;
/// All of a mode that can be set.
const MODE: u32 = 0o7777;
/// Requests of `ioctl` that change a file, and how long what they name is: `FS_IOC_SETFLAGS`, `FS_IOC_FSSETXATTR`.
const CHANGING: [(u32, usize); 2] = [(0x4008_6602, 4), (0x401c_5820, 28)];
const NO_FOLLOW: u64 = libc::AT_SYMLINK_NOFOLLOW as u64;
const EMPTY: u64 = libc::AT_EMPTY_PATH as u64;
/// As a register: the lower half is all that counts.
const HERE: u64 = libc::AT_FDCWD as u32 as u64;

/// Which file a call means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// What this descriptor is. It has to be open, not only held.
    Descriptor(u64),
    /// What this path in its memory leads to, from this folder.
    Path { from: u64, path: u64, flags: u64 },
}

impl Which {
    const fn path(path: u64) -> Self {
        Self::Path { from: HERE, path, flags: 0 }
    }

    const fn link(path: u64) -> Self {
        Self::Path { from: HERE, path, flags: NO_FOLLOW }
    }

    /// The flags that most calls know.
    const fn at(from: u64, path: u64, flags: u64) -> Stepped<Self> {
        let flags = flags & 0xffff_ffff;
        if flags & !(NO_FOLLOW | EMPTY) == 0 {
            Ok(Self::Path { from, path, flags })
        } else {
            Err(Early::fails(libc::EINVAL))
        }
    }

    /// Without a path it is the descriptor itself that is meant, where there is one.
    const fn perhaps(from: u64, path: u64, flags: u64) -> Stepped<Self> {
        if path != 0 || from as u32 == HERE as u32 {
            return Self::at(from, path, flags);
        }
        if flags as u32 == 0 { Ok(Self::Descriptor(from)) } else { Err(Early::fails(libc::EINVAL)) }
    }
}

/// Whether the supervisor does this call itself, in rung B.
pub(super) fn are_changed_by(call: &Call) -> bool {
    let [_, request, ..] = call.args;
    calls::CHANGES.iter().any(|change| change.number == call.number)
        || (libc::c_long::from(call.number) == libc::SYS_ioctl && arguments::is_for_file_systems(request as u32))
}

impl Supervisor {
    /// A call that changes what is said of a file.
    pub(super) fn change(&self, call: &Call) -> Stepped<Outcome> {
        let Some((which, change)) = self.asked(call)? else { return self.refuse_request() };
        if matches!(change, Change::Mode(mode) if arguments::lends_rights(mode)) {
            return self.refuse(&calls::find(call.number));
        }
        let (file, lowered) = self.pin(call, which)?;
        let lies = if weaken::asked("skip_file_guard") { Ok(Lies::Inside) } else { self.given.place(file.as_fd()) };
        let outcome = match lies {
            Ok(Lies::Inside) => answer(change.make(file.as_fd())),
            // As where it lies under a view of its own.
            Ok(Lies::Kept) => Outcome::fails(libc::EROFS),
            Ok(Lies::Outside) | Err(_) => {
                drop(lowered);
                return self.refuse_change(call);
            }
        };
        Ok(outcome)
    }

    /// Tells of a file that is not to be changed, and refuses it.
    fn refuse_change(&self, call: &Call) -> Stepped<Outcome> {
        let op = calls::find(call.number).attempt.op;
        self.tell(Seen::notice(Attempt::call(op, Destination::None)))?;
        Ok(Outcome::fails(libc::EPERM))
    }

    /// Tells of a request to a file system that nobody here understands, and refuses it as most of them do.
    fn refuse_request(&self) -> Stepped<Outcome> {
        let attempt = Attempt::call("ioctl", Destination::None);
        self.tell(Seen { attempt, class: Class::Notice, subject: None })?;
        Ok(Outcome::fails(libc::ENOTTY))
    }

    /// What a call asks for; `None` when that is not known.
    fn asked(&self, call: &Call) -> Stepped<Option<(Which, Change)>> {
        let [a, b, c, d, e, _] = call.args;
        let mode = |mode: u64| Change::Mode(mode as u32 & MODE);
        let owners = |user: u64, group: u64| Change::Owners(user as u32, group as u32);
        Ok(Some(match libc::c_long::from(call.number) {
            libc::SYS_fchmod => (Which::Descriptor(a), mode(b)),
            libc::SYS_fchmodat => (Which::at(a, b, 0)?, mode(c)),
            number if number == libc::c_long::from(calls::FCHMODAT2) => (Which::at(a, b, d)?, mode(c)),
            libc::SYS_fchown => (Which::Descriptor(a), owners(b, c)),
            libc::SYS_fchownat => (Which::at(a, b, e)?, owners(c, d)),
            libc::SYS_utimensat => (Which::perhaps(a, b, d)?, self.times(call, c, 1)?),
            libc::SYS_setxattr => (Which::path(a), self.attribute(call)?),
            libc::SYS_lsetxattr => (Which::link(a), self.attribute(call)?),
            libc::SYS_fsetxattr => (Which::Descriptor(a), self.attribute(call)?),
            libc::SYS_removexattr => (Which::path(a), Change::NoAttribute(self.attribute_name(call, b)?)),
            libc::SYS_lremovexattr => (Which::link(a), Change::NoAttribute(self.attribute_name(call, b)?)),
            libc::SYS_fremovexattr => (Which::Descriptor(a), Change::NoAttribute(self.attribute_name(call, b)?)),
            libc::SYS_ioctl => {
                let request = b as u32;
                let Some((_, length)) = CHANGING.iter().find(|(known, _)| *known == request) else { return Ok(None) };
                (Which::Descriptor(a), Change::Flags(request, self.read(call, c, *length)?))
            }
            #[cfg(target_arch = "x86_64")]
            libc::SYS_chmod => (Which::path(a), mode(b)),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_chown => (Which::path(a), owners(b, c)),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_lchown => (Which::link(a), owners(b, c)),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_utime => (Which::path(a), self.whole_seconds(call, b)?),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_utimes => (Which::path(a), self.times(call, b, 1000)?),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_futimesat => (Which::perhaps(a, b, 0)?, self.times(call, c, 1000)?),
            _ => return Err(Early::fails(libc::ENOSYS)),
        }))
    }

    /// Two times: seconds and a part of one, which is so many nanoseconds.
    fn times(&self, call: &Call, address: u64, unit: i64) -> Stepped<Change> {
        if address == 0 {
            return Ok(Change::Times(None));
        }
        let numbers = numbers::<4>(&self.read(call, address, 32)?);
        let time = |seconds: i64, part: i64| match unit {
            // The kernel knows what it takes, and what stands for now and for no change.
            1 => Ok(Time { seconds, nanoseconds: part }),
            _ if (0..1_000_000).contains(&part) => Ok(Time { seconds, nanoseconds: part.saturating_mul(unit) }),
            _ => Err(Early::fails(libc::EINVAL)),
        };
        let [used, used_part, changed, changed_part] = numbers;
        Ok(Change::Times(Some([time(used, used_part)?, time(changed, changed_part)?])))
    }

    #[cfg(target_arch = "x86_64")]
    fn whole_seconds(&self, call: &Call, address: u64) -> Stepped<Change> {
        if address == 0 {
            return Ok(Change::Times(None));
        }
        let seconds = numbers::<2>(&self.read(call, address, 16)?);
        Ok(Change::Times(Some(seconds.map(|seconds| Time { seconds, nanoseconds: 0 }))))
    }

    fn attribute(&self, call: &Call) -> Stepped<Change> {
        let [_, name, value, length, flags, _] = call.args;
        let name = self.attribute_name(call, name)?;
        let length = usize::try_from(length).ok().filter(|length| *length <= VALUE_BYTES_MAX);
        let Some(length) = length else { return Err(Early::fails(libc::E2BIG)) };
        Ok(Change::Attribute(name, self.read(call, value, length)?, flags as libc::c_int))
    }

    fn attribute_name(&self, call: &Call, address: u64) -> Stepped<CString> {
        let name = self.read_text(call, address, ATTRIBUTE_BYTES_MAX, libc::ERANGE)?;
        CString::new(name).map_err(|_| Early::fails(libc::EINVAL))
    }
}

/// Finding the file.
impl Supervisor {
    /// Holds the file that a call means, as the tool would find it. From then on, and as long as the second lives, this
    /// thread has no more rights to files than the tool.
    fn pin(&self, call: &Call, which: Which) -> Stepped<(OwnedFd, Lowered)> {
        match which {
            Which::Descriptor(number) => {
                let (file, is_open) = self.open_descriptor(call, number)?;
                if is_open { Ok((file, lowered()?)) } else { Err(Early::fails(libc::EBADF)) }
            }
            Which::Path { from, path, flags } => {
                let text = self.read_text(call, path, PATH_BYTES_MAX, libc::ENAMETOOLONG)?;
                if text.is_empty() {
                    if flags & EMPTY == 0 {
                        return Err(Early::fails(libc::ENOENT));
                    }
                    return Ok((self.folder(call, from)?, lowered()?));
                }
                let follow = flags & NO_FOLLOW == 0;
                if follow && let Some(number) = descriptor_named(&text, call.thread) {
                    return Ok((self.open_descriptor(call, number)?.0, lowered()?));
                }
                let folder = if text.starts_with(b"/") { None } else { Some(self.folder(call, from)?) };
                let text = CString::new(text).map_err(|_| Early::fails(libc::ENOENT))?;
                let lowered = lowered()?;
                let file = look_up(folder.as_ref().map(|folder| folder.as_fd()), &text, follow);
                file.map(|file| (file, lowered)).map_err(|error| Early::fails(errno(&error)))
            }
        }
    }

    /// What a call's path begins at, or its descriptor.
    fn folder(&self, call: &Call, from: u64) -> Stepped<OwnedFd> {
        if from as u32 != HERE as u32 {
            return Ok(self.open_descriptor(call, from)?.0);
        }
        let folder = given::hold(&PathBuf::from(format!("/proc/{}/cwd", call.thread)));
        if !self.notify.stands(call) {
            return Err(Early::Decided(Outcome::Settled));
        }
        folder.map_err(|_| self.refuse_unreadable())
    }

    /// Holds what a descriptor is, and says whether it is open, not only held. Not a copy of it: closing one would take
    /// away the locks that this process, which may be a service, has on the same file.
    fn open_descriptor(&self, call: &Call, number: u64) -> Stepped<(OwnedFd, bool)> {
        let number = number as libc::c_int;
        let file = given::hold(&descriptor::link(call.thread, number)).map(|file| (file, is_open(call.thread, number)));
        if !self.notify.stands(call) {
            return Err(Early::Decided(Outcome::Settled));
        }
        file.map_err(|error| match error.raw_os_error() {
            Some(libc::ENOENT) => Early::fails(libc::EBADF),
            _ => self.refuse_unreadable(),
        })
    }
}

/// Whether a descriptor of a thread is open, as its list says: it decides what the tool is told, and nothing else.
fn is_open(thread: u32, number: libc::c_int) -> bool {
    let flags = std::fs::read_to_string(format!("/proc/{thread}/fdinfo/{number}")).ok();
    let flags = flags.as_deref().and_then(|text| text.lines().find_map(|line| line.strip_prefix("flags:")));
    let flags = flags.and_then(|flags| libc::c_int::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & libc::O_PATH == 0)
}

fn answer(made: io::Result<()>) -> Outcome {
    made.map_or_else(|error| Outcome::fails(errno(&error)), |()| Outcome::returns(0))
}

fn lowered() -> Stepped<Lowered> {
    Lowered::here().map_err(|error| Early::fails(errno(&error)))
}

/// The number of one's own descriptor that a path is another word for.
fn descriptor_named(path: &[u8], thread: u32) -> Option<u64> {
    let path = std::str::from_utf8(path).ok()?;
    let number = match path.strip_prefix("/proc/") {
        None => path.strip_prefix("/dev/fd/")?,
        Some(rest) => {
            let (process, number) = rest.split_once("/fd/")?;
            let own = ["self", "thread-self"].contains(&process) || process.parse() == Ok(thread);
            own.then_some(number)?
        }
    };
    (number.bytes().all(|byte| byte.is_ascii_digit())).then(|| number.parse::<u32>().ok())?.map(u64::from)
}

/// Holds what a path leads to, or itself where it is a link that is not to be followed.
fn look_up(from: Option<BorrowedFd<'_>>, path: &CString, follow: bool) -> io::Result<OwnedFd> {
    let from = from.map_or(libc::AT_FDCWD, |from| from.as_raw_fd());
    // SAFETY: all zeroes is a valid value.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (libc::O_PATH | libc::O_CLOEXEC | if follow { 0 } else { libc::O_NOFOLLOW }) as u64;
    how.resolve = libc::RESOLVE_NO_MAGICLINKS;
    // SAFETY: the path and the structure live until the call returns; the descriptor is nobody else's.
    unsafe {
        let held =
            check(libc::syscall(libc::SYS_openat2, from, path.as_ptr(), &raw const how, size_of::<libc::open_how>()))?;
        Ok(OwnedFd::from_raw_fd(held as libc::c_int))
    }
}

/// Numbers as they lie in memory. Fewer than there should be are zero: there are as many as were read.
fn numbers<const N: usize>(bytes: &[u8]) -> [i64; N] {
    let mut numbers = [0; N];
    for (number, bytes) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
        *number = bytes.first_chunk().map_or(0, |bytes| i64::from_ne_bytes(*bytes));
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_paths_are_other_words_for_a_descriptor() {
        for (path, want) in [
            ("/proc/self/fd/7", Some(7)),
            ("/proc/thread-self/fd/0", Some(0)),
            ("/proc/42/fd/10", Some(10)),
            ("/dev/fd/3", Some(3)),
            ("/proc/43/fd/10", None),
            ("/proc/self/fd/7/x", None),
            ("/proc/self/fd/", None),
            ("/proc/self/fd/-1", None),
            ("/proc/self/fd/99999999999", None),
            ("/proc/self/root", None),
            ("/tmp/proc/self/fd/7", None),
            ("fd/7", None),
        ] {
            assert_eq!(descriptor_named(path.as_bytes(), 42), want, "{path}");
        }
    }

    #[test]
    fn links_that_the_kernel_makes_up_are_not_followed() -> io::Result<()> {
        let path = |text: &str| CString::new(text).map_err(io::Error::from);
        assert!(look_up(None, &path("/proc/self/status")?, true).is_ok(), "the control");
        for text in ["/proc/self/root/etc", "/proc/self/cwd", "/proc/self/exe", "/dev/fd/0"] {
            let refused = look_up(None, &path(text)?, true).map_err(|error| error.raw_os_error());
            assert_eq!(refused.map(drop), Err(Some(libc::ELOOP)), "{text}");
        }
        Ok(())
    }
}
