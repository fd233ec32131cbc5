//! Descriptors that the guard handed out, watched by the runtime.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::sync::Arc;

use guard::door::Door;
use guard::launch::{Jail, Process};
use guard::net::{DnsSocket, PacketLog};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Something that is shared and watched: it stays open for as long as it is watched.
pub(crate) struct Watched<T>(Arc<T>);

/// Watches for something to read.
///
/// # Errors
/// The runtime cannot watch it.
pub(crate) fn readable<T>(shared: &Arc<T>) -> io::Result<AsyncFd<Watched<T>>>
where
    Watched<T>: AsRawFd,
{
    // What is unsound about it is a descriptor that changes or is closed meanwhile: these do neither, each is
    // owned by what is shared here.
    #[expect(deprecated, reason = "the other one needs `unsafe`, which this crate does without")]
    AsyncFd::with_interest(Watched(Arc::clone(shared)), Interest::READABLE)
}

impl AsRawFd for Watched<Door> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.listener.as_raw_fd()
    }
}

impl AsRawFd for Watched<DnsSocket> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl AsRawFd for Watched<PacketLog> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl AsRawFd for Watched<Process> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Something to read is its death.
impl AsRawFd for Watched<Jail> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}
