//! The part outside: makes the jail, lets [`inside`] try to get out of it, and writes down what arrived, what was
//! told, and what lived.

use std::collections::BTreeMap;
use std::io::{self, PipeReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::inside::{self, Outside, TOKEN};
use super::machine;
use crate::attempt::{Seen, Unrecorded, Witness};
use crate::door::{Door, Origin, Wanted};
use crate::launch::{Jail, Launcher, Stdio};
use crate::net::listen::readable;
use crate::plan::{Command, Limits, Plan, View};
use crate::rung::Rung;
use crate::supervise::{Supervision, supervise};
use crate::{LaunchError, Layer};

/// LIMIT: how long the tries may take: they take milliseconds, but on a machine that does much else.
const TRIES_WAIT_MAX: Duration = Duration::from_secs(20);
/// LIMIT: how long a killed tree may take to be gone.
const DEATH_WAIT_MAX_MS: libc::c_int = 5000;
/// The name of the machine inside.
pub(super) const HOST_NAME: &str = "exeat-probe";
/// How many files may be open inside.
pub(super) const OPEN_FILES: i32 = 40;

/// What was found out in one jail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Evidence {
    /// What was said inside, by name.
    pub(super) said: BTreeMap<String, String>,
    /// What the supervisor and the packet log were told.
    pub(super) seen: Vec<Seen>,
    /// Where those wanted to go who came to a door, and sent what was agreed.
    pub(super) arrived: Vec<Wanted>,
    /// The nameservers that were asked.
    pub(super) asked: Vec<Ipv4Addr>,
    /// The namespaces out here.
    pub(super) namespaces: BTreeMap<&'static str, String>,
    /// This process.
    pub(super) pid: i32,
    /// How many more domains of Landlock it could be put in.
    pub(super) domains_left: usize,
    /// Somebody came to the machine's own port, or socket.
    pub(super) came_out: bool,
    /// Somebody lived on when the command had ended.
    pub(super) lived_on: bool,
    /// Nobody did when the jail was killed.
    pub(super) died: bool,
}

/// Makes a jail of this rung and tries everything in it.
pub(super) fn try_out(launcher: &Launcher, rung: Rung) -> Result<Evidence, LaunchError> {
    let trouble = |error| LaunchError::Layer { layer: Layer::Spawner, what: "prepare a probe".to_owned(), error };
    let host = Host::new().map_err(trouble)?;
    let program = program(launcher);
    let jail = Arc::new(launcher.launch(&plan(rung, &program))?);
    let (mut reader, writer) = io::pipe().map_err(trouble)?;
    let null = || std::fs::File::options().read(true).write(true).open("/dev/null").map_err(trouble);
    let stdio = Stdio::Files { stdin: null()?.into(), stdout: writer.into(), stderr: null()?.into() };
    let (process, notify) = jail.spawn(&command(&program, &host), stdio)?;
    let witness = Arc::new(Told::default());
    let supervision = Supervision {
        rung,
        diag: jail.diag.clone(),
        redirects: redirects(&jail.doors),
        exposed: Vec::new(),
        given: jail.given.clone(),
        witness: Arc::clone(&witness) as Arc<dyn Witness>,
        kill: {
            let jail = Arc::clone(&jail);
            Box::new(move || jail.kill())
        },
    };
    std::thread::Builder::new()
        .name("guard-probe".to_owned())
        .spawn(move || supervise(notify, supervision))
        .map_err(trouble)?;

    let mut evidence = Evidence {
        namespaces: machine::NAMESPACES
            .into_iter()
            .filter_map(|kind| Some((kind, machine::namespace(kind)?)))
            .collect(),
        pid: host.outside.pid,
        domains_left: machine::domains_left(),
        ..Evidence::default()
    };
    let said = listen_to(&mut reader, &jail, &mut evidence.asked).map_err(trouble)?;
    evidence.said = said.lines().filter_map(|line| line.split_once(' ')).map(owned).collect();
    if evidence.said.contains_key(inside::END) {
        process.wait();
        evidence.lived_on = !readable(reader.as_fd(), 0).map_err(trouble)?;
    }
    jail.kill();
    evidence.died = is_over(&mut reader).map_err(trouble)?;
    evidence.arrived = jail.doors.iter().flat_map(arrived).collect();
    evidence.came_out = host.heard();
    evidence.seen = std::mem::take(&mut *witness.0.lock().unwrap_or_else(PoisonError::into_inner));
    if let Some(packets) = &jail.packets {
        evidence.seen.extend(packets.read().map_err(trouble)?);
    }
    Ok(evidence)
}

/// Where this very program is, which is what tries.
pub(super) fn program(launcher: &Launcher) -> PathBuf {
    let program = launcher.program();
    if program.starts_with("/proc/self") {
        std::env::current_exe().unwrap_or_else(|_| program.to_owned())
    } else {
        program.to_owned()
    }
}

fn plan(rung: Rung, program: &Path) -> Plan {
    Plan {
        rung,
        view: View { read_only: vec![program.to_owned()], scratch_bytes: 1 << 20, ..View::default() },
        limits: Limits { open_files: OPEN_FILES.unsigned_abs().into(), ..Limits::default() },
        exposed_ports: Vec::new(),
        host_name: HOST_NAME.to_owned(),
    }
}

