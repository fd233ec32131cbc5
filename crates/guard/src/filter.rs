//! What a confined process may ask of the kernel.
//!
//! By default everything: a list of what is allowed breaks programs with every new library. What is refused is
//! what leads out, and it is refused by asking the supervisor, so that it is told. Only what runtimes try at
//! every turn and do without (`clone3`, numbers that no call has yet) fails without a word.
//!
//! The program looks for the number by halves, so that it decides on any call in a few steps; and where it does
//! not look at arguments, the kernel remembers that the answer is always yes and does not run it at all.
//!
//! # Invariants
//! 1. A decision rests on registers alone. What is in memory is looked at by the supervisor, which then acts
//!    itself instead of letting the call go on.
//! 2. What a number means is known only for one instruction set: a call of any other is refused as a whole.

pub(crate) mod arguments;
pub(crate) mod calls;
pub(crate) mod sockets;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};

use libc::sock_filter;

use crate::bpf::{Action, Assembler, AssemblyError, Label, Test, Word};
use crate::rung::Rung;
use crate::weaken;

/// The instruction set that numbers are understood for, as the kernel calls it.
#[cfg(target_arch = "x86_64")]
pub(crate) const ARCH: u32 = 0xc000_003e;
/// The instruction set that numbers are understood for, as the kernel calls it.
#[cfg(target_arch = "aarch64")]
pub(crate) const ARCH: u32 = 0xc000_00b7;

/// The first number that had no call when this was written: it, and all above, do not exist inside.
pub(crate) const NUMBERS_END: u32 = 470;
/// Where the numbers of the second way to call (x32) begin, and where those that are no numbers do.
#[cfg(target_arch = "x86_64")]
const SECOND_WAY: (u32, u32) = (0x4000_0000, 0x8000_0000);

/// A program for the kernel, ready to be installed without another allocation.
#[derive(Debug, Clone)]
pub struct Program {
    notifying: Box<[sock_filter]>,
    plain: Box<[sock_filter]>,
}

/// Why there is no program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// The rules do not fit together.
    #[error("the filter cannot be put together: {0}")]
    Assembly(#[from] AssemblyError),
}

/// What to do about a range of numbers, up to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Always(Action),
    ByArguments(Label),
}

type Arguments = fn(&mut Assembler, Rung);

/// The program of a rung. To be made before the process is.
///
/// # Errors
/// See [`FilterError`].
pub fn program(rung: Rung) -> Result<Program, FilterError> {
    let mut asm = Assembler::default();
    let native = asm.label();
    asm.load(Word::Arch);
    asm.when(Test::Equal(ARCH), native);
    asm.answer(Action::Notify);
    asm.place(native);
    asm.load(Word::Number);

    let blocks: Vec<_> = by_arguments(rung).into_iter().map(|(number, body)| (number, asm.label(), body)).collect();
    let mut rules: BTreeMap<u32, Rule> =
        always(rung).into_iter().map(|(number, action)| (number, Rule::Always(action))).collect();
    rules.extend(blocks.iter().map(|(number, label, _)| (*number, Rule::ByArguments(*label))));
    dispatch(&mut asm, &ranges(&rules));

    for (_, label, body) in blocks {
        asm.place(label);
        body(&mut asm, rung);
    }
    let notifying = asm.finish()?;
    let plain = notifying.iter().map(|instruction| without_supervisor(*instruction)).collect();
    Ok(Program { notifying, plain })
}

/// The calls that are decided by their number alone.
fn always(rung: Rung) -> Vec<(u32, Action)> {
    let mut rules = vec![
        (number(libc::SYS_connect), Action::Notify),
        // The C library goes on with the old call, whose flags can be looked at.
        (number(libc::SYS_clone3), Action::Errno(libc::ENOSYS as u16)),
        // The same of the call that opens with a mode in memory.
        (number(libc::SYS_openat2), Action::Errno(libc::ENOSYS as u16)),
    ];
    rules.extend(calls::REFUSED.iter().map(|call| (call.number, Action::Notify)));
    if rung == Rung::B {
        rules.extend(
            [libc::SYS_bind, libc::SYS_listen, libc::SYS_getpeername].map(|call| (number(call), Action::Notify)),
        );
        rules.extend(calls::SHARED.iter().chain(calls::CHANGES).map(|call| (call.number, Action::Notify)));
        // Newer ways to the same, without which libraries take the older ones.
        rules.extend(calls::NEWER_CHANGES.map(|number| (number, Action::Errno(libc::ENOSYS as u16))));
    }
    if weaken::asked("drop_ptrace_rule") {
        rules.push((number(libc::SYS_ptrace), Action::Allow));
    }
    rules
}

