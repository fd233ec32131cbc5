//! The ways by which exeat starts programs.

mod exec;
mod server;

pub use exec::Exec;
pub use server::{By, Desk, Server};

use std::fs;
use std::path::PathBuf;

use crate::ground::{Ground, open};
use crate::outcome::Outcome;
use crate::programs::Program;
use crate::sentinel::Scene;

/// How strongly a call is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rung {
    A,
    B,
}

impl Rung {
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    pub fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
        }
    }
}

/// What a program is given of the scene's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    /// Nothing of it, but a folder of its own.
    Own,
}

/// One run of one program.
#[derive(Clone, Copy)]
pub struct Cell<'a> {
    pub program: &'a Program,
    pub rung: Rung,
    pub access: Access,
    pub scene: &'a Scene,
}

/// One way.
pub trait Runner {
    fn name(&self) -> &'static str;

    /// Runs a program to its end.
    fn run(&self, cell: Cell<'_>) -> Outcome;

    /// Where the service itself listens, when this way has one.
    fn api_port(&self) -> Option<u16> {
        None
    }

    /// The command line of a program: what it is told, and how much is too much.
    fn words(&self, cell: Cell<'_>) -> Vec<String> {
        let mut words = cell.program.words.clone();
        words.extend(cell.scene.words());
        words.extend([format!("MIB={MIB_MAX}"), format!("COUNT={PROCESSES_TRIED}")]);
        words.push(format!("RUNG={}", cell.rung.name()));
        words.extend(self.api_port().map(|port| format!("API={port}")));
        words
    }
}

/// How much a program may write beside the folder it was given.
pub const SCRATCH: &str = "64M";
/// When it wrote this much, nothing stopped it.
const MIB_MAX: u32 = 1_024;
/// How many processes it may have.
pub const PROCESSES: &str = "400";
/// When it made as many, nothing stopped it.
const PROCESSES_TRIED: u32 = 2_000;

/// A copy of the binary under test that everybody may run.
pub fn binary(ground: &Ground) -> PathBuf {
    let built = std::env::var_os("EXEAT_BIN").map_or_else(|| env!("CARGO_BIN_EXE_exeat").into(), PathBuf::from);
    let copy = ground.make("bin").join("exeat");
    if !copy.exists() {
        fs::copy(built, &copy).unwrap();
        open(&copy);
    }
    copy
}
