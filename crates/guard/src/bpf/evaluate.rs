//! The packet machine in a few lines, to see what a program does with a call, without making the call.

use libc::sock_filter;

/// What a program sees of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input {
    pub(crate) number: u32,
    pub(crate) arch: u32,
    pub(crate) args: [u64; 6],
}

impl Input {
    /// A call without arguments, made with the instruction set that this is built for.
    pub(crate) fn native(number: u32) -> Self {
        Self { number, arch: crate::filter::ARCH, args: [0; 6] }
    }

    fn word(&self, offset: u32) -> u32 {
        let mut bytes = Vec::from(self.number.to_le_bytes());
        bytes.extend(self.arch.to_le_bytes());
        bytes.extend([0; 8]);
        self.args.iter().for_each(|argument| bytes.extend(argument.to_le_bytes()));
        let at = offset as usize;
        u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
    }
}

/// What the program answers.
pub(crate) fn evaluate(program: &[sock_filter], input: &Input) -> u32 {
    steps(program, input).0
}

/// What the program answers, and after how many instructions.
pub(crate) fn steps(program: &[sock_filter], input: &Input) -> (u32, usize) {
    let (mut at, mut loaded, mut count) = (0_usize, 0_u32, 0);
    loop {
        let instruction = program[at];
        at += 1;
        count += 1;
        let passed = match instruction.code {
            0x20 => {
                loaded = input.word(instruction.k);
                continue;
            }
            0x54 => {
                loaded &= instruction.k;
                continue;
            }
            0x05 => {
                at += instruction.k as usize;
                continue;
            }
            0x06 => return (instruction.k, count),
            0x15 => loaded == instruction.k,
            0x35 => loaded >= instruction.k,
            0x45 => loaded & instruction.k != 0,
            other => unreachable!("an instruction that nothing makes: {other:#x}"),
        };
        at += usize::from(if passed { instruction.jt } else { instruction.jf });
    }
}