/// The calls whose arguments decide.
fn by_arguments(rung: Rung) -> Vec<(u32, Arguments)> {
    let mut rules: Vec<(u32, Arguments)> = vec![
        (number(libc::SYS_socket), sockets::socket),
        (number(libc::SYS_socketpair), |asm, _| sockets::pair(asm)),
        (number(libc::SYS_clone), |asm, _| arguments::clone(asm)),
        (number(libc::SYS_unshare), |asm, _| arguments::unshare(asm)),
        (number(libc::SYS_ioctl), arguments::ioctl),
        (number(libc::SYS_personality), |asm, _| arguments::personality(asm)),
        (number(libc::SYS_mknodat), |asm, _| arguments::mode(asm, 2)),
        (number(libc::SYS_openat), |asm, _| arguments::open(asm, 2, 3)),
    ];
    #[cfg(target_arch = "x86_64")]
    rules.extend::<[(u32, Arguments); 3]>([
        (number(libc::SYS_mknod), |asm, _| arguments::mode(asm, 1)),
        (number(libc::SYS_creat), |asm, _| arguments::mode(asm, 1)),
        (number(libc::SYS_open), |asm, _| arguments::open(asm, 1, 2)),
    ]);
    if rung == Rung::A {
        rules.push((number(libc::SYS_fchmod), |asm, _| arguments::mode(asm, 1)));
        rules.push((number(libc::SYS_fchmodat), |asm, _| arguments::mode(asm, 2)));
        rules.push((calls::FCHMODAT2, |asm, _| arguments::mode(asm, 2)));
        #[cfg(target_arch = "x86_64")]
        rules.push((number(libc::SYS_chmod), |asm, _| arguments::mode(asm, 1)));
    }
    if rung == Rung::B {
        for call in calls::OF_A_PROCESS {
            rules.push((number(call), |asm, _| arguments::of_others(asm)));
        }
        rules.push((number(libc::SYS_setpriority), |asm, _| arguments::of_several(asm, calls::ALL_OF_A_USER)));
        rules.push((number(libc::SYS_ioprio_set), |asm, _| arguments::of_several(asm, calls::IO_OF_A_USER)));
        rules.push((number(libc::SYS_sendto), |asm, _| arguments::send(asm, 3)));
        rules.push((number(libc::SYS_sendmsg), |asm, _| arguments::send(asm, 2)));
        rules.push((number(libc::SYS_sendmmsg), |asm, _| arguments::send(asm, 3)));
        rules.push((number(libc::SYS_setsockopt), |asm, _| arguments::socket_option(asm)));
    }
    rules
}

/// Every number there could be, as ranges that begin at a number; neighbours with the same rule are one.
fn ranges(rules: &BTreeMap<u32, Rule>) -> Vec<(u32, Rule)> {
    const UNKNOWN: Rule = Rule::Always(Action::Errno(libc::ENOSYS as u16));
    let mut ranges = vec![(0, Rule::Always(Action::Allow))];
    for (number, rule) in rules {
        ranges.push((*number, *rule));
        ranges.push((number.saturating_add(1), Rule::Always(Action::Allow)));
    }
    ranges.retain(|(start, _)| *start < NUMBERS_END);
    ranges.push((NUMBERS_END, UNKNOWN));
    #[cfg(target_arch = "x86_64")]
    ranges.extend([(SECOND_WAY.0, Rule::Always(Action::Notify)), (SECOND_WAY.1, UNKNOWN)]);
    // Of those that begin at the same number the last one says what holds.
    let last: BTreeMap<u32, Rule> = ranges.into_iter().collect();
    let mut merged: Vec<(u32, Rule)> = Vec::new();
    for (start, rule) in last {
        if merged.last().is_none_or(|(_, before)| *before != rule) {
            merged.push((start, rule));
        }
    }
    merged
}

/// Finds the range of the loaded number, by halves.
fn dispatch(asm: &mut Assembler, ranges: &[(u32, Rule)]) {
    match ranges {
        [] => asm.answer(Action::Notify),
        [(_, Rule::Always(action))] => asm.answer(*action),
        [(_, Rule::ByArguments(label))] => asm.go(*label),
        more => {
            let (lower, upper) = more.split_at(more.len() / 2);
            let here = asm.label();
            let from = upper.first().map_or(u32::MAX, |(start, _)| *start);
            asm.when(Test::AtLeast(from), here);
            dispatch(asm, lower);
            asm.place(here);
            dispatch(asm, upper);
        }
    }
}

/// The same instruction for a program that nobody listens to: what would be asked is refused.
fn without_supervisor(instruction: sock_filter) -> sock_filter {
    if instruction.code == 0x06 && instruction.k == Action::Notify.code() {
        sock_filter { k: Action::Errno(libc::EPERM as u16).code(), ..instruction }
    } else {
        instruction
    }
}

const fn number(call: libc::c_long) -> u32 {
    call as u32
}

/// Puts the calling thread, which must have given up new privileges, under the program. What it asks comes out
/// of the descriptor, to be answered by [`supervise`](crate::supervise::supervise); when nobody holds it any
/// more, what is asked fails. Allocates nothing.
///
/// # Errors
/// What the kernel says: `EBUSY` under a filter that already has a listener.
pub fn install(program: &Program) -> io::Result<OwnedFd> {
    let listening = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    let descriptor = match set(&program.notifying, listening | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) {
        // Before Linux 5.19: signals may take back what was asked.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => set(&program.notifying, listening)?,
        other => other?,
    };
    // SAFETY: with this flag the call returns a descriptor that it opened just now.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Puts the calling thread under the program without a supervisor: what would be asked fails with `EPERM`.
/// Allocates nothing.
///
/// Not for a process that is still to start a supervised one: refusing goes before asking, so what that one
/// tries would be refused without being told.
///
/// # Errors
/// What the kernel says.
pub fn install_plain(program: &Program) -> io::Result<()> {
    set(&program.plain, 0).map(drop)
}

fn set(instructions: &[sock_filter], flags: libc::c_ulong) -> io::Result<libc::c_int> {
    let length = libc::c_ushort::try_from(instructions.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = libc::sock_fprog { len: length, filter: instructions.as_ptr().cast_mut() };
    // SAFETY: the program and its instructions live until the call returns, and the kernel only reads them.
    let returned =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    crate::sys::check(returned).map(|descriptor| descriptor as libc::c_int)
}
