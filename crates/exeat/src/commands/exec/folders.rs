//! Which folders a command may change, and which it may only read.
//!
//! Without a word it is the working directory. A home folder, the root, a folder of the system and any folder
//! that holds something of exeat's are refused: whoever means one names it and says `--force`.

use std::path::{Path, PathBuf};

use super::place::Machine;
use crate::failure::Failure;

/// The folders of the system: always seen, never changed.
const SYSTEM: [&str; 9] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt"];
/// Made anew for every command.
const FRESH: [&str; 5] = ["/tmp", "/run", "/dev", "/proc", "/sys"];

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// `--rw`.
    pub(super) writable: Vec<PathBuf>,
    /// `--ro`.
    pub(super) read_only: Vec<PathBuf>,
    /// `--force`.
    pub(super) force: bool,
}

/// What is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Given {
    /// May be changed.
    pub(super) writable: Vec<PathBuf>,
    /// May be read.
    pub(super) read_only: Vec<PathBuf>,
    /// Where the command begins.
    pub(super) cwd: PathBuf,
}

/// Decides it.
///
/// # Errors
/// A folder that is not there, or one that is refused.
pub(super) fn given(asked: &Asked, machine: &Machine) -> Result<Given, Failure> {
    let mut writable = Vec::new();
    for path in &asked.writable {
        let path = found(path, machine)?;
        if !asked.force
            && let Some(why) = refused(&path, machine)
        {
            return Err(Failure::usage(format!("--rw {} is refused: {why}", path.display()))
                .next("name a smaller folder, or add --force if you mean it"));
        }
        push(&mut writable, path);
    }
    let mut read_only = Vec::new();
    for path in &asked.read_only {
        push(&mut read_only, found(path, machine)?);
    }
    let here = &machine.here;
    if asked.writable.is_empty() && !covers(&read_only, here) {
        if let Some(why) = refused(here, machine) {
            return Err(Failure::usage(format!("the working directory {} is not given away: {why}", here.display()))
                .next("go to the folder of your project, or name one with --rw DIR or --ro DIR"));
        }
        push(&mut writable, here.clone());
    }
    // Where it was asked for is where it begins, as far as that is seen.
    let seen = covers(&writable, here) || covers(&read_only, here) || is_system(here);
    let cwd = if seen { here.clone() } else { writable.first().or(read_only.first()).map_or_else(home, Clone::clone) };
    Ok(Given { writable, read_only, cwd })
}

fn home() -> PathBuf {
    PathBuf::from(guard::plan::HOME)
}

fn found(path: &Path, machine: &Machine) -> Result<PathBuf, Failure> {
    let path = machine.here.join(path);
    path.canonicalize().map_err(|error| {
        Failure::usage(format!("`{}` cannot be given to the command", path.display())).why(error.to_string())
    })
}

fn push(all: &mut Vec<PathBuf>, path: PathBuf) {
    if !all.contains(&path) {
        all.push(path);
    }
}

/// Whether one of the folders is this one or holds it.
pub(super) fn covers(folders: &[PathBuf], path: &Path) -> bool {
    folders.iter().any(|folder| path.starts_with(folder))
}

/// Whether it is seen by every command.
pub(super) fn is_system(path: &Path) -> bool {
    SYSTEM.iter().any(|folder| path.starts_with(folder))
}

/// Why a folder is not given to be changed.
fn refused(path: &Path, machine: &Machine) -> Option<String> {
    if path.parent().is_none() {
        return Some("it is the root of everything".to_owned());
    }
    if let Some(fresh) = FRESH.iter().find(|fresh| path == Path::new(fresh)) {
        return Some(format!("every command has a {fresh} of its own"));
    }
    if let Some(home) = &machine.home
        && home.starts_with(path)
    {
        return Some("it holds your home folder".to_owned());
    }
    if is_system(path) {
        return Some("it belongs to the system".to_owned());
    }
    let own = machine.own.iter().find(|own| own.starts_with(path) || path.starts_with(own))?;
    Some(format!("exeat's own {} lies there", own.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ground {
        _dir: tempfile::TempDir,
        machine: Machine,
    }

    fn ground() -> Ground {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for folder in ["home/me/project/sub", "home/me/.local/share/exeat", "data/lib"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        let machine = Machine {
            here: root.join("home/me/project"),
            home: Some(root.join("home/me")),
            own: vec![root.join("home/me/.local/share/exeat")],
            ..Machine::default()
        };
        Ground { _dir: dir, machine }
    }

    fn asked(writable: &[&str], read_only: &[&str], force: bool) -> Asked {
        let paths = |all: &[&str]| all.iter().map(PathBuf::from).collect();
        Asked { writable: paths(writable), read_only: paths(read_only), force }
    }

    #[test]
    fn the_working_directory_without_a_word() {
        let Ground { machine, _dir } = ground();
        let all = given(&asked(&[], &[], false), &machine).unwrap();
        assert_eq!(all, Given { writable: vec![machine.here.clone()], read_only: vec![], cwd: machine.here.clone() });
        let all = given(&asked(&[], &["."], false), &machine).unwrap();
        assert_eq!((all.writable.len(), &all.read_only[..]), (0, &[machine.here.clone()][..]), "reading it is enough");
        let all = given(&asked(&["sub"], &["../../../data"], false), &machine).unwrap();
        assert_eq!(all.writable, [machine.here.join("sub")]);
        assert_eq!(all.cwd, machine.here.join("sub"), "it begins where something is seen");
    }

    #[test]
    fn what_holds_more_than_a_project_is_refused_unless_it_is_meant() {
        let Ground { machine, _dir } = ground();
        for (path, why) in [
            ("..", "home folder"),
            ("../..", "home folder"),
            ("/", "root"),
            ("/usr/lib", "system"),
            ("/tmp", "of its own"),
            ("../.local", "exeat's own"),
            ("../.local/share/exeat", "exeat's own"),
        ] {
            let failure = given(&asked(&[path], &[], false), &machine).unwrap_err();
            assert!(failure.what.contains(why), "{path}: {}", failure.what);
            assert_eq!(failure.exit, crate::exit::Exit::Usage);
            assert!(given(&asked(&[path], &[], true), &machine).is_ok(), "{path} with --force");
        }
        assert!(given(&asked(&["../../../data"], &[], false), &machine).is_ok());
        let at_home = Machine { here: machine.home.clone().unwrap(), ..machine };
        let failure = given(&asked(&[], &[], true), &at_home).unwrap_err();
        assert!(failure.what.contains("working directory"), "--force alone names nothing: {}", failure.what);
    }

    #[test]
    fn a_folder_that_is_not_there_is_said() {
        let Ground { machine, _dir } = ground();
        assert!(given(&asked(&["nowhere"], &[], false), &machine).unwrap_err().why.is_some());
    }
}
