//! Landlock: rules on files, signals and abstract sockets that a process puts on itself, and that nothing takes off.
//!
//! In rung A it is the second lock behind the view: the keeper puts it on, so all commands of a jail are in one domain
//! and may signal each other. In rung B it is the only lock on files, and each command gets a domain of its own, from
//! which it cannot signal the keeper that will kill it; TCP is denied as a whole, as the supervisor makes every
//! connection itself.

use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};

use crate::error::{LaunchError, Layer};
use crate::plan::{self, View};
use crate::view::{ALWAYS_MASKED, SYSTEM};
use crate::weaken;

/// The rights that rules are about: later kernels have more, which are not ours to take yet.
const RIGHTS: ABI = ABI::V5;
/// Where a call may write in rung A beside what it was given: all of it its own.
const OWN: [&str; 6] = ["/tmp", "/var/tmp", "/run", "/dev", "/proc", plan::HOME];
/// Devices that a call has in rung B. Not the folder of terminals: its caller's own are there too, to be read from.
const DEVICES: [&str; 6] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];
/// What else of the machine is seen in rung B, as without it runtimes do not start.
const SEEN: [&str; 2] = ["/proc", "/sys/devices/system/cpu"];

/// The system's settings, and where among them the keys of the machine are.
const SETTINGS: &str = "/etc";
const SECRETS: &str = "/etc/ssh";

/// Rules that are ready to be put on.
#[derive(Debug)]
pub(crate) struct Rules(RulesetCreated);

fn landlock(error: &RulesetError) -> LaunchError {
    LaunchError::Layer {
        layer: Layer::Landlock,
        what: error.to_string(),
        error: io::Error::from_raw_os_error(libc::EOPNOTSUPP),
    }
}

/// Puts the rules of rung A on this process and all it makes.
///
/// # Errors
/// The kernel has no Landlock.
pub(crate) fn namespaced(view: &View) -> Result<(), LaunchError> {
    if weaken::asked("skip_landlock") {
        return Ok(());
    }
    let make = || -> Result<RulesetStatus, RulesetError> {
        let rules = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(RIGHTS))?
            .scope(Scope::AbstractUnixSocket)?
            .create()?;
        let rules = allow(rules, Path::new("/"), AccessFs::from_read(RIGHTS))?;
        let written = OWN.iter().map(Path::new).chain(view.writable.iter().map(PathBuf::as_path));
        Ok(allow_all(rules, written, AccessFs::from_all(RIGHTS))?.restrict_self()?.ruleset)
    };
    match make().map_err(|error| landlock(&error))? {
        RulesetStatus::NotEnforced => Err(LaunchError::Layer {
            layer: Layer::Landlock,
            what: "the kernel has none".to_owned(),
            error: io::Error::from_raw_os_error(libc::EOPNOTSUPP),
        }),
        _ => Ok(()),
    }
}

/// The rules of rung B, to be put on by each command: `scratch` is its own folder.
///
/// # Errors
/// The kernel lacks what they need: version 6 of Landlock.
pub(crate) fn supervised(view: &View, scratch: &Path) -> Result<Option<Rules>, LaunchError> {
    if weaken::asked("skip_landlock") {
        return Ok(None);
    }
    for path in view.read_only.iter().chain(&view.writable) {
        if !path.is_absolute() || path.parent().is_none() || !path.exists() {
            return Err(LaunchError::Plan(format!("`{}` cannot be given: it is not there", path.display())));
        }
    }
    unmaskable(view)?;
    let make = || -> Result<RulesetCreated, RulesetError> {
        let rules = Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(RIGHTS))?
            .handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?
            .scope(Scope::AbstractUnixSocket | Scope::Signal)?
            .create()?
            .set_compatibility(CompatLevel::BestEffort);
        let read = AccessFs::from_read(RIGHTS);
        let system = SYSTEM.iter().filter(|folder| **folder != SETTINGS).chain(&SEEN).map(Path::new);
        let rules = allow_all(rules, system.chain(view.read_only.iter().map(PathBuf::as_path)), read)?;
        let rules = allow(rules, Path::new(SETTINGS), AccessFs::ReadDir.into())?;
        let rules = allow_all(rules, settings().iter().map(PathBuf::as_path), read)?;
        let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev | AccessFs::ReadDir;
        let rules = allow_all(rules, DEVICES.iter().map(Path::new), device)?;
        let written = view.writable.iter().map(PathBuf::as_path).chain([scratch]);
        allow_all(rules, written, AccessFs::from_all(RIGHTS))
    };
    Ok(Some(Rules(make().map_err(|error| landlock(&error))?)))
}

/// What may be read of the system's settings, one by one: rules only allow, and some of them nobody is to see.
fn settings() -> Vec<PathBuf> {
    let children = |folder: &str| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let all = children(SETTINGS).filter(|path| path != Path::new(SECRETS)).chain(children(SECRETS));
    // What a link leads to is seen where it lies, or not at all.
    let all = all.filter(|path| !path.is_symlink());
    all.filter(|path| !ALWAYS_MASKED.iter().any(|masked| path == Path::new(masked)))
        .filter(|path| !is_key(path))
        .collect()
}

/// A private key of the machine.
fn is_key(path: &Path) -> bool {
    path.starts_with(SECRETS) && path.to_string_lossy().ends_with("_key")
}

impl Rules {
    /// Puts them on this process and all it makes.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn apply(&self) -> Result<(), LaunchError> {
        let copy = self.0.try_clone().map_err(LaunchError::of(Layer::Landlock, "copy the rules"))?;
        copy.restrict_self().map_err(|error| landlock(&error)).map(drop)
    }
}

/// Rules only allow: what lies in a folder that is given cannot be kept back.
fn unmaskable(view: &View) -> Result<(), LaunchError> {
    let given = |path: &Path| view.read_only.iter().chain(&view.writable).any(|above| path.starts_with(above));
    match view.masked.iter().find(|path| given(path) && path.exists()) {
        None => Ok(()),
        Some(path) => Err(LaunchError::Plan(format!(
            "`{}` lies in a folder that is given, and rung B cannot hide it there",
            path.display()
        ))),
    }
}

fn allow_all<'a>(
    mut rules: RulesetCreated,
    paths: impl Iterator<Item = &'a Path>,
    rights: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    for path in paths {
        rules = allow(rules, path, rights)?;
    }
    Ok(rules)
}

/// Allows it where it is there. What is no folder has no rights that only folders have.
fn allow(rules: RulesetCreated, path: &Path, rights: BitFlags<AccessFs>) -> Result<RulesetCreated, RulesetError> {
    let Ok(fd) = PathFd::new(path) else { return Ok(rules) };
    let rights = if path.is_dir() { rights } else { rights & AccessFs::from_file(RIGHTS) };
    rules.add_rule(PathBeneath::new(fd, rights))
}
