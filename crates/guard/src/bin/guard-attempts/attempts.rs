//! The attempts by name: each is one line of output.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, OwnedFd};

use crate::host::{accept, bind, call, checked, connect, family, greeting, listen, octets, say, socket, unix, word};
use crate::{Trouble, races};

/// Makes the attempts one after the other, and prints how each went.
pub(crate) fn all(words: &[String]) -> Result<(), Trouble> {
    for attempt in words {
        let parts: Vec<&str> = attempt.split(' ').collect();
        let Some((name, arguments)) = parts.split_first() else { continue };
        let went = match one(name, arguments)? {
            Ok(went) => went,
            Err(error) => word(&error),
        };
        say(&format!("{attempt}: {went}"));
    }
    Ok(())
}

/// How an attempt went for the one who made it.
type Went = io::Result<String>;

fn one(name: &str, arguments: &[&str]) -> Result<Went, Trouble> {
    let argument = |at: usize| arguments.get(at).copied().unwrap_or_default();
    let address = |at: usize| argument(at).parse::<SocketAddr>();
    Ok(match name {
        "connect" => tcp(address(0)?),
        "connect6" => tcp6(address(0)?),
        "connect-later" => tcp_later(address(0)?),
        "connect-twice" => tcp_twice(address(0)?, address(1)?),
        "connect-again" => tcp_again(address(0)?, address(1)?),
        "peer" => peer(address(0)?),
        "own-tcp" => own_tcp(address(0)?),
        "own-late" => own_tcp_unbound(),
        "listen" => listening(address(0)?),
        "bind-twice" => bind_twice(),
        "fast-open" => fast_open(argument(0), address(1)?),
        "steered" => steered(address(0)?),
        "late-port" => late_port(address(0)?),
        "udp-connect" => udp_connect(address(0)?),
        "unix" => unix_connect(argument(0)),
        "own-unix" => own_unix(argument(0)),
        "left-unix" => left_unix(argument(0)),
        "run" => run(&arguments.join(" ")),
        "socket" => socket(argument(0).parse()?, argument(1).parse()?, argument(2).parse()?).map(|_| ok()),
        "pair" => pair(argument(0).parse()?, argument(1).parse()?),
        "change" => change(argument(0), argument(1)),
        "call" => rare(argument(0))?,
        "undumpable" => checked(
            // SAFETY: plain numbers.
            unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) }.into(),
        )
        .map(|_| ok()),
        "bad" => bad(argument(0), address(1)?)?,
        "serve" => serve(address(0)?),
        "storm" => races::storm(address(0)?, argument(1).parse()?),
        "threads" => races::threads(address(0)?)?,
        "flip" => races::flip(&octets(address(0)?), &octets(address(1)?), libc::AF_INET),
        "flip-unix" => races::flip(&unix(argument(0)), &unix(argument(1)), libc::AF_UNIX),
        "exchange" => races::exchange(argument(0), address(1)?),
        "close" => races::close(address(0)?),
        other => return Err(format!("no attempt is called `{other}`").into()),
    })
}

pub(crate) fn ok() -> String {
    "ok".to_owned()
}

fn tcp(to: SocketAddr) -> Went {
    let socket = socket(family(to), libc::SOCK_STREAM, 0)?;
    connect(&socket, &octets(to))?;
    greeting(&socket)
}

/// With a socket of the newer family, to an address of the older.
fn tcp6(to: SocketAddr) -> Went {
    let mapped = match to {
        SocketAddr::V4(v4) => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
        v6 => v6,
    };
    tcp(mapped)
}

fn tcp_later(to: SocketAddr) -> Went {
    let socket = socket(family(to), libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0)?;
    match connect(&socket, &octets(to)) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        other => other?,
    }
    let mut polled = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: one descriptor, which is open.
    checked(unsafe { libc::poll(&raw mut polled, 1, 5000) }.into())?;
    let stream = TcpStream::from(socket);
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    stream.set_nonblocking(false)?;
    greeting(&OwnedFd::from(stream))
}