fn command(program: &Path, host: &Host) -> Command {
    use std::os::unix::ffi::OsStrExt as _;
    let mut argv = vec![program.as_os_str().as_bytes().to_vec()];
    argv.extend(host.outside.to_arguments().iter().map(|argument| argument.as_bytes().to_vec()));
    Command { argv, env: Vec::new(), cwd: PathBuf::from("/"), timeout: None, grace: Duration::ZERO, terminal: None }
}

fn redirects(doors: &[Door]) -> Option<(Arc<crate::door::Redirects>, SocketAddrV4, Option<SocketAddrV6>)> {
    let (mut noted, mut v4, mut v6) = (None, None, None);
    for door in doors {
        if let Origin::Noted(redirects) = &door.origin {
            noted = Some(Arc::clone(redirects));
            match door.listener.local_addr() {
                Ok(SocketAddr::V4(address)) => v4 = Some(address),
                Ok(SocketAddr::V6(address)) => v6 = Some(address),
                Err(_) => {}
            }
        }
    }
    Some((noted?, v4?, v6))
}

/// Reads until the end is said, and is the nameserver meanwhile.
fn listen_to(reader: &mut PipeReader, jail: &Jail, asked: &mut Vec<Ipv4Addr>) -> io::Result<String> {
    let deadline = Instant::now() + TRIES_WAIT_MAX;
    let mut said = String::new();
    let mut buffer = [0; 4096];
    let end = format!("\n{} 0\n", inside::END);
    while !said.ends_with(&end) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let nameserver = jail.nameserver.as_ref().map_or(-1, |nameserver| nameserver.as_fd().as_raw_fd());
        let mut watched =
            [reader.as_raw_fd(), nameserver].map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
        let patience = libc::c_int::try_from(left.as_millis()).unwrap_or(libc::c_int::MAX);
        // SAFETY: two entries, which outlive the call; a negative descriptor is passed over.
        crate::sys::check_int(unsafe { libc::poll(watched.as_mut_ptr(), 2, patience) })?;
        let [text, query] = watched.map(|watched| watched.revents != 0);
        if query
            && let Some(nameserver) = &jail.nameserver
            && let Ok((length, query)) = nameserver.recv(&mut buffer)
        {
            asked.push(query.to);
            let _ = nameserver.reply(&query, buffer.get(..length).unwrap_or_default());
        }
        if text {
            let length = reader.read(&mut buffer)?;
            if length == 0 {
                break;
            }
            said.push_str(&String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()));
        }
    }
    Ok(said)
}

fn owned((name, what): (&str, &str)) -> (String, String) {
    (name.to_owned(), what.to_owned())
}

/// Whether nobody is left who could write.
fn is_over(reader: &mut PipeReader) -> io::Result<bool> {
    Ok(readable(reader.as_fd(), DEATH_WAIT_MAX_MS)? && reader.read(&mut [0; 64])? == 0)
}

/// Where those wanted to go who wait at a door and sent what was agreed.
fn arrived(door: &Door) -> Vec<Wanted> {
    let mut all = Vec::new();
    while let Ok((mut stream, _)) = door.listener.accept() {
        let mut token = [0; TOKEN.len()];
        let ours = stream.set_nonblocking(false).is_ok()
            && stream.set_read_timeout(Some(Duration::from_millis(500))).is_ok()
            && stream.read_exact(&mut token).is_ok()
            && token == *TOKEN;
        if let Ok(Some(wanted)) = door.wanted(&stream)
            && ours
        {
            all.push(wanted);
        }
    }
    all
}

/// What was told of attempts.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<Seen>>);

impl Witness for Told {
    fn saw(&self, seen: Seen) -> Result<(), Unrecorded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        Ok(())
    }
}

/// What of the machine must not be reached: a file, a socket, a port. Taken away when dropped.
#[derive(Debug)]
struct Host {
    outside: Outside,
    socket: UnixListener,
    port: TcpListener,
}

impl Host {
    fn new() -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let pid = std::process::id();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = everybodys_folder().join(format!("exeat-probe-{pid}-{count}"));
        std::fs::DirBuilder::new().mode(0o755).create(&folder)?;
        // Whatever was masked: everybody may come in, so that it is the guard that keeps one out.
        let open_to_all = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode));
        open_to_all(&folder, 0o755)?;
        std::fs::write(folder.join("file"), b"not for the inside\n")?;
        open_to_all(&folder.join("file"), 0o644)?;
        let socket = UnixListener::bind(folder.join("socket"))?;
        open_to_all(&folder.join("socket"), 0o777)?;
        socket.set_nonblocking(true)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        port.set_nonblocking(true)?;
        let pid = i32::try_from(pid).unwrap_or(i32::MAX);
        Ok(Self { outside: Outside { pid, folder, port: port.local_addr()?.port() }, socket, port })
    }

    fn heard(&self) -> bool {
        self.socket.accept().is_ok() || self.port.accept().is_ok()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It is empty but for what was made above.
        let _ = std::fs::remove_dir_all(&self.outside.folder);
    }
}

/// A folder for temporary files that everybody can enter.
fn everybodys_folder() -> PathBuf {
    let own = std::env::temp_dir();
    let open = own.ancestors().all(|folder| folder.metadata().is_ok_and(|folder| folder.mode() & 0o001 != 0));
    if open { own } else { PathBuf::from("/tmp") }
}
