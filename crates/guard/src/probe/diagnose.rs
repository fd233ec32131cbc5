//! Which part is missing, when no jail can be made: each is tried by itself, in a process of its own.
//!
//! It says less than a jail does, only that the kernel gives the part; but it names all that is missing at once,
//! instead of the first.

use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use super::inside::ARGUMENT;
use super::{Finding, State, judge, layers};
use crate::rung::Rung;
use crate::sys::{check, check_int};
use crate::{LaunchError, Layer, filter, net, notify};

/// The parts that can be tried by themselves.
const PARTS: [Layer; 11] = [
    Layer::UserNamespace,
    Layer::NetworkNamespace,
    Layer::AnyAddress,
    Layer::NfTables,
    Layer::TransparentProxy,
    Layer::PacketLog,
    Layer::MountView,
    Layer::PidNamespace,
    Layer::OtherNamespaces,
    Layer::Landlock,
    Layer::Notify,
];

/// What is known of a rung that no jail can be made of.
pub(super) fn findings(program: &Path, rung: Rung, error: &LaunchError) -> Vec<Finding> {
    let parts = ask(program);
    let (named, reason) = blame(rung, error, &parts);
    layers(rung)
        .iter()
        .map(|layer| {
            let part = parts.iter().find(|part| part.layer == *layer);
            let (state, reason) = match part {
                _ if *layer == named => (State::Missing, Some(reason.clone())),
                Some(Part { outcome: Outcome::Works, .. }) => (State::Live, None),
                Some(Part { outcome: Outcome::Fails(what), .. }) => (State::Missing, Some(what.clone())),
                Some(Part { outcome: Outcome::Needs(other), .. }) => (State::Missing, Some(judge::not_tried(other))),
                // Somebody must have said what is missing.
                None if *layer == Layer::Spawner => (State::Live, None),
                None => (State::Missing, Some(judge::not_tried(named.as_str()))),
            };
            Finding { rung, layer: *layer, state, reason, fix: None }
        })
        .collect()
}

/// Which layer is missing. Where the error names none, or one that works by itself, most likely it was for lack of
/// another part: namespaces are made all at once.
fn blame(rung: Rung, error: &LaunchError, parts: &[Part]) -> (Layer, String) {
    let named = match error {
        LaunchError::Layer { layer, .. } => *layer,
        LaunchError::Plan(_) | LaunchError::Command { .. } | LaunchError::Gone => Layer::Spawner,
    };
    let works =
        named == Layer::Spawner || parts.iter().any(|part| part.layer == named && part.outcome == Outcome::Works);
    match first_missing(rung, parts).filter(|_| works) {
        Some((layer, what)) => (layer, format!("{error}: {what}")),
        None => (named, error.to_string()),
    }
}

fn first_missing(rung: Rung, parts: &[Part]) -> Option<(Layer, &str)> {
    layers(rung).iter().find_map(|layer| {
        parts.iter().find_map(|part| match &part.outcome {
            Outcome::Fails(what) if part.layer == *layer => Some((part.layer, what.as_str())),
            _ => None,
        })
    })
}

#[derive(Debug, PartialEq, Eq)]
struct Part {
    layer: Layer,
    outcome: Outcome,
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Works,
    Fails(String),
    Needs(String),
}

/// Lets this program try them: it must have one thread for that.
fn ask(program: &Path) -> Vec<Part> {
    let output =
        Command::new(program).args([ARGUMENT, "parts"]).env_clear().stdin(Stdio::null()).stderr(Stdio::null()).output();
    // Not to be had: then nothing is known but what made the jail fail.
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    said.lines().filter_map(read).collect()
}

/// A line: the layer; then nothing, or the layer that failed and how.
fn read(line: &str) -> Option<Part> {
    let (layer, rest) = line.split_once(' ').unwrap_or((line, ""));
    let layer = PARTS.into_iter().find(|part| part.as_str() == layer)?;
    let outcome = match rest.split_once(' ') {
        None => Outcome::Works,
        Some((failed, what)) if failed == layer.as_str() => Outcome::Fails(what.to_owned()),
        Some((failed, _)) => Outcome::Needs(failed.to_owned()),
    };
    Some(Part { layer, outcome })
}

/// Tries all parts and says so, each in a child that is left with whatever it changed.
pub(super) fn run() {
    use std::io::Write as _;
    for layer in PARTS {
        let line = match in_child(layer) {
            Ok(said) if said.is_empty() => layer.as_str().to_owned(),
            Ok(said) => format!("{} {said}", layer.as_str()),
            Err(error) => format!("{0} {0} {error}", layer.as_str()),
        };
        let _ = writeln!(io::stdout(), "{line}");
    }
}

fn in_child(layer: Layer) -> io::Result<String> {
    use std::io::Write as _;
    let (mut reader, mut writer) = io::pipe()?;
    // SAFETY: this process has one thread.
    let child = check_int(unsafe { libc::fork() })?;
    if child == 0 {
        if let Err((failed, what, error)) = try_part(layer) {
            let _ = write!(writer, "{} {what}: {error}", failed.as_str());
        }
        drop(writer);
        std::process::exit(0);
    }
    drop(writer);
    let mut said = String::new();
    reader.read_to_string(&mut said)?;
    // SAFETY: no pointers that are followed.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    Ok(said)
}

