//! What is executed: made ready before the copy, so that nothing is left to go wrong but the kernel.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::Setting;
use crate::error::LaunchError;
use crate::plan::{self, Command};
use crate::sys::{c_path, process};

/// Where programs are looked for when nothing says where.
const DEFAULT_PATH: &[u8] = b"/usr/local/bin:/usr/bin:/bin";
/// What executes a script that does not say what does.
const SHELL: &CStr = c"/bin/sh";

/// A command, as the kernel takes it.
#[derive(Debug)]
pub(crate) struct Program {
    /// Where it may be, in order.
    candidates: Vec<CString>,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    folder: CString,
    name: String,
}

impl Program {
    /// # Errors
    /// [`LaunchError::Plan`]: there is nothing to execute, or a zero where none may be.
    pub(crate) fn new(command: &Command, setting: &Setting) -> Result<Self, LaunchError> {
        let zero = |_| LaunchError::Plan("an argument or variable has a zero in it".to_owned());
        let first = command.argv.first().filter(|first| !first.is_empty());
        let first = first.ok_or_else(|| LaunchError::Plan("there is no command".to_owned()))?;
        let mut variables = command.env.clone();
        if let Some(scratch) = &setting.scratch {
            at_home_in(scratch, &mut variables);
        }
        let path = variables.iter().rfind(|(name, _)| name == b"PATH").map(|(_, value)| value.clone());
        let candidates = candidates(first, path.as_deref().unwrap_or(DEFAULT_PATH));
        let candidates = candidates.into_iter().map(CString::new).collect::<Result<_, _>>().map_err(zero)?;
        let arguments = command.argv.iter().map(|argument| CString::new(argument.as_slice()));
        let environment =
            variables.iter().map(|(name, value)| CString::new([name, value].map(Vec::as_slice).join(&b'=')));
        Ok(Self {
            candidates,
            arguments: arguments.collect::<Result<_, _>>().map_err(zero)?,
            environment: environment.collect::<Result<_, _>>().map_err(zero)?,
            folder: c_path(&command.cwd).map_err(|error| LaunchError::Plan(format!("working folder: {error}")))?,
            name: String::from_utf8_lossy(first).into_owned(),
        })
    }

    /// Goes where the command begins.
    ///
    /// # Errors
    /// [`LaunchError::Plan`]: it is not there, inside.
    pub(crate) fn enter_folder(&self) -> Result<(), LaunchError> {
        process::change_folder(&self.folder)
            .map_err(|error| LaunchError::Plan(format!("`{}` inside: {error}", self.folder.to_string_lossy())))
    }

    /// Becomes it; returns why not. As a shell does: that it may not be executed weighs more than that it is not there.
    pub(crate) fn execute(&self) -> LaunchError {
        let mut worst = io::Error::from_raw_os_error(libc::ENOENT);
        for candidate in &self.candidates {
            let error = process::execute(candidate, &self.arguments, &self.environment);
            match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) => {}
                Some(libc::EACCES) => worst = error,
                Some(libc::ENOEXEC) => {
                    let mut arguments = vec![SHELL.to_owned(), candidate.clone()];
                    arguments.extend(self.arguments.iter().skip(1).cloned());
                    worst = process::execute(SHELL, &arguments, &self.environment);
                    break;
                }
                _ => {
                    worst = error;
                    break;
                }
            }
        }
        LaunchError::Command { command: self.name.clone(), error: worst }
    }
}

fn candidates(program: &[u8], path: &[u8]) -> Vec<Vec<u8>> {
    if program.contains(&b'/') {
        return vec![program.to_vec()];
    }
    path.split(|byte| *byte == b':')
        // The current folder does not count, however it is written: it may be anybody's.
        .filter(|folder| folder.starts_with(b"/"))
        .map(|folder| Path::new(OsStr::from_bytes(folder)).join(OsStr::from_bytes(program)).into_os_string())
        .map(|path| path.as_bytes().to_vec())
        .collect()
}

/// Without a view of its own, the home of every call is not there: it gets its own folder instead.
fn at_home_in(scratch: &Path, variables: &mut Vec<(Vec<u8>, Vec<u8>)>) {
    let scratch = scratch.as_os_str().as_bytes();
    for (name, value) in variables.iter_mut() {
        if value == plan::HOME.as_bytes() || (name == b"TMPDIR" && value == b"/tmp") {
            *value = scratch.to_vec();
        }
    }
    for name in [&b"HOME"[..], b"TMPDIR"] {
        if !variables.iter().any(|(known, _)| known == name) {
            variables.push((name.to_vec(), scratch.to_vec()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_for_where_the_path_says() {
        for (program, path, want) in [
            ("ls", "/bin:/usr/bin", vec!["/bin/ls", "/usr/bin/ls"]),
            ("./ls", "/bin", vec!["./ls"]),
            ("/x/ls", "/bin", vec!["/x/ls"]),
            ("ls", ":/bin:.:relative", vec!["/bin/ls"]),
            ("ls", "", vec![]),
        ] {
            let found = candidates(program.as_bytes(), path.as_bytes());
            let found: Vec<_> = found.iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect();
            assert_eq!(found, want, "{program} in {path}");
        }
    }

    #[test]
    fn the_home_moves_into_the_scratch_folder() {
        let mut variables = vec![(b"HOME".to_vec(), plan::HOME.as_bytes().to_vec()), (b"LANG".to_vec(), b"C".to_vec())];
        at_home_in(Path::new("/tmp/own"), &mut variables);
        let want: Vec<(Vec<u8>, Vec<u8>)> = [("HOME", "/tmp/own"), ("LANG", "C"), ("TMPDIR", "/tmp/own")]
            .map(|(name, value)| (name.into(), value.into()))
            .into();
        assert_eq!(variables, want);
    }
}
