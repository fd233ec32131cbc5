//! Attempts that change something behind the back of whoever looks at them.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::Trouble;
use crate::host::{call, checked, connect, family, greeting, octets, socket, unix, word};

const ROUNDS: usize = 300;
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects while signals come in every few microseconds; `restart` is whether the kernel repeats what they
/// interrupt. Says how many connections there were.
pub(crate) fn storm(to: SocketAddr, restart: bool) -> io::Result<String> {
    extern "C" fn nothing(_: libc::c_int) {}
    let every = libc::timeval { tv_sec: 0, tv_usec: 150 };
    let never = libc::timeval { tv_sec: 0, tv_usec: 0 };
    // SAFETY: all zeroes is a valid action: no flags, an empty mask. The handler does nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
        action.sa_flags = if restart { libc::SA_RESTART } else { 0 };
        checked(libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut()).into())?;
    }
    let timer = |interval| {
        let value = libc::itimerval { it_interval: interval, it_value: interval };
        // SAFETY: the kernel reads one such value.
        checked(unsafe { libc::syscall(libc::SYS_setitimer, libc::ITIMER_REAL, &raw const value, 0) })
    };
    timer(every)?;
    let mut connected = 0;
    let mut trouble = None;
    for _ in 0..ROUNDS {
        match patiently(to) {
            Ok(_) => connected += 1,
            Err(error) => trouble = Some(word(&error)),
        }
    }
    timer(never)?;
    Ok(trouble.map_or_else(|| format!("{connected} connected"), |word| format!("{connected} connected, {word}")))
}

/// Connects as programs do that know signals: what was interrupted is tried again, what is connected already
/// was interrupted after it was.
fn patiently(to: SocketAddr) -> io::Result<OwnedFd> {
    let interrupted = |error: &io::Error| error.kind() == io::ErrorKind::Interrupted;
    let socket = loop {
        match socket(family(to), libc::SOCK_STREAM, 0) {
            Err(error) if interrupted(&error) => {}
            other => break other?,
        }
    };
    loop {
        match connect(&socket, &octets(to)) {
            Err(error) if interrupted(&error) => {}
            Err(error) if error.raw_os_error() == Some(libc::EISCONN) => break,
            other => break other?,
        }
    }
    greeting(&socket)?;
    Ok(socket)
}

/// Eight threads at once.
pub(crate) fn threads(to: SocketAddr) -> Result<io::Result<String>, Trouble> {
    let running: Vec<_> =
        (0..8).map(|_| std::thread::spawn(move || (0..25).map(|_| patiently(to).map(drop)).collect())).collect();
    let mut connected = 0;
    for thread in running {
        let went: io::Result<Vec<()>> = thread.join().map_err(|_| "a thread panicked")?;
        match went {
            Ok(all) => connected += all.len(),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(format!("{connected} connected")))
}

/// Connects while another thread changes the address between two. Says who answered.
pub(crate) fn flip(one: &[u8], other: &[u8], domain: i32) -> io::Result<String> {
    let length = one.len().min(other.len());
    let longest = one.len().max(other.len());
    let shared: Arc<Vec<AtomicBytes>> = Arc::new(
        one.iter()
            .map(|byte| AtomicBytes::new(*byte))
            .chain((one.len()..longest).map(|_| AtomicBytes::new(0)))
            .collect(),
    );
    let over = Arc::new(AtomicBool::new(false));
    let flipping = {
        let (shared, over, one, other) = (Arc::clone(&shared), Arc::clone(&over), one.to_vec(), other.to_vec());
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                for address in [&other, &one] {
                    for (to, from) in shared.iter().zip(address.iter().chain(std::iter::repeat(&0))) {
                        to.store(*from, Ordering::Relaxed);
                    }
                    std::thread::yield_now();
                }
            }
        })
    };
    let (mut answers, mut refused) = (std::collections::BTreeSet::new(), 0);
    for _ in 0..ROUNDS {
        let socket = socket(domain, libc::SOCK_STREAM, 0)?;
        let number = socket.as_raw_fd();
        let arguments = [number.into(), shared.as_ptr() as i64, longest.max(length) as i64, 0, 0, 0];
        match call(libc::SYS_connect, arguments) {
            Ok(_) => {
                answers.insert(greeting(&socket)?);
            }
            Err(_) => refused += 1,
        }
    }
    over.store(true, Ordering::Relaxed);
    let _ = flipping.join();
    let answers: Vec<_> = answers.into_iter().collect();
    Ok(format!("{}{}", answers.join(" and "), if refused > 0 { ", some refused" } else { "" }))
}

type AtomicBytes = std::sync::atomic::AtomicU8;

/// Connects a descriptor to a unix path while another thread puts now a unix socket, now an internet socket
/// behind its number. Says who answered.
pub(crate) fn exchange(path: &str, inet: SocketAddr) -> io::Result<String> {
    const NUMBER: i32 = 400;
    let over = Arc::new(AtomicBool::new(false));
    let exchanged = Arc::new(AtomicUsize::new(0));
    let exchanging = {
        let (over, exchanged) = (Arc::clone(&over), Arc::clone(&exchanged));
        std::thread::spawn(move || -> io::Result<()> {
            while !over.load(Ordering::Relaxed) {
                for domain in [libc::AF_UNIX, family(inet)] {
                    let next = socket(domain, libc::SOCK_STREAM, 0)?;
                    call(libc::SYS_dup3, [next.as_raw_fd().into(), NUMBER.into(), 0, 0, 0, 0])?;
                    exchanged.fetch_add(1, Ordering::Relaxed);
                    std::thread::yield_now();
                }
            }
            Ok(())
        })
    };
    let (host, inet) = (unix(path), octets(inet));
    let (mut connected, mut tried) = (0, 0);
    let begun = Instant::now();
    while (tried < ROUNDS || exchanged.load(Ordering::Relaxed) < ROUNDS) && begun.elapsed() < PATIENCE {
        std::thread::yield_now();
        let to = if tried % 2 == 0 { &host } else { &inet };
        let arguments = [NUMBER.into(), to.as_ptr() as i64, to.len() as i64, 0, 0, 0];
        match call(libc::SYS_connect, arguments) {
            Ok(_) => connected += 1,
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => continue,
            Err(_) => {}
        }
        tried += 1;
    }
    over.store(true, Ordering::Relaxed);
    let _ = exchanging.join();
    let busy = exchanged.load(Ordering::Relaxed) >= ROUNDS;
    Ok(format!("{} exchanged, {}", if busy { "was" } else { "never" }, if connected > 0 { "some" } else { "none" }))
}

/// Connects while another thread closes the descriptor and makes a new one of the same number.
pub(crate) fn close(to: SocketAddr) -> io::Result<String> {
    for _ in 0..ROUNDS {
        let socket = socket(family(to), libc::SOCK_STREAM, 0)?;
        let number = socket.as_raw_fd();
        let closing = std::thread::spawn(move || drop(socket));
        let name = octets(to);
        let connected = call(libc::SYS_connect, [number.into(), name.as_ptr() as i64, name.len() as i64, 0, 0, 0]);
        if let Err(error) = connected
            && !matches!(error.raw_os_error(), Some(libc::EBADF | libc::EINTR))
        {
            return Err(error);
        }
        let _ = closing.join();
    }
    Ok("survived".to_owned())
}