type Tried = Result<(), (Layer, String, io::Error)>;

fn try_part(layer: Layer) -> Tried {
    let failed = |what: &'static str| move |error| (layer, what.to_owned(), error);
    match layer {
        Layer::UserNamespace => own(0, layer),
        Layer::NetworkNamespace | Layer::AnyAddress | Layer::NfTables | Layer::TransparentProxy | Layer::PacketLog => {
            own(libc::CLONE_NEWNET, Layer::NetworkNamespace)?;
            net::try_part(layer).map_err(|error| match error {
                LaunchError::Layer { layer, what, error } => (layer, what, error),
                other => (layer, other.to_string(), io::Error::from(io::ErrorKind::Other)),
            })
        }
        Layer::MountView => {
            own(libc::CLONE_NEWNS, layer)?;
            mount_view().map_err(failed("make a view"))
        }
        Layer::PidNamespace => {
            own(libc::CLONE_NEWNS | libc::CLONE_NEWPID, layer)?;
            mount_proc().map_err(failed("mount /proc"))
        }
        Layer::OtherNamespaces => own(libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWCGROUP, layer),
        Layer::Landlock => landlock().map_err(failed("make rules")),
        Layer::Notify if notify::understood() => listen().map_err(failed("be asked by a filter")),
        Layer::Notify => {
            Err((layer, "be asked by a filter".to_owned(), io::Error::from_raw_os_error(libc::EOPNOTSUPP)))
        }
        _ => Ok(()),
    }
}

/// Goes into namespaces of its own, with its own ids in them. That of users is what the others need.
fn own(others: libc::c_int, layer: Layer) -> Tried {
    let failed = |what: &'static str| move |error| (Layer::UserNamespace, what.to_owned(), error);
    // SAFETY: neither has pointers nor fails.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    // SAFETY: this process has one thread.
    check_int(unsafe { libc::unshare(libc::CLONE_NEWUSER) }).map_err(failed("make a user namespace"))?;
    std::fs::write("/proc/self/setgroups", "deny").map_err(failed("map the ids"))?;
    std::fs::write("/proc/self/uid_map", format!("{user} {user} 1")).map_err(failed("map the ids"))?;
    std::fs::write("/proc/self/gid_map", format!("{group} {group} 1")).map_err(failed("map the ids"))?;
    if others != 0 {
        // SAFETY: as above.
        let made = check_int(unsafe { libc::unshare(others) });
        made.map_err(|error| (layer, "make the namespace".to_owned(), error))?;
    }
    Ok(())
}

fn mount_view() -> io::Result<()> {
    private()?;
    // SAFETY: strings that end in zero.
    let tree =
        check(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, c"/usr".as_ptr(), libc::OPEN_TREE_CLONE) })?;
    let attributes = libc::mount_attr { attr_set: libc::MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: an empty path that ends in zero, and attributes of the size given, which outlive the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree,
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attributes,
            size_of_val(&attributes),
        )
    })?;
    // SAFETY: strings that end in zero; no data.
    check_int(unsafe {
        libc::mount(c"exeat".as_ptr(), c"/tmp".as_ptr(), c"tmpfs".as_ptr(), libc::MS_NOSUID, std::ptr::null())
    })
    .map(drop)
}

/// In a child, since the caller itself stays in the namespace it was in.
fn mount_proc() -> io::Result<()> {
    private()?;
    // SAFETY: this process has one thread.
    let child = check_int(unsafe { libc::fork() })?;
    if child == 0 {
        let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
        // SAFETY: strings that end in zero; no data.
        let mounted = check_int(unsafe {
            libc::mount(c"proc".as_ptr(), c"/proc".as_ptr(), c"proc".as_ptr(), flags, std::ptr::null())
        });
        let number = mounted.err().and_then(|error| error.raw_os_error()).unwrap_or(0);
        // SAFETY: ends this process at once.
        unsafe { libc::_exit(number) };
    }
    let mut status = 0;
    // SAFETY: one number that outlives the call.
    check_int(unsafe { libc::waitpid(child, &raw mut status, 0) })?;
    match libc::WEXITSTATUS(status) {
        0 if libc::WIFEXITED(status) => Ok(()),
        number => Err(io::Error::from_raw_os_error(number)),
    }
}

fn private() -> io::Result<()> {
    let flags = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: strings that end in zero; no data.
    check_int(unsafe { libc::mount(c"none".as_ptr(), c"/".as_ptr(), std::ptr::null(), flags, std::ptr::null()) })
        .map(drop)
}

/// Under the filter from here on: what is left to do in this process is not asked about.
fn listen() -> io::Result<()> {
    let program = filter::program(Rung::B).map_err(|error| io::Error::other(error.to_string()))?;
    filter::install(&program).map(drop)
}

/// Whether the kernel's rules can hold signals, which is the last thing that ours need.
fn landlock() -> io::Result<()> {
    const VERSION: libc::c_ulong = 1;
    const SIGNALS_SINCE: i64 = 6;
    // SAFETY: with this flag nothing is read from the pointer.
    let version =
        check(unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, VERSION) })?;
    if version < SIGNALS_SINCE { Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)) } else { Ok(()) }
}