/// Once it is connected it stays so.
fn tcp_twice(first: SocketAddr, second: SocketAddr) -> Went {
    let socket = socket(family(first), libc::SOCK_STREAM, 0)?;
    connect(&socket, &octets(first))?;
    let again = connect(&socket, &octets(second)).map_or_else(|error| word(&error), |()| ok());
    Ok(format!("{}, then {again}", greeting(&socket)?))
}

/// What failed once may be tried with another address.
fn tcp_again(first: SocketAddr, second: SocketAddr) -> Went {
    let socket = socket(family(first), libc::SOCK_STREAM, 0)?;
    let failed = connect(&socket, &octets(first)).map_or_else(|error| word(&error), |()| ok());
    connect(&socket, &octets(second))?;
    Ok(format!("{failed}, then {}", greeting(&socket)?))
}

fn peer(to: SocketAddr) -> Went {
    let stream = TcpStream::connect(to)?;
    Ok(stream.peer_addr()?.to_string())
}

/// A program of the machine, as a shell starts it: the last line it says.
fn run(command: &str) -> Went {
    let output = std::process::Command::new("/bin/sh").args(["-c", command]).output()?;
    let said = String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned();
    Ok(format!("{said} ({})", output.status.code().unwrap_or(-1)))
}

/// A server that goes on, and greets like others do.
fn serve(at: SocketAddr) -> Went {
    let server = TcpListener::bind(at)?;
    std::thread::spawn(move || {
        for stream in server.incoming().flatten() {
            // Whoever is gone does not hear it.
            let _ = io::Write::write_all(&mut &stream, b"own\n");
        }
    });
    Ok(ok())
}

/// A server of one's own, and a client of it.
fn own_tcp(at: SocketAddr) -> Went {
    let server = TcpListener::bind(at)?;
    let port = server.local_addr()?.port();
    meet(&server, SocketAddr::from(([127, 0, 0, 1], port)))
}

/// The same, where the kernel would choose the address.
fn own_tcp_unbound() -> Went {
    let server = socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
    listen(&server)?;
    let server = TcpListener::from(server);
    let at = server.local_addr()?;
    let met = meet(&server, SocketAddr::from(([127, 0, 0, 1], at.port())))?;
    Ok(format!("{met} at {}", at.ip()))
}

fn meet(server: &TcpListener, at: SocketAddr) -> Went {
    let client = TcpStream::connect(at)?;
    let (served, _) = server.accept()?;
    let same = served.peer_addr()?.port() == client.local_addr()?.port();
    Ok(if same { ok() } else { "somebody else".to_owned() })
}

fn listening(at: SocketAddr) -> Went {
    let server = socket(family(at), libc::SOCK_STREAM, 0)?;
    bind(&server, &octets(at))?;
    listen(&server)?;
    Ok(TcpListener::from(server).local_addr()?.ip().to_string())
}

/// A port that is free again can be bound again: how programs find one.
fn bind_twice() -> Went {
    let first = TcpListener::bind("127.0.0.1:0")?;
    let at = first.local_addr()?;
    drop(first);
    let felt = socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
    bind(&felt, &octets(at))?;
    drop(felt);
    TcpListener::bind(at).map(|_| ok())
}

fn fast_open(how: &str, to: SocketAddr) -> Went {
    let socket = socket(family(to), libc::SOCK_STREAM, 0)?;
    let name = octets(to);
    let data = *b"early";
    let flags = libc::MSG_FASTOPEN;
    if how == "sendto" {
        let arguments = [
            socket.as_raw_fd().into(),
            data.as_ptr() as i64,
            data.len() as i64,
            flags.into(),
            name.as_ptr() as i64,
            name.len() as i64,
        ];
        return call(libc::SYS_sendto, arguments).map(|_| ok());
    }
    let mut part = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    // SAFETY: all zeroes is a valid message.
    let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
    message.msg_hdr.msg_name = name.as_ptr().cast_mut().cast();
    message.msg_hdr.msg_namelen = name.len() as u32;
    message.msg_hdr.msg_iov = &raw mut part;
    message.msg_hdr.msg_iovlen = 1;
    let (file, at) = (i64::from(socket.as_raw_fd()), (&raw mut message) as i64);
    match how {
        "sendmsg" => call(libc::SYS_sendmsg, [file, at, flags.into(), 0, 0, 0]),
        _ => call(libc::SYS_sendmmsg, [file, at, 1, flags.into(), 0, 0]),
    }
    .map(|_| ok())
}

