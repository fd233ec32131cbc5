//! From what was asked for to what the guard is told: all of it is known before anything starts.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use guard::plan::{Command, Limits, Plan, View, WindowSize};
use guard::rung::Rung;

use super::amounts::Variable;
use super::environment::{self, Made};
use super::files::{self, Ids};
use super::folders::{self, Asked, Given};
use super::place::Machine;
use super::{masks, toolchains};
use crate::config::Environment;
use crate::failure::Failure;

/// How long a command that is out of time has for its end.
const GRACE: Duration = Duration::from_secs(5);
/// LIMIT: how much may be written to `/tmp`, the home and `/dev/shm` together, unless it is set.
pub(super) const SCRATCH_BYTES: u64 = 4 << 30;
/// The name of the machine, inside.
const HOST_NAME: &str = "exeat";

/// What was asked for, as far as the guard is concerned.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) command: Vec<OsString>,
    pub(super) folders: Asked,
    pub(super) variables: Vec<Variable>,
    pub(super) timeout: Option<Duration>,
    pub(super) memory_bytes: Option<u64>,
    pub(super) processes: Option<u64>,
    pub(super) scratch_bytes: u64,
    pub(super) exposed_ports: Vec<u16>,
    pub(super) terminal: Option<WindowSize>,
    pub(super) run: Option<String>,
}

/// What was decided of the folders: the same on every rung.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    given: Given,
    view: View,
    path: Vec<PathBuf>,
    ids: Ids,
}

impl Ground {
    /// Decides it.
    ///
    /// # Errors
    /// A folder that cannot be given.
    pub(super) fn of(wanted: &Wanted, machine: &Machine) -> Result<Self, Failure> {
        let given = folders::given(&wanted.folders, machine)?;
        let mut read_only = given.read_only.clone();
        for folder in toolchains::folders(machine) {
            if !folders::covers(&read_only, &folder) && !folders::covers(&given.writable, &folder) {
                read_only.push(folder);
            }
        }
        let view = View {
            masked: masks::masked(&given, &read_only, machine),
            protected: masks::protected(&given),
            writable: given.writable.clone(),
            read_only,
            files: Vec::new(),
            scratch_bytes: wanted.scratch_bytes,
        };
        let seen = |path: &Path| sees(&view, path);
        let path = machine.path.iter().filter(|folder| seen(folder)).cloned().collect();
        Ok(Self { path, ids: Ids::inside(machine.uid, machine.gid), given, view })
    }

    /// The plan for one rung.
    pub(super) fn plan(&self, rung: Rung, wanted: &Wanted) -> Plan {
        // Without a mount view nothing can be put over anything.
        let files = if rung == Rung::A { files::over(self.ids) } else { Vec::new() };
        Plan {
            rung,
            view: View { files, ..self.view.clone() },
            limits: Limits {
                memory_bytes: wanted.memory_bytes.unwrap_or(0),
                processes: wanted.processes.unwrap_or(Limits::default().processes),
                ..Limits::default()
            },
            exposed_ports: wanted.exposed_ports.clone(),
            host_name: HOST_NAME.to_owned(),
        }
    }

    /// The command.
    pub(super) fn command(&self, wanted: &Wanted, outside: &Environment) -> Command {
        let env = environment::made(&Made {
            outside,
            path: &self.path,
            asked: &wanted.variables,
            seen: &|path| sees(&self.view, path),
            managers: &self.view.read_only,
            run: wanted.run.as_deref(),
            terminal: wanted.terminal.is_some(),
        });
        Command {
            argv: wanted.command.iter().cloned().map(OsString::into_vec).collect(),
            env,
            cwd: self.given.cwd.clone(),
            timeout: wanted.timeout,
            grace: GRACE,
            terminal: wanted.terminal,
        }
    }
}

fn sees(view: &View, path: &Path) -> bool {
    let seen =
        folders::is_system(path) || folders::covers(&view.read_only, path) || folders::covers(&view.writable, path);
    seen && !folders::covers(&view.masked, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_gives_what_was_asked_for_and_the_tools_to_work_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for folder in ["me/project", "me/.cargo/bin", "me/.rustup"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::fs::write(root.join("me/project/exeat.db"), "").unwrap();
        let machine = Machine {
            here: root.join("me/project"),
            home: Some(root.join("me")),
            uid: 0,
            gid: 0,
            own: vec![root.join("me/project/exeat.db")],
            path: vec![root.join("me/.cargo/bin"), PathBuf::from("/usr/bin")],
        };
        let wanted = Wanted {
            command: vec!["sh".into(), "-c".into(), "true".into()],
            folders: Asked { writable: vec![".".into()], force: true, ..Asked::default() },
            variables: vec![],
            timeout: Some(Duration::from_secs(3)),
            memory_bytes: Some(1 << 30),
            processes: None,
            scratch_bytes: SCRATCH_BYTES,
            exposed_ports: vec![5432],
            terminal: None,
            run: None,
        };
        let ground = Ground::of(&wanted, &machine).unwrap();
        let plan = ground.plan(Rung::A, &wanted);
        assert_eq!(plan.view.writable, [root.join("me/project")]);
        assert_eq!(plan.view.read_only, [root.join("me/.cargo/bin"), root.join("me/.rustup")]);
        assert_eq!(plan.view.masked, [root.join("me/project/exeat.db")]);
        assert_eq!(plan.view.protected.len(), 4);
        assert_eq!((plan.limits.memory_bytes, plan.limits.processes), (1 << 30, 4096));
        assert!(plan.view.files.iter().any(|(path, _)| path == Path::new("/etc/passwd")));
        assert!(ground.plan(Rung::B, &wanted).view.files.is_empty(), "nothing can be put over anything there");
        let command = ground.command(&wanted, &Environment::default());
        assert_eq!(command.argv, [b"sh".to_vec(), b"-c".to_vec(), b"true".to_vec()]);
        assert_eq!((command.cwd, command.timeout), (root.join("me/project"), Some(Duration::from_secs(3))));
        let path = command.env.iter().find(|(name, _)| name == b"PATH").map(|(_, value)| value.clone()).unwrap();
        assert_eq!(path, format!("{}:/usr/bin", root.join("me/.cargo/bin").display()).into_bytes());
    }
}
