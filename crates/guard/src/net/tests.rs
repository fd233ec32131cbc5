//! The network, made for real in a namespace of its own: as root and as an ordinary user.
//!
//! A namespace cannot be entered by a process with threads, so each test starts itself again in one.

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use super::listen::readable;
use super::{DnsSocket, Inside, PacketLog, UnixDiag};
use crate::attempt::{Attempt, Class, Seen};
use crate::plan::PROXY_PORT;
use crate::stages::Clock;
use crate::{LaunchError, Layer};

fn set_up(exposed: &[u16]) -> Result<Inside, LaunchError> {
    super::set_up(exposed, &mut Clock::start())
}

type Tested = Result<(), Box<dyn Error>>;

const INSIDE: &str = "GUARD_TESTS_INSIDE";

/// Whether this is the process inside. If not, runs the test there, as every user that can be had.
fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let itself = std::env::current_exe().unwrap();
    run(Command::new("unshare"), &itself, test);
    // SAFETY: no pointers, never fails.
    if unsafe { libc::geteuid() } == 0 {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let copy = folder.path().join("tests");
        std::fs::copy(&itself, &copy).unwrap();
        let mut ordinary = Command::new("setpriv");
        ordinary.args(["--reuid=65534", "--regid=65534", "--clear-groups", "unshare"]);
        run(ordinary, &copy, test);
    }
    false
}

fn run(mut unshare: Command, program: &Path, test: &str) {
    let output = unshare
        .args(["--map-root-user", "--net", "--"])
        .arg(program)
        .args(["--exact", &format!("net::tests::{test}"), "--nocapture"])
        .env(INSIDE, "1")
        .current_dir("/")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{unshare:?}\n{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    assert!(readable(listener.as_fd(), 2000)?, "nobody came to {listener:?}");
    let (stream, _) = listener.accept()?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}

fn v6(inside: &Inside) -> TcpListener {
    TcpListener::from(inside.captured_v6.as_ref().unwrap().try_clone().unwrap())
}

#[test]
fn every_connection_comes_home() -> Tested {
    if !inside("every_connection_comes_home") {
        return Ok(());
    }
    let inside = set_up(&[])?;
    let v6 = v6(&inside);
    let v4 = TcpListener::from(inside.captured_v4);
    for (to, listener) in [
        ("203.0.113.5:443", &v4),
        ("10.0.0.1:22", &v4),
        ("169.254.169.254:80", &v4),
        ("8.8.8.8:1", &v4),
        ("[::ffff:203.0.113.6]:443", &v4),
        ("[2001:db8::5]:443", &v6),
        ("[fd00:ec2::254]:80", &v6),
        // A nameserver that is not ours, over IPv6.
        ("[2001:4860:4860::8888]:53", &v6),
    ] {
        let to: SocketAddr = to.parse()?;
        let mut client = TcpStream::connect(to)?;
        let mut server = accept(listener)?;
        let canonical = SocketAddr::new(to.ip().to_canonical(), to.port());
        assert_eq!(server.local_addr()?, canonical);
        client.write_all(b"there")?;
        let mut heard = [0; 5];
        server.read_exact(&mut heard)?;
        assert_eq!(&heard, b"there");
    }
    let proxy = TcpListener::from(inside.proxy);
    let _client = TcpStream::connect((Ipv4Addr::LOCALHOST, PROXY_PORT))?;
    assert_eq!(accept(&proxy)?.local_addr()?, SocketAddr::from((Ipv4Addr::LOCALHOST, PROXY_PORT)));
    let nameserver = TcpListener::from(inside.nameserver_tcp);
    for to in ["127.0.0.1:53", "8.8.8.8:53"] {
        let _client = TcpStream::connect(to)?;
        assert_eq!(accept(&nameserver)?.local_addr()?, to.parse()?);
    }
    // None of these is for the packet log.
    assert_eq!(PacketLog::from(inside.packets).read()?, []);
    Ok(())
}

#[test]
fn what_is_not_tcp_is_refused_and_told() -> Tested {
    if !inside("what_is_not_tcp_is_refused_and_told") {
        return Ok(());
    }
    let inside = set_up(&[])?;
    let log = PacketLog::from(inside.packets);
    let v4 = UdpSocket::bind("0.0.0.0:0")?;
    v4.set_broadcast(true)?;
    let v6 = UdpSocket::bind("[::]:0")?;
    for (socket, to) in [
        (&v4, "203.0.113.5:443"),
        (&v4, "10.9.8.7:5000"),
        (&v4, "224.0.0.251:5353"),
        (&v4, "255.255.255.255:67"),
        (&v6, "[2001:db8::5]:443"),
        (&v6, "[ff02::fb%1]:5353"),
        (&v6, "[2001:4860:4860::8888]:53"),
    ] {
        let to: SocketAddr = to.parse()?;
        let sent = socket.send_to(b"secret", to);
        assert_eq!(sent.map_err(|error| error.raw_os_error()), Err(Some(libc::EPERM)), "{to}");
        // It was told before the sender knew.
        let subject = SocketAddr::new(to.ip(), to.port()).to_string();
        let want = Seen::violation(Attempt::towards("send", "udp", to.ip(), to.port())).at(subject.into_bytes());
        assert_eq!(log.read()?, [want], "{to}");
    }
    // Larger than any device could carry at once, and to a connected peer.
    v4.connect("203.0.113.5:9")?;
    assert_eq!(v4.send(&[0; 60_000]).map_err(|error| error.raw_os_error()), Err(Some(libc::EPERM)));
    assert_eq!(log.read()?.len(), 1);
    // SAFETY: no pointers; the process inside has the capability that a command has not.
    let raw = unsafe { libc::socket(libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_ICMP) };
    assert!(raw >= 0);
    let to = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([203, 0, 113, 5]) },
        sin_zero: [0; 8],
    };
    let ping = [8_u8, 0, 0xf7, 0xff, 0, 0, 0, 0];
    // SAFETY: the message and the address outlive the call and have the sizes given.
    let sent = unsafe {
        libc::sendto(raw, ping.as_ptr().cast(), ping.len(), 0, (&raw const to).cast(), size_of_val(&to) as u32)
    };
    assert_eq!((sent, io::Error::last_os_error().raw_os_error()), (-1, Some(libc::EPERM)));
    let told = log.read()?;
    assert_eq!(
        told.iter().map(|seen| (seen.attempt.protocol, seen.attempt.port)).collect::<Vec<_>>(),
        [("icmp", None)]
    );
    Ok(())
}

