//! What one call is given: all of it is known before anything starts.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::rung::Rung;

/// Where programs that honour proxy variables find the gate, inside.
pub const PROXY_PORT: u16 = 3128;
/// Where captured connections arrive, inside (rung A).
pub const CAPTURE_PORT: u16 = 15001;
/// The packet log's group, inside (rung A).
pub const PACKET_GROUP: u16 = 7;
/// The nameserver, inside.
pub const NAMESERVER: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// The home folder of every call.
pub const HOME: &str = "/home/exeat";

/// A jail to be made: what may be seen, how much may be used. It outlives its commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// How strongly it is held.
    pub rung: Rung,
    /// What is seen of the file system.
    pub view: View,
    /// How much may be used.
    pub limits: Limits,
    /// Ports inside that the machine may be reached at ([`crate::door::Door::Exposed`]); loopback only.
    pub exposed_ports: Vec<u16>,
    /// The name of the machine, inside.
    pub host_name: String,
}

/// What is seen of the file system. Paths are absolute and without links; what is not named is not there
/// (rung A), or cannot be opened (rung B).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Seen, never changed. The system's own folders (`/usr`, `/etc`, …) are always seen.
    pub read_only: Vec<PathBuf>,
    /// May be changed.
    pub writable: Vec<PathBuf>,
    /// Not changed although it lies in a writable folder. What is not there cannot be made.
    pub protected: Vec<PathBuf>,
    /// Never seen, wherever it lies: files are empty, folders too.
    pub masked: Vec<PathBuf>,
    /// Files put over what is there, or added: their path inside and content. Read-only.
    pub files: Vec<(PathBuf, Vec<u8>)>,
    /// How much may be written to `/tmp`, the home and `/dev/shm` together, in bytes; 0 is 256 MiB. In rung B they are
    /// one folder of the machine, which is measured: a call that holds more than this is killed.
    pub scratch_bytes: u64,
}

impl View {
    /// How much may be written to what is the call's own, in bytes: 256 MiB when a plan does not say.
    pub(crate) const fn scratch(&self) -> u64 {
        const DEFAULT: u64 = 256 << 20;
        if self.scratch_bytes == 0 { DEFAULT } else { self.scratch_bytes }
    }
}

/// How much a call may use. Zero is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory of all its processes, in bytes; of each where there is no cgroup to be had.
    pub memory_bytes: u64,
    /// Processes and threads at once.
    pub processes: u64,
    /// Open files of each process.
    pub open_files: u64,
    /// The largest file that can be written, in bytes.
    pub file_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes: 0, processes: 4096, open_files: 4096, file_bytes: 0 }
    }
}

/// A command in a jail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The program and its arguments, as the kernel takes them: bytes without a zero. The program is looked
    /// for in the `PATH` of `env` when it has no slash.
    pub argv: Vec<Vec<u8>>,
    /// All of its environment.
    pub env: Vec<(Vec<u8>, Vec<u8>)>,
    /// Where it begins.
    pub cwd: PathBuf,
    /// How it ends: after this, the tree gets SIGTERM, and SIGKILL after [`Command::grace`].
    pub timeout: Option<Duration>,
    /// Between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// Whether it gets a terminal of its own (its descriptors 0 to 2), whose other end is handed out.
    pub terminal: Option<WindowSize>,
}

/// The size of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSize {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// By itself, with this code.
    Code(u8),
    /// By this signal.
    Signal(u8),
    /// It took too long and was killed.
    TimedOut,
    /// Its jail was killed.
    Killed,
}

impl Exit {
    /// The exit code a shell would show: the command's own, 124, 128 and the signal, or 137.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128_u8.saturating_add(signal),
            Self::TimedOut => 124,
            Self::Killed => 137,
        }
    }
}
