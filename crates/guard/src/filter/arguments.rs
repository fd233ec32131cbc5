//! Calls that are refused only with some arguments. Only arguments in registers can be looked at, and those
//! cannot be changed behind our back.

use crate::bpf::{Action, Assembler, Test, Word};

/// A new namespace of any kind, as `clone` takes it. (A time namespace shares its bit with the signal that
/// `clone` sends at the end, and cannot be asked for there.)
const NAMESPACES: u32 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP) as u32;
const NEW_TIME: u32 = 0x80;

/// Types into a terminal, pastes into a console, changes what a line means, takes the console's output.
const TERMINAL_TRICKS: [u32; 4] = [0x5412, 0x541c, 0x5423, 0x541d];

/// Asked for by runtimes and debuggers, and harmless: plain Linux, 32-bit words, old version numbers, addresses
/// that are not randomised; and the question what it is now.
const PERSONALITIES: [u32; 6] = [0, 0x8, 0x2_0000, 0x2_0008, 0x4_0000, u32::MAX];

/// Data with the first packet, to an address that comes with it: a way around `connect`.
const FAST_OPEN: u32 = libc::MSG_FASTOPEN as u32;

/// `clone(flags, …)`.
pub(super) fn clone(asm: &mut Assembler) {
    notify_any_of(asm, Word::Low(0), NAMESPACES);
}

/// `unshare(flags)`.
pub(super) fn unshare(asm: &mut Assembler) {
    notify_any_of(asm, Word::Low(0), NAMESPACES | NEW_TIME);
}

/// `ioctl(_, request, …)`.
pub(super) fn ioctl(asm: &mut Assembler) {
    one_of(asm, Word::Low(1), &TERMINAL_TRICKS, Action::Notify, Action::Allow);
}

/// `personality(persona)`.
pub(super) fn personality(asm: &mut Assembler) {
    one_of(asm, Word::Low(0), &PERSONALITIES, Action::Allow, Action::Notify);
}

/// `sendto`, `sendmsg` and `sendmmsg`, which have their flags in different places.
pub(super) fn send(asm: &mut Assembler, flags: u8) {
    notify_any_of(asm, Word::Low(flags), FAST_OPEN);
}

fn notify_any_of(asm: &mut Assembler, word: Word, bits: u32) {
    let refused = asm.label();
    asm.load(word);
    asm.when(Test::AnyOf(bits), refused);
    asm.answer(Action::Allow);
    asm.place(refused);
    asm.answer(Action::Notify);
}

fn one_of(asm: &mut Assembler, word: Word, values: &[u32], then: Action, otherwise: Action) {
    let listed = asm.label();
    asm.load(word);
    for value in values {
        asm.when(Test::Equal(*value), listed);
    }
    asm.answer(otherwise);
    asm.place(listed);
    asm.answer(then);
}
