//! Landlock: rules on files, signals and abstract sockets that a process puts on itself, and that nothing takes off.
//!
//! In rung A it is the second lock behind the view: the keeper puts it on, so all commands of a jail are in one domain
//! and may signal each other. In rung B it is the only lock on what is in files, and the
//! [supervisor](crate::supervise) holds what is said of them, for which it has no right; each command gets a domain of
//! its own, from which it cannot signal the keeper that will kill it; TCP is denied as a whole, as the supervisor makes
//! every connection itself.

use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};

use crate::error::{LaunchError, Layer};
use crate::plan::{self, View};
use crate::view::{SYSTEM, cover};
use crate::weaken;

/// The rights that rules are about: later kernels have more, which are not ours to take yet.
const RIGHTS: ABI = ABI::V5;
/// Where a call may write in rung A beside what it was given: all of it its own.
const OWN: [&str; 6] = ["/tmp", "/var/tmp", "/run", "/dev", "/proc", plan::HOME];
/// Devices that a call has in rung B. Not the folder of terminals: its caller's own are there too, to be read from.
const DEVICES: [&str; 6] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];
/// What else of the machine is seen in rung B, as without it runtimes do not start.
const SEEN: [&str; 2] = ["/proc", "/sys/devices/system/cpu"];

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
        let seen = SYSTEM.iter().chain(&SEEN).map(Path::new).chain(view.read_only.iter().map(PathBuf::as_path));
        let hidden = hidden(view);
        let rules = seen.into_iter().try_fold(rules, |rules, path| allow_but(rules, path, read, &hidden))?;
        let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev | AccessFs::ReadDir;
        let rules = allow_all(rules, DEVICES.iter().map(Path::new), device)?;
        let written = view.writable.iter().map(PathBuf::as_path).chain([scratch]);
        allow_all(rules, written, AccessFs::from_all(RIGHTS))
    };
    Ok(Some(Rules(make().map_err(|error| landlock(&error))?)))
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

/// Rules only allow, and what may be made in a writable folder is not there yet: nothing in one can be kept back.
fn unmaskable(view: &View) -> Result<(), LaunchError> {
    let given = |path: &Path| view.writable.iter().any(|above| path.starts_with(above));
    match view.masked.iter().find(|path| given(path) && path.exists()) {
        None => Ok(()),
        Some(path) => Err(LaunchError::Plan(format!(
            "`{}` lies in a folder that may be written, and rung B cannot hide it there",
            path.display()
        ))),
    }
}

/// What is there and no call may read, by its real place.
fn hidden(view: &View) -> Vec<PathBuf> {
    let always = cover::always().into_iter();
    always.chain(view.masked.iter().cloned()).filter_map(|path| path.canonicalize().ok()).collect()
}

/// Allows a path but what is hidden beneath it: where there is something, each of its other children is allowed by
/// itself, and of the folder only its names are seen.
fn allow_but(
    rules: RulesetCreated,
    path: &Path,
    rights: BitFlags<AccessFs>,
    hidden: &[PathBuf],
) -> Result<RulesetCreated, RulesetError> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if hidden.iter().any(|hidden| real.starts_with(hidden)) {
        return Ok(rules);
    }
    if !hidden.iter().any(|hidden| hidden.starts_with(&real)) {
        return allow(rules, path, rights);
    }
    let rules = allow(rules, path, AccessFs::ReadDir.into())?;
    let children = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    // A link leads to its own place, which is allowed there or not.
    let children = children.filter(|child| !child.is_symlink());
    children.into_iter().try_fold(rules, |rules, child| allow_but(rules, &child, rights, hidden))
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
