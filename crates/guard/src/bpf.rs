//! Programs for the kernel's packet machine, which is what filters system calls.
//!
//! An assembler with labels, no more: jumps only go forward, and one that is too long for its field is an error
//! and never a jump to somewhere else. What a program does is tested by running it (`evaluate`, in tests).

#[cfg(test)]
pub(crate) mod evaluate;

use libc::sock_filter;

/// LIMIT: the longest program the kernel takes, in instructions.
const INSTRUCTIONS_MAX: usize = 4096;

const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const ANSWER: u16 = 0x06;

/// A word of what a program sees of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// The number of the call.
    Number,
    /// The instruction set it was made with.
    Arch,
    /// The lower half of an argument, counted from 0: all that the kernel looks at where it takes an `int`.
    Low(u8),
}

impl Word {
    /// Where it lies, in bytes. Both instruction sets that are built for have the lower half first.
    const fn offset(self) -> u32 {
        match self {
            Self::Number => 0,
            Self::Arch => 4,
            Self::Low(argument) => 16 + 8 * argument as u32,
        }
    }
}

/// What a word is compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Test {
    /// It is this.
    Equal(u32),
    /// It is this or more, unsigned.
    AtLeast(u32),
    /// It has one of these bits.
    AnyOf(u32),
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// It is made.
    Allow,
    /// The supervisor says.
    Notify,
    /// It fails with this number, and nobody is told.
    Errno(u16),
}

impl Action {
    pub(crate) const fn code(self) -> u32 {
        match self {
            Self::Allow => libc::SECCOMP_RET_ALLOW,
            Self::Notify => libc::SECCOMP_RET_USER_NOTIF,
            Self::Errno(number) => libc::SECCOMP_RET_ERRNO | number as u32,
        }
    }
}

/// A place in a program that may be jumped to, from before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Label(usize);

/// Why a program cannot be put together. It is a mistake in the rules, found before anything starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssemblyError {
    /// A label that is jumped to has no place.
    #[error("a label has no place")]
    Unplaced,
    /// A jump goes backward, or further than its field can say.
    #[error("a jump does not reach its label")]
    OutOfReach,
    /// There are more instructions than the kernel takes.
    #[error("the program is too long")]
    TooLong,
}

/// A program in the making.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    instructions: Vec<sock_filter>,
    jumps: Vec<(usize, Label)>,
    places: Vec<Option<usize>>,
}

impl Assembler {
    /// A label without a place yet.
    pub(crate) fn label(&mut self) -> Label {
        self.places.push(None);
        Label(self.places.len().saturating_sub(1))
    }

    /// Puts the label here.
    pub(crate) fn place(&mut self, label: Label) {
        let here = self.instructions.len();
        if let Some(place) = self.places.get_mut(label.0) {
            *place = Some(here);
        }
    }

    /// Loads a word, to be compared.
    pub(crate) fn load(&mut self, word: Word) {
        self.push(LOAD, word.offset());
    }

    /// Keeps only these bits of what is loaded.
    pub(crate) fn keep(&mut self, bits: u32) {
        self.push(AND, bits);
    }

    /// Goes to the label when what is loaded passes the test, and on to the next instruction when not.
    pub(crate) fn when(&mut self, test: Test, label: Label) {
        self.jumps.push((self.instructions.len(), label));
        match test {
            Test::Equal(value) => self.push(0x15, value),
            Test::AtLeast(value) => self.push(0x35, value),
            Test::AnyOf(bits) => self.push(0x45, bits),
        }
    }

    /// Goes to the label.
    pub(crate) fn go(&mut self, label: Label) {
        self.jumps.push((self.instructions.len(), label));
        self.push(JUMP, 0);
    }

    /// Ends here.
    pub(crate) fn answer(&mut self, action: Action) {
        self.push(ANSWER, action.code());
    }

    fn push(&mut self, code: u16, k: u32) {
        self.instructions.push(sock_filter { code, jt: 0, jf: 0, k });
    }

