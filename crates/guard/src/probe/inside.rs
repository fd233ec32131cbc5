//! The part that runs in the jail: tries to get out, and says on its standard output what became of it.
//!
//! A line for each try: its name, and `0` or the number of the error. It says what it saw and judges nothing; what
//! it says is believed only where that speaks against the guard, or where the other side saw the same.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use super::diagnose;

/// The first argument of this program when it is the one that tries.
pub(super) const ARGUMENT: &str = "__probe";
/// What is sent through each connection, so that the other side knows whose it is.
pub(super) const TOKEN: &[u8; 6] = b"exeat\n";
/// Said when all has been tried.
pub(super) const END: &str = "end";
/// Where nobody is: addresses set aside for documentation.
pub(super) const NOWHERE_V4: &str = "192.0.2.1:443";
pub(super) const NOWHERE_V6: &str = "[2001:db8::1]:443";
pub(super) const NOWHERE_UDP: &str = "192.0.2.9:9";
/// A nameserver that is not there.
pub(super) const NAMESERVER: &str = "192.0.2.53:53";
/// A port of the loopback where nobody listens.
pub(super) const CLOSED_PORT: u16 = 7;

/// LIMIT: seconds after which it ends, whatever it waits for.
const SECONDS_MAX: libc::c_uint = 30;
/// Descriptors that are looked at. The kernel gives the lowest that is free, so there are none far above.
const DESCRIPTORS: libc::c_int = 4096;

/// What it is told about the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outside {
    /// The process that started all.
    pub(super) pid: i32,
    /// A folder of the machine with a file `file` that everybody may read, and a socket `socket`.
    pub(super) folder: PathBuf,
    /// A port of the machine's loopback where somebody listens.
    pub(super) port: u16,
}

impl Outside {
    pub(super) fn to_arguments(&self) -> Vec<OsString> {
        vec![
            ARGUMENT.into(),
            "jail".into(),
            self.pid.to_string().into(),
            self.port.to_string().into(),
            self.folder.clone().into_os_string(),
        ]
    }

    fn from_arguments(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let number = |argument: OsString| argument.into_string().ok();
        let pid = number(arguments.next()?)?.parse().ok()?;
        let port = number(arguments.next()?)?.parse().ok()?;
        Some(Self { pid, port, folder: arguments.next()?.into() })
    }
}

/// Tries what the arguments of this process say, and does not return; or returns at once.
pub(crate) fn run_if_asked() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|argument| argument != ARGUMENT) {
        return;
    }
    let what = arguments.next().unwrap_or_default();
    // SAFETY: no pointers.
    unsafe { libc::alarm(SECONDS_MAX) };
    match Outside::from_arguments(arguments) {
        Some(outside) if what == "jail" => try_to_get_out(&outside),
        None if what == "parts" => diagnose::run(),
        _ => {}
    }
    std::process::exit(0)
}

fn try_to_get_out(outside: &Outside) {
    who_we_are();
    what_we_have();
    files(outside);
    processes(outside);
    calls();
    network(outside);
    limits();
    leave_somebody_behind();
    say(END, 0);
}

fn say(name: &str, what: impl std::fmt::Display) {
    // Nobody listens any more: then nobody waits for it either.
    let _ = writeln!(io::stdout(), "{name} {what}");
}

/// Zero, or the number of the error.
fn number<T>(result: io::Result<T>) -> i32 {
    result.err().map_or(0, |error| error.raw_os_error().unwrap_or(-1))
}

/// The same of a call that has just returned.
fn last(returned: i64) -> i32 {
    if returned < 0 { io::Error::last_os_error().raw_os_error().unwrap_or(-1) } else { 0 }
}

fn who_we_are() {
    for name in super::machine::NAMESPACES {
        if let Some(namespace) = super::machine::namespace(name) {
            say(&format!("namespace_{name}"), namespace);
        }
    }
    // SAFETY: neither has pointers nor fails.
    let (pid, parent) = unsafe { (libc::getpid(), libc::getppid()) };
    say("pid", pid);
    say("parent", parent);
    let mut name = [0_u8; 65];
    // SAFETY: the buffer has the size given.
    if unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) } == 0 {
        let name = std::ffi::CStr::from_bytes_until_nul(&name).map(|name| name.to_string_lossy()).unwrap_or_default();
        say("host_name", name);
    }
}