#[test]
fn a_closed_port_of_the_loopback_is_a_notice() -> Tested {
    if !inside("a_closed_port_of_the_loopback_is_a_notice") {
        return Ok(());
    }
    let inside = set_up(&[])?;
    let log = PacketLog::from(inside.packets);
    for to in ["127.0.0.1:5432", "127.8.7.6:80", "[::1]:6379"] {
        let to: SocketAddr = to.parse()?;
        assert_eq!(TcpStream::connect(to).err().map(|error| error.kind()), Some(io::ErrorKind::ConnectionRefused));
        let want = Seen::notice(Attempt::towards("connect", "tcp", to.ip(), to.port())).at(to.to_string().into_bytes());
        assert_eq!(log.read()?, [want]);
    }
    // Own servers work, over UDP too, and are nobody's business.
    let server = TcpListener::bind("127.0.0.1:0")?;
    let _client = TcpStream::connect(server.local_addr()?)?;
    let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("[::1]:0")?);
    one.send_to(b"x", one.local_addr()?)?;
    other.send_to(b"x", other.local_addr()?)?;
    assert_eq!(log.read()?, []);
    Ok(())
}

#[test]
fn a_flood_overflows_and_says_so() -> Tested {
    if !inside("a_flood_overflows_and_says_so") {
        return Ok(());
    }
    let inside = set_up(&[])?;
    let log = PacketLog::from(inside.packets);
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    for port in 1_000..=20_000_u16 {
        assert!(socket.send_to(b"x", ("203.0.113.5", port)).is_err());
    }
    let mut all = Vec::new();
    while readable(log.as_fd(), 0)? {
        all.extend(log.read()?);
    }
    assert!(all.iter().all(|seen| seen.class == Class::Violation));
    assert!(all.iter().any(|seen| seen.attempt.op == "packet_log_overflow"), "{}", all.len());
    assert!(all.iter().filter(|seen| seen.attempt.op == "send").count() >= 100, "{}", all.len());
    Ok(())
}

