//! The machine itself: its database, its metrics, the sockets of its daemons.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::log::fence;
use super::{FENCE, HEARD, Log};

const PATIENCE: Option<Duration> = Some(Duration::from_secs(5));

/// Listens where services of a machine do.
pub fn listen(log: &Log) {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 5432)).unwrap();
    log.fence_by(|| fence(TcpStream::connect((Ipv4Addr::LOCALHOST, 5432)).unwrap()));
    let tcp = log.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            stream.set_read_timeout(PATIENCE).unwrap();
            tcp.converse("host tcp 5432".into(), stream);
        }
    });
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 9125)).unwrap();
    let udp = log.clone();
    thread::spawn(move || {
        let mut bytes = [0; 2048];
        while let Ok((size, from)) = socket.recv_from(&mut bytes) {
            let entry = udp.heard("host udp 9125");
            if &bytes[..size] == FENCE {
                udp.forget(entry);
            }
            let _ = socket.send_to(HEARD, from);
        }
    });
    log.fence_by(|| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.send_to(FENCE, (Ipv4Addr::LOCALHOST, 9125)).unwrap();
        socket.recv(&mut [0; 6]).unwrap();
    });
    path(log, Path::new("/run/docker.sock"), "unix docker");
    path(log, Path::new("/run/dbus/system_bus_socket"), "unix dbus");
}

/// Listens on a socket with a file.
pub fn path(log: &Log, path: &Path, what: &'static str) {
    let listener = UnixListener::bind(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    let place = path.to_owned();
    log.fence_by(move || fence(UnixStream::connect(&place).unwrap()));
    serve(log, listener, what);
}

/// Listens on a socket without one.
pub fn abstract_name(log: &Log, name: &str) {
    let address = SocketAddr::from_abstract_name(name).unwrap();
    serve(log, UnixListener::bind_addr(&address).unwrap(), "unix abstract");
    log.fence_by(move || fence(UnixStream::connect_addr(&address).unwrap()));
}

fn serve(log: &Log, listener: UnixListener, what: &'static str) {
    let log = log.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            stream.set_read_timeout(PATIENCE).unwrap();
            log.converse(what.into(), stream);
        }
    });
}

/// Takes datagrams, as the system's log does.
pub fn datagrams(log: &Log, path: &Path) {
    let socket = UnixDatagram::bind(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    let (log_of_thread, place) = (log.clone(), path.to_owned());
    thread::spawn(move || {
        let mut bytes = [0; 2048];
        while let Ok((size, from)) = socket.recv_from(&mut bytes) {
            let entry = log_of_thread.heard("unix log");
            if &bytes[..size] == FENCE {
                log_of_thread.forget(entry);
                socket.send_to(HEARD, from.as_pathname().unwrap()).unwrap();
            }
        }
    });
    log.fence_by(move || {
        let from = place.with_extension("fence");
        let socket = UnixDatagram::bind(&from).unwrap();
        socket.send_to(FENCE, &place).unwrap();
        socket.recv(&mut [0; 6]).unwrap();
        fs::remove_file(from).unwrap();
    });
}

/// Gives everybody who comes a connection that leads on; what is written to it is heard.
pub fn giver(log: &Log, path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    let log = log.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            log.heard("unix giver");
            let (given, kept) = UnixStream::pair().unwrap();
            let mut room = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut words = SendAncillaryBuffer::new(&mut room);
            let descriptors = [given.as_fd()];
            assert!(words.push(SendAncillaryMessage::ScmRights(&descriptors)));
            let bytes = [std::io::IoSlice::new(b"x")];
            let _ = sendmsg(&stream, &bytes, &mut words, SendFlags::NOSIGNAL);
            drop(given);
            let log = log.clone();
            thread::spawn(move || hear(&log, &kept, Duration::from_secs(5)));
        }
    });
}

/// Listens on the kept end of a pair until the given one is closed, or for so long.
pub fn hear(log: &Log, kept: &UnixStream, patience: Duration) {
    let until = Instant::now() + patience;
    kept.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    loop {
        match std::io::Read::read(&mut &*kept, &mut [0; 64]) {
            Ok(0) => return,
            Ok(_) => drop(log.heard("given away")),
            Err(_) if Instant::now() > until => return,
            Err(_) => {}
        }
    }
}