/// By way of a machine that packets are to pass first.
fn steered(to: SocketAddr) -> Went {
    /// Loose source route, its length, where it stands, 203.0.113.1, end.
    const ROUTE: [u8; 8] = [131, 7, 4, 203, 0, 113, 1, 0];
    let socket = socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
    option(&socket, libc::IPPROTO_IP, libc::IP_OPTIONS, &ROUTE)?;
    connect(&socket, &octets(to)).map(|()| ok())
}

/// With a port that the kernel chooses when it connects.
fn late_port(to: SocketAddr) -> Went {
    let socket = socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
    option(&socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, &1_i32.to_ne_bytes())?;
    connect(&socket, &octets(to))?;
    greeting(&socket)
}

fn option(socket: &OwnedFd, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    let (at, length) = (value.as_ptr() as i64, value.len() as i64);
    call(libc::SYS_setsockopt, [socket.as_raw_fd().into(), level.into(), name.into(), at, length, 0]).map(drop)
}

fn udp_connect(to: SocketAddr) -> Went {
    let socket = socket(family(to), libc::SOCK_DGRAM, 0)?;
    connect(&socket, &octets(to)).map(|()| ok())
}

fn unix_connect(path: &str) -> Went {
    let socket = socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)?;
    connect(&socket, &unix(path))?;
    greeting(&socket)
}

fn own_unix(path: &str) -> Went {
    let server = socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)?;
    bind(&server, &unix(path))?;
    listen(&server)?;
    let client = socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)?;
    connect(&client, &unix(path))?;
    drop(accept(&server)?);
    Ok(ok())
}

/// A socket file whose server is gone.
fn left_unix(path: &str) -> Went {
    let server = socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)?;
    bind(&server, &unix(path))?;
    drop(server);
    unix_connect(path)
}

fn pair(domain: i32, kind: i32) -> Went {
    let mut ends = [-1_i32; 2];
    call(libc::SYS_socketpair, [domain.into(), kind.into(), 0, ends.as_mut_ptr() as i64, 0, 0]).map(|_| ok())
}

/// What is wrong with the call itself is said as the kernel says it.
fn bad(what: &str, to: SocketAddr) -> Result<Went, Trouble> {
    let name = octets(to);
    let file = socket(family(to), libc::SOCK_STREAM, 0)?;
    let (number, at, length) = (i64::from(file.as_raw_fd()), name.as_ptr() as i64, name.len() as i64);
    let [number, at, length] = match what {
        "descriptor" => [9999, at, length],
        "address" => [number, 8, length],
        "length" => [number, at, 4096],
        "short" => [number, at, 4],
        "negative" => [number, at, -1],
        "file" => [0, at, length],
        other => return Err(format!("nothing is bad about `{other}`").into()),
    };
    Ok(call(libc::SYS_connect, [number, at, length, 0, 0, 0]).map(|_| ok()))
}