fn what_we_have() {
    // SAFETY: no pointers.
    let open = (3..DESCRIPTORS).filter(|fd| unsafe { libc::fcntl(*fd, libc::F_GETFD) } >= 0).count();
    say("descriptors_above_2", open);
    let header = [0x2008_0522_u32, 0];
    let mut sets = [0_u32; 6];
    // SAFETY: version 3 of the call: a header of two words, and room for the six that it writes.
    let read = unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()) };
    say("capabilities", if read < 0 { u32::MAX } else { sets.iter().fold(0, |all, set| all | set) });
    // SAFETY: no pointers.
    let bounded = (0..64).filter(|capability| unsafe { libc::prctl(libc::PR_CAPBSET_READ, *capability, 0, 0, 0) } == 1);
    say("capabilities_to_be_had", bounded.count());
    // SAFETY: no pointers.
    let (new_privileges, filter) =
        unsafe { (libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), libc::prctl(libc::PR_GET_SECCOMP, 0, 0, 0, 0)) };
    say("no_new_privileges", new_privileges);
    say("filter", filter);
}

fn files(outside: &Outside) {
    say("read_host_file", number(std::fs::read(outside.folder.join("file"))));
    say("domains_left", super::machine::domains_left());
    say("host_socket", number(UnixStream::connect(outside.folder.join("socket"))));
    say("write_system", number(std::fs::write("/usr/exeat-probe", b"")));
}

fn processes(outside: &Outside) {
    say("listed_outside", i32::from(PathBuf::from(format!("/proc/{}", outside.pid)).exists()));
    // SAFETY: no pointers; signal 0 only asks.
    unsafe {
        say("signal_outside", last(libc::kill(outside.pid, 0).into()));
        say("signal_keeper", last(libc::kill(libc::getppid(), 0).into()));
    }
}

fn calls() {
    // SAFETY: in a process with one thread; it is refused, or changes nothing but what this process sees.
    say("unshare", last(unsafe { libc::unshare(libc::CLONE_NEWUSER) }.into()));
    // SAFETY: no pointers that are followed: the length is one that every kernel refuses.
    say("clone3", last(unsafe { libc::syscall(libc::SYS_clone3, std::ptr::null::<u8>(), 0) }));
    // SAFETY: no pointers that are followed, and no process that could be attached to.
    say("ptrace", last(unsafe { libc::ptrace(libc::PTRACE_ATTACH, 0, 0, 0) }));
    for (name, family, kind) in
        [("vsock", libc::AF_VSOCK, libc::SOCK_STREAM), ("packet", libc::AF_PACKET, libc::SOCK_RAW)]
    {
        // SAFETY: no pointers; what is made after all is closed.
        unsafe {
            let socket = libc::socket(family, kind, 0);
            say(name, last(socket.into()));
            libc::close(socket);
        }
    }
}

fn network(outside: &Outside) {
    for (name, to) in [
        ("connect_v4", NOWHERE_V4.to_owned()),
        ("connect_v6", NOWHERE_V6.to_owned()),
        ("connect_proxy", format!("127.0.0.1:{}", crate::plan::PROXY_PORT)),
        ("connect_host_loopback", format!("127.0.0.1:{}", outside.port)),
        ("connect_closed", format!("127.0.0.1:{CLOSED_PORT}")),
    ] {
        say(name, number(send_token(&to)));
    }
    say("privileged_port", number(std::net::TcpListener::bind("127.0.0.1:81")));
    say("udp", number(UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.send_to(TOKEN, NOWHERE_UDP))));
    say("nameserver", number(ask_nameserver()));
}

fn send_token(to: &str) -> io::Result<()> {
    let to: SocketAddr = to.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
    TcpStream::connect(to)?.write_all(TOKEN)
}

/// Only an answer from the address that was asked is taken.
fn ask_nameserver() -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    socket.connect(NAMESERVER)?;
    socket.send(TOKEN)?;
    let mut answer = [0; 16];
    let length = socket.recv(&mut answer)?;
    if answer.get(..length) == Some(&TOKEN[..]) { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

fn limits() {
    let mut copies = Vec::new();
    let refused = loop {
        // SAFETY: no pointers.
        let copy = unsafe { libc::dup(1) };
        if copy < 0 {
            break io::Error::last_os_error().raw_os_error().unwrap_or(-1);
        }
        copies.push(copy);
        if copies.len() >= 4096 {
            break 0;
        }
    };
    for copy in &copies {
        // SAFETY: it was opened above and is used nowhere else.
        unsafe { libc::close(*copy) };
    }
    say("open_files", copies.len() + 3);
    say("open_files_refused", refused);
}

/// A process that nobody waits for, in a session of its own, deaf to every signal that can be ignored. It holds the
/// standard output open for as long as it lives.
fn leave_somebody_behind() {
    // SAFETY: this process has one thread. The child calls nothing but the kernel.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: as above.
        unsafe {
            libc::setsid();
            if libc::fork() == 0 {
                for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGQUIT, libc::SIGPIPE] {
                    libc::signal(signal, libc::SIG_IGN);
                }
                libc::alarm(SECONDS_MAX);
                loop {
                    libc::pause();
                }
            }
            libc::_exit(0);
        }
    }
    say("fork", last(child.into()));
    // SAFETY: no pointers that are followed.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
}
