//! Calls that are refused only with some arguments. Only arguments in registers can be looked at, and those
//! cannot be changed behind our back.

use crate::bpf::{Action, Assembler, Test, Word};
use crate::rung::Rung;

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

/// The kind of a request of `ioctl`: its second byte says whom it is for.
const REQUEST_KIND: u32 = 0xff00;
/// For terminals.
const TERMINALS: u32 = 0x5400;
/// For file systems: any (`f`, `v`, `X`), FAT, btrfs, bcachefs, f2fs, OCFS2, Ceph. Whoever may read a file may ask
/// them to change what is said of it, and folders to be filled.
const FILE_SYSTEMS: [u32; 9] = [0x6600, 0x7600, 0x5800, 0x7200, 0x9400, 0xbc00, 0xf500, 0x6f00, 0x9700];
/// Of those, what only reads, or writes where the caller could: flags, attributes and version of a file, where it lies
/// on the disk, its encryption and seal, its file system's name; and copies that share their blocks.
const HARMLESS: [u32; 11] = [
    0x8008_6601,
    0x801c_581f,
    0x8008_7601,
    0xc020_660b,
    0x400c_6615,
    0xc009_6616,
    0xc004_6686,
    0x8100_9431,
    0x4004_9409,
    0x4020_940d,
    0xc018_9436,
];

/// Asked for by runtimes and debuggers, and harmless: plain Linux, 32-bit words, old version numbers, addresses
/// that are not randomised; and the question what it is now.
const PERSONALITIES: [u32; 6] = [0, 0x8, 0x2_0000, 0x2_0008, 0x4_0000, u32::MAX];

/// Data with the first packet, to an address that comes with it: a way around `connect`.
const FAST_OPEN: u32 = libc::MSG_FASTOPEN as u32;

/// Options of a socket that decide by which way its packets go, whatever address it is connected to: routes
/// through other machines, and devices. By level.
const STEERING: [(libc::c_int, &[libc::c_int]); 3] = [
    (libc::SOL_SOCKET, &[libc::SO_BINDTODEVICE, libc::SO_BINDTOIFINDEX]),
    (libc::IPPROTO_IP, &[libc::IP_OPTIONS, IP_UNICAST_IF]),
    (
        libc::IPPROTO_IPV6,
        &[
            libc::IPV6_HOPOPTS,
            libc::IPV6_RTHDRDSTOPTS,
            libc::IPV6_RTHDR,
            libc::IPV6_DSTOPTS,
            libc::IPV6_2292HOPOPTS,
            libc::IPV6_2292DSTOPTS,
            libc::IPV6_2292RTHDR,
            libc::IPV6_2292PKTOPTIONS,
            IPV6_UNICAST_IF,
        ],
    ),
];
/// Who runs a file with these becomes its owner, or one of its group: of a folder of root's, root, once it is run
/// outside, where nothing holds it.
const BORROWED_RIGHTS: u32 = libc::S_ISUID | libc::S_ISGID;
/// With these flags, and only with these, opening takes a mode.
const MAKING: u32 = (libc::O_CREAT | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u32;
const IP_UNICAST_IF: libc::c_int = 50;
const IPV6_UNICAST_IF: libc::c_int = 76;

/// `clone(flags, …)`.
pub(super) fn clone(asm: &mut Assembler) {
    notify_any_of(asm, Word::Low(0), NAMESPACES);
}

/// `unshare(flags)`.
pub(super) fn unshare(asm: &mut Assembler) {
    notify_any_of(asm, Word::Low(0), NAMESPACES | NEW_TIME);
}

/// `ioctl(_, request, …)`.
pub(super) fn ioctl(asm: &mut Assembler, rung: Rung) {
    let [terminal, file_system] = [(); 2].map(|()| asm.label());
    asm.load(Word::Low(1));
    asm.keep(REQUEST_KIND);
    asm.when(Test::Equal(TERMINALS), terminal);
    if rung == Rung::B {
        for kind in FILE_SYSTEMS {
            asm.when(Test::Equal(kind), file_system);
        }
    }
    asm.answer(Action::Allow);
    asm.place(terminal);
    one_of(asm, Word::Low(1), &TERMINAL_TRICKS, Action::Notify, Action::Allow);
    asm.place(file_system);
    one_of(asm, Word::Low(1), &HARMLESS, Action::Allow, Action::Notify);
}

/// Whether a request of `ioctl` is for a file system, where the supervisor was asked about it.
pub(crate) const fn is_for_file_systems(request: u32) -> bool {
    request & REQUEST_KIND != TERMINALS
}

/// Calls about a process, which comes first: any but the calling one.
pub(super) fn of_others(asm: &mut Assembler) {
    one_of(asm, Word::Low(0), &[0], Action::Allow, Action::Notify);
}

/// Calls about one or more processes, by what the second argument is: any but the calling one and its group. All of a
/// user's are `whole_user`.
pub(super) fn of_several(asm: &mut Assembler, whole_user: u32) {
    let all = asm.label();
    asm.load(Word::Low(0));
    asm.when(Test::Equal(whole_user), all);
    one_of(asm, Word::Low(1), &[0], Action::Allow, Action::Notify);
    asm.place(all);
    asm.answer(Action::Notify);
}

/// `personality(persona)`.
pub(super) fn personality(asm: &mut Assembler) {
    one_of(asm, Word::Low(0), &PERSONALITIES, Action::Allow, Action::Notify);
}

/// `sendto`, `sendmsg` and `sendmmsg`, which have their flags in different places.
pub(super) fn send(asm: &mut Assembler, flags: u8) {
    notify_any_of(asm, Word::Low(flags), FAST_OPEN);
}

/// `setsockopt(_, level, option, …)`.
pub(super) fn socket_option(asm: &mut Assembler) {
    let levels = STEERING.map(|(level, options)| (level, options, asm.label()));
    asm.load(Word::Low(1));
    for (level, _, label) in levels {
        asm.when(Test::Equal(level as u32), label);
    }
    asm.answer(Action::Allow);
    for (_, options, label) in levels {
        asm.place(label);
        let values: Vec<u32> = options.iter().map(|option| *option as u32).collect();
        one_of(asm, Word::Low(2), &values, Action::Notify, Action::Allow);
    }
}

/// Calls that give a file a mode, which is this argument.
pub(super) fn mode(asm: &mut Assembler, mode: u8) {
    notify_any_of(asm, Word::Low(mode), BORROWED_RIGHTS);
}

/// Whether a mode lends the rights of who owns a file.
pub(crate) const fn lends_rights(mode: u32) -> bool {
    mode & BORROWED_RIGHTS != 0
}

/// Calls that open, and may make a file: their flags and their mode.
pub(super) fn open(asm: &mut Assembler, flags: u8, mode: u8) {
    let making = asm.label();
    asm.load(Word::Low(flags));
    asm.when(Test::AnyOf(MAKING), making);
    asm.answer(Action::Allow);
    asm.place(making);
    notify_any_of(asm, Word::Low(mode), BORROWED_RIGHTS);
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