#[test]
fn waiting_for_a_server_of_ones_own_overflows_nothing() -> Tested {
    if !inside("waiting_for_a_server_of_ones_own_overflows_nothing") {
        return Ok(());
    }
    let inside = set_up(&[])?;
    let log = PacketLog::from(inside.packets);
    for _ in 0..5_000 {
        assert!(TcpStream::connect("127.0.0.1:8080").is_err());
    }
    // Nobody has read meanwhile. What counts is told all the same.
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    assert!(socket.send_to(b"x", "203.0.113.5:9").is_err());
    let told = log.read()?;
    let violations: Vec<_> = told.iter().filter(|seen| seen.class == Class::Violation).collect();
    assert_eq!(violations.iter().map(|seen| seen.attempt.op).collect::<Vec<_>>(), ["send"]);
    assert!(told.iter().any(|seen| seen.attempt.op == "connect" && seen.class == Class::Notice));
    Ok(())
}

#[test]
fn a_nameserver_answers_from_where_it_was_asked() -> Tested {
    if !inside("a_nameserver_answers_from_where_it_was_asked") {
        return Ok(());
    }
    let inside = set_up(&[])?;
    let nameserver = DnsSocket::from(inside.nameserver_udp);
    let mut buffer = [0; 512];
    assert_eq!(nameserver.recv(&mut buffer).err().map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
    for to in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(8, 8, 8, 8), Ipv4Addr::new(127, 0, 0, 53)] {
        let client = UdpSocket::bind("0.0.0.0:0")?;
        client.set_read_timeout(Some(std::time::Duration::from_secs(2)))?;
        // Connected: only an answer from this very address is taken.
        client.connect((to, 53))?;
        client.send(b"who?")?;
        assert!(readable(nameserver.as_fd(), 2000)?);
        let (length, query) = nameserver.recv(&mut buffer)?;
        assert_eq!((buffer.get(..length), query.to), (Some(&b"who?"[..]), to));
        assert_eq!(query.from.port(), client.local_addr()?.port());
        nameserver.reply(&query, b"nobody")?;
        let mut answer = [0; 16];
        let length = client.recv(&mut answer)?;
        assert_eq!(answer.get(..length), Some(&b"nobody"[..]));
    }
    // Who does not wait for an answer has tried nothing.
    let hasty = UdpSocket::bind("0.0.0.0:0")?;
    hasty.send_to(b"who?", "8.8.8.8:53")?;
    assert!(readable(nameserver.as_fd(), 2000)?);
    let (_, query) = nameserver.recv(&mut buffer)?;
    drop(hasty);
    nameserver.reply(&query, b"nobody")?;
    assert_eq!(PacketLog::from(inside.packets).read()?, []);
    Ok(())
}

#[test]
fn our_ports_cannot_be_taken() -> Tested {
    if !inside("our_ports_cannot_be_taken") {
        return Ok(());
    }
    let inside = set_up(&[])?;
    for address in [
        "127.0.0.1:3128",
        "0.0.0.0:3128",
        "0.0.0.0:15001",
        "203.0.113.5:15001",
        "[::]:15001",
        "127.0.0.1:53",
        "8.8.8.8:53",
    ] {
        assert_eq!(
            TcpListener::bind(address).err().map(|error| error.kind()),
            Some(io::ErrorKind::AddrInUse),
            "{address}"
        );
    }
    // Whoever listens on a foreign address gets nothing that wants to go there.
    let _impostor = TcpListener::bind("203.0.113.5:443")?;
    let _client = TcpStream::connect("203.0.113.5:443")?;
    assert_eq!(accept(&TcpListener::from(inside.captured_v4))?.local_addr()?, "203.0.113.5:443".parse()?);
    Ok(())
}

