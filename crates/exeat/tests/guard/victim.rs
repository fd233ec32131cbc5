//! A process of the machine that probes would like to get at: it holds a connection to outside and a secret.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use crate::ground::As;

pub struct Victim {
    child: Child,
    /// Where its memory can be written, as C prints it.
    pub address: String,
}

impl Victim {
    /// Starts one as `who`.
    pub fn start(program: &Path, outside: &Path, shared: &str, key: u32, who: As) -> Self {
        let mut command = who.command(program);
        command.arg(format!("OUTSIDE={}", outside.display())).arg(format!("SHARED={shared}"));
        command.arg(format!("SHM={key}"));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        assert!(address.starts_with("0x"), "the victim is ready: {address:?}, {:?}", child.try_wait());
        Self { child, address: address.trim().to_owned() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it is still there.
    pub fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
