//! The attack table: what each probe is to find, on each rung, and outside the guard.

mod rows;

pub use rows::ALL;

use crate::outcome::Verdict;

/// One way to get out, or at something.
#[derive(Debug, PartialEq, Eq)]
pub struct Probe {
    /// The name of its file.
    pub name: &'static str,
    /// The row of the table it is for.
    pub family: &'static str,
    pub language: Language,
    /// The same without a guard.
    pub control: Control,
    /// With namespaces.
    pub a: Expect,
    /// Without.
    pub b: Expect,
}

/// What it is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Built twice: with the system's libraries, and without any.
    C,
    Script {
        extension: &'static str,
        interpreter: &'static str,
    },
}

/// What happens outside the guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// It gets out. What the sentinel then hears begins with this; nothing where the attack is not on the network.
    Leaks(&'static str),
    /// It gets out, unless the machine does not have what it needs: then it says one of these.
    LeaksUnless { hears: &'static str, says: &'static [&'static str], why: &'static str },
    /// It needs to be somebody without privilege to have anything to gain.
    LeaksAsNobody,
    /// It is meant to work, inside and outside.
    Works,
}

/// What a guard makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expect {
    pub verdict: Verdict,
    pub evidence: Evidence,
}

/// What the guard is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// A violation whose operation is one of these.
    Violation(&'static [&'static str]),
    /// A notice, and no violation.
    Notice,
    /// Asked of the gate, which refused.
    Refused,
    /// At least a notice.
    Noted,
    /// Nothing: files say no by themselves.
    Quiet,
    /// Nothing; and it may be ended for what it takes.
    Limited,
    /// Anything or nothing: what it tries on its way depends on the machine.
    Either,
}
