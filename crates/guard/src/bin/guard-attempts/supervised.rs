//! One process under the filter, one thread that supervises it, one that stands for the gate.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use guard::attempt::{Class, Seen, Unrecorded, Witness};
use guard::door::{Door, Origin, Redirects};
use guard::given::Given;
use guard::net::UnixDiag;
use guard::plan::View;
use guard::rung::Rung;
use guard::supervise::{Supervision, supervise};
use guard::{Notify, filter};

use crate::host::{call, checked, say};
use crate::{How, Trouble, attempts};

/// Keeps what was seen, or says that it cannot.
struct Notebook {
    seen: Mutex<Vec<Seen>>,
    does: crate::Witness,
}

impl Witness for Notebook {
    fn saw(&self, seen: Seen) -> Result<(), Unrecorded> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        match self.does {
            crate::Witness::Records => Ok(()),
            crate::Witness::CannotRecord => Err(Unrecorded),
            #[expect(clippy::panic, reason = "what happens then is tested")]
            crate::Witness::Panics => panic!("as asked"),
        }
    }
}

pub(crate) fn run(how: How, words: &[String], does: crate::Witness) -> Result<(), Trouble> {
    let rung = if how == How::Namespaces { Rung::A } else { Rung::B };
    let program = filter::program(rung)?;
    let (mut from_child, to_parent) = io::pipe()?;
    let (from_parent, mut to_child) = io::pipe()?;
    // SAFETY: this process has one thread until here.
    let child = checked(unsafe { libc::fork() }.into())? as libc::pid_t;
    if child == 0 {
        drop((from_child, to_child));
        let done = confined(rung, &program, to_parent, from_parent).and_then(|()| attempts::all(words));
        if let Err(trouble) = done {
            say(&format!("trouble: {trouble}"));
        }
        // SAFETY: ends the process at once: nothing of it is needed any more.
        unsafe { libc::_exit(0) }
    }
    drop((to_parent, from_parent));
    let mut numbers = [0_u8; 8];
    from_child.read_exact(&mut numbers)?;
    let [a, b, c, d, e, f, g, h] = numbers;
    let listener = copy(child, i32::from_ne_bytes([a, b, c, d]))?;
    let diag = copy(child, i32::from_ne_bytes([e, f, g, h]))?;
    if how == How::Held {
        forbid_copies()?;
    }
    let notebook = Arc::new(Notebook { seen: Mutex::default(), does });
    let killed = Arc::new(AtomicBool::new(false));
    let (redirects, doors, came) = gate()?;
    let supervision = Supervision {
        rung,
        diag: (rung == Rung::A).then(|| UnixDiag::from(diag)),
        redirects: (rung == Rung::B).then_some((redirects, doors.0, doors.1)),
        exposed: std::env::var("EXPOSED").ok().and_then(|port| port.parse().ok()).into_iter().collect(),
        given: Given::of(&View { writable: vec![std::env::current_dir()?], ..View::default() })?,
        witness: Arc::clone(&notebook) as Arc<dyn Witness>,
        kill: {
            let killed = Arc::clone(&killed);
            Box::new(move || {
                killed.store(true, Ordering::SeqCst);
                // SAFETY: plain numbers; the child has not been waited for, so it is still this one.
                unsafe { libc::kill(child, libc::SIGKILL) };
            })
        },
    };
    let supervisor = std::thread::spawn(move || supervise(Notify::new(listener), supervision));
    to_child.write_all(b"go")?;
    drop(to_child);
    if supervisor.join().is_err() {
        say("panicked");
    }
    let mut status = 0;
    // SAFETY: one number is written, for which there is room.
    checked(unsafe { libc::waitpid(child, &raw mut status, 0) }.into())?;
    for seen in notebook.seen.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        say(&line(seen));
    }
    for wanted in came.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        say(&format!("gate: {wanted}"));
    }
    if killed.load(Ordering::SeqCst) {
        say("killed");
    }
    Ok(())
}