/// What is said of a file is changed, which is there afterwards if it was not before. `UID` is whose it is.
fn change(how: &str, path: &str) -> Went {
    // SAFETY: no arguments.
    let path = &path.replace("UID", &unsafe { libc::geteuid() }.to_string());
    let file = std::fs::File::options().append(true).create(true).open(path)?;
    let path = std::ffi::CString::new(path.as_str())?;
    let (at, descriptor) = (path.as_ptr() as i64, i64::from(file.as_raw_fd()));
    let here = i64::from(libc::AT_FDCWD);
    let link = std::ffi::CString::new(format!("/proc/self/fd/{descriptor}"))?;
    let name = c"user.name".as_ptr() as i64;
    let (number, arguments) = match how {
        "mode" => (libc::SYS_fchmodat, [here, at, 0o640, 0, 0, 0]),
        "mode-open" => (libc::SYS_fchmod, [descriptor, 0o640, 0, 0, 0, 0]),
        "mode-named" => (libc::SYS_fchmodat, [here, link.as_ptr() as i64, 0o640, 0, 0, 0]),
        "lends" => (libc::SYS_fchmod, [descriptor, 0o4755, 0, 0, 0, 0]),
        "owner" => (libc::SYS_fchownat, [here, at, -1, -1, 0, 0]),
        "owner-open" => (libc::SYS_fchown, [descriptor, -1, -1, 0, 0, 0]),
        "times" => (libc::SYS_utimensat, [here, at, 0, 0, 0, 0]),
        "times-open" => (libc::SYS_utimensat, [descriptor, 0, 0, 0, 0, 0]),
        "attribute" => (libc::SYS_fsetxattr, [descriptor, name, name, 4, 0, 0]),
        "flags" => {
            let mut flags = 0_i64;
            let place = (&raw mut flags) as i64;
            call(libc::SYS_ioctl, [descriptor, 0x8008_6601, place, 0, 0, 0])?;
            return call(libc::SYS_ioctl, [descriptor, 0x4008_6602, place, 0, 0, 0]).map(|_| ok());
        }
        // A snapshot, of a file system that has them.
        "snapshot" => (libc::SYS_ioctl, [descriptor, 0x5000_9401, 0, 0, 0, 0]),
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    };
    call(number, arguments).map(|_| ok())
}

/// A call that nobody needs.
fn rare(name: &str) -> Result<Went, Trouble> {
    let numbers = [0_i64; 6];
    let with = |first: i64, second: i64| [first, second, 0, 0, 0, 0];
    let (number, arguments) = match name {
        "ptrace" => (libc::SYS_ptrace, with(libc::PTRACE_TRACEME.into(), 0)),
        "process_vm_readv" => (libc::SYS_process_vm_readv, with(std::process::id().into(), 0)),
        "pidfd_getfd" => (libc::SYS_pidfd_getfd, with(-1, 0)),
        "mount" => (libc::SYS_mount, numbers),
        "open_tree_attr" => (467, numbers),
        "setns" => (libc::SYS_setns, with(-1, 0)),
        "chroot" => (libc::SYS_chroot, numbers),
        "bpf" => (libc::SYS_bpf, with(-1, 0)),
        "unshare" => (libc::SYS_unshare, with(libc::CLONE_NEWUSER.into(), 0)),
        "unshare-files" => (libc::SYS_unshare, with(libc::CLONE_FILES.into(), 0)),
        "clone" => (libc::SYS_clone, with(i64::from(libc::CLONE_NEWUSER | libc::SIGCHLD), 0)),
        "clone3" => (libc::SYS_clone3, numbers),
        "keyctl" => (libc::SYS_keyctl, with(0, -1)),
        "io_uring_setup" => (libc::SYS_io_uring_setup, numbers),
        "userfaultfd" => (libc::SYS_userfaultfd, with(-1, 0)),
        "personality" => (libc::SYS_personality, with(0x40_0000, 0)),
        "personality-now" => (libc::SYS_personality, with(0xffff_ffff, 0)),
        "shmget" => (libc::SYS_shmget, with(0, 4096)),
        "tiocsti" => (libc::SYS_ioctl, with(0, libc::TIOCSTI as i64)),
        "beyond" => (500, numbers),
        #[cfg(target_arch = "x86_64")]
        "x32" => (0x4000_0027, numbers),
        #[cfg(target_arch = "x86_64")]
        "int80" => return Ok(int80().map(|_| ok())),
        other => return Err(format!("no call is called `{other}`").into()),
    };
    Ok(call(number, arguments).map(|_| ok()))
}

/// `getpid` with the numbers of the older instruction set.
#[cfg(target_arch = "x86_64")]
fn int80() -> io::Result<i64> {
    let returned: i64;
    // SAFETY: the call takes no arguments and touches no memory; the registers it may change are named.
    unsafe {
        std::arch::asm!(
            "int 0x80",
            inlateout("rax") 20_i64 => returned,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    let returned = i64::from(returned as i32);
    if returned < 0 { Err(io::Error::from_raw_os_error(-(returned as i32))) } else { Ok(returned) }
}