    /// The finished program.
    ///
    /// # Errors
    /// See [`AssemblyError`].
    pub(crate) fn finish(mut self) -> Result<Box<[sock_filter]>, AssemblyError> {
        if self.instructions.len() > INSTRUCTIONS_MAX {
            return Err(AssemblyError::TooLong);
        }
        for (at, label) in &self.jumps {
            let place = self.places.get(label.0).copied().flatten().ok_or(AssemblyError::Unplaced)?;
            // Counted from the instruction after the jump. The last one of a program is an answer, so every
            // place that is jumped to must have one after it.
            let distance = place.checked_sub(at + 1).ok_or(AssemblyError::OutOfReach)?;
            if place >= self.instructions.len() {
                return Err(AssemblyError::OutOfReach);
            }
            let Some(jump) = self.instructions.get_mut(*at) else { continue };
            if jump.code == JUMP {
                jump.k = u32::try_from(distance).map_err(|_| AssemblyError::OutOfReach)?;
            } else {
                jump.jt = u8::try_from(distance).map_err(|_| AssemblyError::OutOfReach)?;
            }
        }
        Ok(self.instructions.into_boxed_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::evaluate::{Input, evaluate};
    use super::*;

    const ARGUMENT: Word = Word::Low(2);

    fn run(program: &[sock_filter], argument: u64) -> u32 {
        evaluate(program, &Input { args: [0, 0, argument, 0, 0, 0], ..Input::native(0) })
    }

    #[test]
    fn a_test_that_passes_jumps_and_one_that_fails_falls_through() -> Result<(), AssemblyError> {
        for (test, passing, failing) in
            [(Test::Equal(7), 7, 8), (Test::AtLeast(7), 0xffff_ffff, 6), (Test::AnyOf(0b110), 0b1010, 0b1001)]
        {
            let mut asm = Assembler::default();
            let yes = asm.label();
            asm.load(ARGUMENT);
            asm.when(test, yes);
            asm.answer(Action::Allow);
            asm.place(yes);
            asm.answer(Action::Errno(5));
            let program = asm.finish()?;
            assert_eq!(run(&program, passing), Action::Errno(5).code(), "{test:?} {passing}");
            assert_eq!(run(&program, failing), Action::Allow.code(), "{test:?} {failing}");
        }
        Ok(())
    }

    #[test]
    fn only_the_kept_bits_are_compared() -> Result<(), AssemblyError> {
        let mut asm = Assembler::default();
        let yes = asm.label();
        asm.load(ARGUMENT);
        asm.keep(0xf);
        asm.when(Test::Equal(1), yes);
        asm.answer(Action::Allow);
        asm.place(yes);
        asm.answer(Action::Notify);
        let program = asm.finish()?;
        assert_eq!(run(&program, 0x80801), Action::Notify.code());
        assert_eq!(run(&program, 0x80802), Action::Allow.code());
        Ok(())
    }

    #[test]
    fn a_jump_reaches_its_label_or_is_an_error() {
        for (between, conditional, want) in [
            (255, true, None),
            (256, true, Some(AssemblyError::OutOfReach)),
            (256, false, None),
            (4096, false, Some(AssemblyError::TooLong)),
        ] {
            let mut asm = Assembler::default();
            let far = asm.label();
            if conditional {
                asm.when(Test::Equal(0), far);
            } else {
                asm.go(far);
            }
            for _ in 0..between {
                asm.answer(Action::Notify);
            }
            asm.place(far);
            asm.answer(Action::Allow);
            let result = asm.finish();
            assert_eq!(result.as_ref().err().copied(), want, "{between} {conditional}");
            if let Ok(program) = result {
                assert_eq!(run(&program, 0), Action::Allow.code());
            }
        }
    }

    #[test]
    fn refuses_labels_that_lead_nowhere() {
        let mut unplaced = Assembler::default();
        let label = unplaced.label();
        unplaced.go(label);
        assert_eq!(unplaced.finish().err(), Some(AssemblyError::Unplaced));

        let mut backward = Assembler::default();
        let label = backward.label();
        backward.place(label);
        backward.go(label);
        assert_eq!(backward.finish().err(), Some(AssemblyError::OutOfReach));

        let mut past_the_end = Assembler::default();
        let label = past_the_end.label();
        past_the_end.go(label);
        past_the_end.place(label);
        assert_eq!(past_the_end.finish().err(), Some(AssemblyError::OutOfReach));
    }
}