#[test]
fn exposed_ports_are_listeners_inside() -> Tested {
    if !inside("exposed_ports_are_listeners_inside") {
        return Ok(());
    }
    let inside = set_up(&[5432, 80])?;
    for (listener, port) in inside.exposed.into_iter().zip([5432, 80]) {
        let _client = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        assert_eq!(accept(&TcpListener::from(listener))?.local_addr()?.port(), port);
    }
    Ok(())
}

#[test]
fn a_port_that_is_ours_is_not_exposed() -> Tested {
    if !inside("a_port_that_is_ours_is_not_exposed") {
        return Ok(());
    }
    assert!(matches!(set_up(&[PROXY_PORT]), Err(LaunchError::Plan(_))));
    Ok(())
}

#[test]
fn sockets_are_told_from_those_of_the_machine() -> Tested {
    if !inside("sockets_are_told_from_those_of_the_machine") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let inside = set_up(&[])?;
    let diag = UnixDiag::from(inside.unix_diag);
    let file = |name: &str| std::fs::metadata(folder.path().join(name));
    let _own = UnixListener::bind(folder.path().join("own"))?;
    let bound = file("own")?;
    assert!(diag.is_bound(bound.dev(), bound.ino())?);
    assert!(diag.clone().is_bound(bound.dev(), bound.ino())?);
    assert!(!diag.is_bound(bound.dev(), bound.ino() + 1)?);
    assert!(!diag.is_bound(bound.dev() + 1, bound.ino())?);
    // One of another network namespace, in the same folder.
    // SAFETY: no pointers; this process owns its user namespace and has what it takes.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0);
    let _foreign = UnixListener::bind(folder.path().join("foreign"))?;
    let foreign = file("foreign")?;
    assert!(!diag.is_bound(foreign.dev(), foreign.ino())?);
    assert!(diag.is_bound(bound.dev(), bound.ino())?);
    // More than one datagram of answers.
    let inside_again = set_up(&[])?;
    let diag = UnixDiag::from(inside_again.unix_diag);
    let many: Vec<_> =
        (0..500).map(|n| UnixListener::bind(folder.path().join(format!("s{n}")))).collect::<Result<_, _>>()?;
    for name in ["s0", "s499"] {
        let bound = file(name)?;
        assert!(diag.is_bound(bound.dev(), bound.ino())?, "{name} of {}", many.len());
    }
    Ok(())
}

#[test]
fn what_the_kernel_refuses_is_named() -> Tested {
    if !inside("what_the_kernel_refuses_is_named") {
        return Ok(());
    }
    let _first = set_up(&[])?;
    // The proxy's port is taken, so a second network cannot be made in the same namespace.
    let second = set_up(&[]);
    assert!(
        matches!(&second, Err(LaunchError::Layer { layer: Layer::NetworkNamespace, what, .. }) if what.contains("3128")),
        "{second:?}"
    );
    Ok(())
}

#[test]
fn sockets_do_not_block_and_are_closed_on_exec() -> Tested {
    if !inside("sockets_do_not_block_and_are_closed_on_exec") {
        return Ok(());
    }
    let inside = set_up(&[7000])?;
    let mut all = vec![
        inside.proxy,
        inside.captured_v4,
        inside.nameserver_udp,
        inside.nameserver_tcp,
        inside.packets,
        inside.unix_diag,
    ];
    all.extend(inside.captured_v6);
    all.extend(inside.exposed);
    assert_eq!(all.len(), 8);
    for socket in all {
        // SAFETY: no pointers.
        let (status, flags) =
            unsafe { (libc::fcntl(socket.as_raw_fd(), libc::F_GETFL), libc::fcntl(socket.as_raw_fd(), libc::F_GETFD)) };
        assert!(status & libc::O_NONBLOCK != 0 && flags & libc::FD_CLOEXEC != 0, "{socket:?}");
    }
    Ok(())
}