fn line(seen: &Seen) -> String {
    let class = match seen.class {
        Class::Notice => "notice",
        Class::Violation => "violation",
    };
    let attempt = seen.attempt;
    let destination = serde_json::to_string(&attempt.destination).unwrap_or_default();
    let port = attempt.port.map_or_else(String::new, |port| format!(" {port}"));
    let (op, family, protocol) = (attempt.op, attempt.family, attempt.protocol);
    format!("{class}: {op} {family} {protocol} {}{port}", destination.trim_matches('"'))
}

/// Gets the calling process, which has one thread, under the filter, and waits until it is supervised.
fn confined(
    rung: Rung,
    program: &filter::Program,
    mut to_parent: io::PipeWriter,
    mut from_parent: io::PipeReader,
) -> Result<(), Trouble> {
    if rung == Rung::A {
        own_network()?;
    }
    let diag = call(libc::SYS_socket, [libc::AF_NETLINK.into(), libc::SOCK_RAW.into(), 4, 0, 0, 0])? as RawFd;
    // SAFETY: it was opened just now and is nobody else's.
    let diag = unsafe { OwnedFd::from_raw_fd(diag) };
    // SAFETY: plain numbers.
    checked(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into())?;
    let listener = filter::install(program)?;
    to_parent.write_all(&[listener.as_raw_fd().to_ne_bytes(), diag.as_raw_fd().to_ne_bytes()].concat())?;
    let mut word = [0; 2];
    from_parent.read_exact(&mut word)?;
    Ok(())
}

/// A network of its own, with nothing but a loopback, whose sockets no other network knows.
fn own_network() -> Result<(), Trouble> {
    // SAFETY: no arguments.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    call(libc::SYS_unshare, [i64::from(libc::CLONE_NEWUSER | libc::CLONE_NEWNET), 0, 0, 0, 0, 0])?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    let socket = crate::host::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    // SAFETY: all zeroes is a valid request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the kernel reads one such request.
    checked(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) }.into())?;
    Ok(())
}

fn copy(process: libc::pid_t, descriptor: RawFd) -> Result<OwnedFd, Trouble> {
    let process = call(libc::SYS_pidfd_open, [process.into(), 0, 0, 0, 0, 0])?;
    let taken = call(libc::SYS_pidfd_getfd, [process, descriptor.into(), 0, 0, 0, 0])?;
    // SAFETY: both were opened just now and are nobody else's.
    unsafe {
        drop(OwnedFd::from_raw_fd(process as RawFd));
        Ok(OwnedFd::from_raw_fd(taken as RawFd))
    }
}

/// Makes the kernel refuse copies of descriptors to this process, as the usual profile of containers does.
fn forbid_copies() -> Result<(), Trouble> {
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let program = [
        step(0x20, 0, 0, 0),
        step(0x15, 0, 1, libc::SYS_pidfd_getfd as u32),
        step(0x06, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        step(0x06, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    // SAFETY: plain numbers, and a program that lives until the call returns.
    unsafe {
        checked(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0).into())?;
        checked(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program).into())?;
    }
    Ok(())
}

type Doors = (std::net::SocketAddrV4, Option<std::net::SocketAddrV6>);
type Came = Arc<Mutex<Vec<String>>>;

/// A gate that lets nobody through: it says who it is, and for what one came.
fn gate() -> Result<(Arc<Redirects>, Doors, Came), Trouble> {
    let redirects = Arc::new(Redirects::default());
    let came = Came::default();
    let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).ok();
    let SocketAddr::V4(address) = v4.local_addr()? else { return Err("no IPv4".into()) };
    let address_v6 = match v6.as_ref().map(TcpListener::local_addr).transpose()? {
        Some(SocketAddr::V6(address)) => Some(address),
        _ => None,
    };
    for listener in [Some(v4), v6].into_iter().flatten() {
        let door = Door { listener, origin: Origin::Noted(Arc::clone(&redirects)) };
        let came = Arc::clone(&came);
        std::thread::spawn(move || {
            for stream in door.listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let wanted = door.wanted(&stream).ok().flatten();
                let wanted = wanted.map_or_else(|| "unknown".to_owned(), |wanted| format!("{wanted:?}"));
                came.lock().unwrap_or_else(PoisonError::into_inner).push(wanted.clone());
                // Whoever is gone does not hear it.
                let _ = writeln!(stream, "gate {wanted}");
            }
        });
    }
    Ok((redirects, (address, address_v6), came))
}
