//! What comes out of a jail, served: connections at its doors, queries to its nameserver, packets that were dropped,
//! and connections between the machine's ports and its own.
//!
//! Everything here belongs to one call. Once its tree is dead, [`Served::drain`] takes what is still waiting
//! (connections that were not accepted yet, queries, packets), so that nothing that was tried is lost.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use egress::proxy::{Entry, Identity, Proxy};
use guard::door::{Door, Wanted};
use guard::launch::Jail;
use guard::net::{DnsSocket, PacketLog};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::dns::{ANSWER_BYTES_MAX, Nameserver, Transport};
use crate::names::NameTable;
use crate::record::Record;
use crate::watch::{self, Watched};

/// LIMIT: how long somebody who asks the nameserver by TCP may be silent.
const QUERY_WAIT: Duration = Duration::from_secs(30);
/// LIMIT: a query by UDP; what is longer is no query of one name.
const QUERY_BYTES_MAX: usize = 4096;
/// LIMIT: how long what was let out may go on after the tree is dead.
const AFTER_DEATH: Duration = Duration::from_secs(5);
/// How long accepting pauses when the process has no descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(50);

/// What a call's connections are served with.
pub(crate) struct Ways {
    pub(crate) proxy: Proxy,
    pub(crate) identity: Arc<Identity>,
    pub(crate) names: Arc<NameTable>,
    pub(crate) nameserver: Nameserver,
    pub(crate) record: Arc<Record>,
}

/// All that is served of one call.
pub(crate) struct Served {
    ways: Arc<Ways>,
    doors: Vec<Arc<Door>>,
    nameserver: Option<Arc<DnsSocket>>,
    packets: Option<Arc<PacketLog>>,
    tasks: TaskTracker,
    /// Cancelled once the tree is dead.
    over: CancellationToken,
    /// Cancelled when nothing may go on any more.
    cut: CancellationToken,
    /// The loops that take what comes.
    takers: TaskTracker,
}

impl Served {
    /// Begins to serve what is in a jail, and takes it out of it.
    ///
    /// # Errors
    /// A descriptor cannot be watched.
    pub(crate) fn begin(jail: &mut Jail, ways: Ways) -> io::Result<Self> {
        let served = Self {
            ways: Arc::new(ways),
            doors: std::mem::take(&mut jail.doors).into_iter().map(Arc::new).collect(),
            nameserver: jail.nameserver.take().map(Arc::new),
            packets: jail.packets.take().map(Arc::new),
            tasks: TaskTracker::new(),
            over: CancellationToken::new(),
            cut: CancellationToken::new(),
            takers: TaskTracker::new(),
        };
        for door in &served.doors {
            let taker = DoorTaker { door: Arc::clone(door), ways: Arc::clone(&served.ways), turns: served.turns() };
            let watched = watch::readable(door)?;
            served.takers.spawn(until(served.over.clone(), async move { taker.run(&watched).await }));
        }
        if let Some(socket) = &served.nameserver {
            let watched = watch::readable(socket)?;
            let (ways, socket) = (Arc::clone(&served.ways), Arc::clone(socket));
            let answer = async move || ways.answer_waiting(&socket).await;
            served.takers.spawn(each_time(watched, served.over.clone(), answer));
        }
        if let Some(log) = &served.packets {
            let watched = watch::readable(log)?;
            let (ways, log) = (Arc::clone(&served.ways), Arc::clone(log));
            let take = async move || ways.take_packets(&log).await;
            served.takers.spawn(each_time(watched, served.over.clone(), take));
        }
        for (port, listener) in std::mem::take(&mut jail.exposed) {
            served.expose(port, listener)?;
        }
        Ok(served)
    }

    /// The doors, for a supervisor that leads there.
    pub(crate) fn doors(&self) -> &[Arc<Door>] {
        &self.doors
    }

    /// Leads what connects to a listener outside to a port inside.
    ///
    /// # Errors
    /// The listener cannot be watched.
    pub(crate) fn publish(&self, port: u16, listener: TcpListener, jail: &Arc<Jail>) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (jail, turns) = (Arc::clone(jail), self.turns());
        self.takers.spawn(until(self.over.clone(), async move {
            loop {
                let Ok((mut outside, _)) = listener.accept().await else {
                    tokio::time::sleep(EXHAUSTED).await;
                    continue;
                };
                let jail = Arc::clone(&jail);
                turns.spawn(async move {
                    let dialed = tokio::task::spawn_blocking(move || jail.dial(port)).await;
                    if let Ok(Ok(inside)) = dialed
                        && let Ok(mut inside) = adopt(inside)
                    {
                        let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
                    }
                });
            }
        }));
        Ok(())
    }

    /// Leads what connects to a port inside to the machine's own.
    fn expose(&self, port: u16, listener: TcpListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let turns = self.turns();
        self.takers.spawn(until(self.over.clone(), async move {
            loop {
                let Ok((mut inside, _)) = listener.accept().await else {
                    tokio::time::sleep(EXHAUSTED).await;
                    continue;
                };
                turns.spawn(async move {
                    if let Ok(mut outside) = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                        let _ = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
                    }
                });
            }
        }));
        Ok(())
    }

    fn turns(&self) -> Turns {
        Turns { tasks: self.tasks.clone(), over: self.over.clone(), cut: self.cut.clone() }
    }

    /// Takes all that is still waiting, and waits until it is dealt with. To be called when the tree is dead.
    pub(crate) async fn drain(self) {
        // The loops end first, so that each thing waiting is taken here or was taken there.
        self.over.cancel();
        self.takers.close();
        self.takers.wait().await;
        for door in &self.doors {
            let taker = DoorTaker { door: Arc::clone(door), ways: Arc::clone(&self.ways), turns: self.turns() };
            while let Ok((stream, _)) = door.listener.accept() {
                taker.take(stream);
            }
        }
        if let Some(socket) = &self.nameserver {
            self.ways.answer_waiting(socket).await;
        }
        if let Some(log) = &self.packets {
            self.ways.take_packets(log).await;
        }
        self.tasks.close();
        if timeout(AFTER_DEATH, self.tasks.wait()).await.is_err() {
            self.cut.cancel();
            self.tasks.wait().await;
        }
    }
}

/// The connections of a call, each on a task that ends when nothing may go on.
#[derive(Clone)]
struct Turns {
    tasks: TaskTracker,
    over: CancellationToken,
    cut: CancellationToken,
}

impl Turns {
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(until(self.cut.clone(), work));
    }
}

async fn until(stop: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = work => {}
    }
}

/// Takes what there is each time there is something, until it is over. What was begun is ended: what was taken off a
/// descriptor is nowhere else, and would never be told.
async fn each_time<T>(watched: AsyncFd<Watched<T>>, over: CancellationToken, take: impl AsyncFn())
where
    Watched<T>: AsRawFd,
{
    while let Some(Ok(mut ready)) = over.run_until_cancelled(watched.readable()).await {
        ready.clear_ready();
        take().await;
    }
}

struct DoorTaker {
    door: Arc<Door>,
    ways: Arc<Ways>,
    turns: Turns,
}

impl DoorTaker {
    async fn run(&self, watched: &AsyncFd<Watched<Door>>) {
        while let Ok(mut ready) = watched.readable().await {
            match self.door.listener.accept() {
                Ok((stream, _)) => self.take(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    ready.clear_ready();
                    // What came in between is seen again: readiness is told at every arrival.
                    while let Ok((stream, _)) = self.door.listener.accept() {
                        self.take(stream);
                    }
                }
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(_) => tokio::time::sleep(EXHAUSTED).await,
            }
        }
    }

    fn take(&self, stream: TcpStream) {
        let Ok(Some(wanted)) = self.door.wanted(&stream) else { return };
        let Ok(stream) = adopt(stream) else { return };
        let (ways, stop) = (Arc::clone(&self.ways), self.turns.over.clone());
        self.turns.spawn(async move {
            let entry = match wanted {
                Wanted::Proxy => Entry::Proxy,
                Wanted::Captured(to) => Entry::Captured(to),
                Wanted::Nameserver(to) => return ways.answer_stream(stream, to).await,
            };
            ways.proxy.serve_one(stream, entry, Arc::clone(&ways.identity), stop).await;
        });
    }
}

impl Ways {
    /// Answers what waits at the nameserver's socket.
    async fn answer_waiting(&self, socket: &DnsSocket) {
        let mut buffer = vec![0; QUERY_BYTES_MAX];
        while let Ok((length, query)) = socket.recv(&mut buffer) {
            let message = buffer.get(..length).unwrap_or_default();
            let reply = self.nameserver.reply(&self.names, message, query.to.into(), Transport::Udp);
            self.record.take_all(reply.seen).await;
            if let Some(answer) = reply.answer {
                debug_assert!(answer.len() <= ANSWER_BYTES_MAX);
                // Whoever asked is gone, or asks again.
                let _ = socket.reply(&query, &answer);
            }
        }
    }

    /// Answers queries by TCP until nobody asks any more.
    async fn answer_stream(&self, mut stream: tokio::net::TcpStream, to: SocketAddr) {
        let mut message = Vec::new();
        loop {
            let reading = async {
                let length = stream.read_u16().await?;
                message.resize(usize::from(length), 0);
                stream.read_exact(&mut message).await
            };
            if !matches!(timeout(QUERY_WAIT, reading).await, Ok(Ok(_))) {
                return;
            }
            let reply = self.nameserver.reply(&self.names, &message, to.ip(), Transport::Tcp);
            self.record.take_all(reply.seen).await;
            let Some(answer) = reply.answer else { return };
            let mut framed = u16::try_from(answer.len()).unwrap_or(0).to_be_bytes().to_vec();
            framed.extend(answer);
            if stream.write_all(&framed).await.is_err() {
                return;
            }
        }
    }

    async fn take_packets(&self, log: &PacketLog) {
        loop {
            match log.read() {
                Ok(seen) if seen.is_empty() => return,
                Ok(seen) => self.record.take_all(seen).await,
                Err(error) => return self.record.lost(&error),
            }
        }
    }
}

fn adopt(stream: TcpStream) -> io::Result<tokio::net::TcpStream> {
    stream.set_nonblocking(true)?;
    tokio::net::TcpStream::from_std(stream)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn what_was_taken_is_told_though_it_is_over_meanwhile() -> io::Result<()> {
        let (mut kernel, log) = UnixStream::pair()?;
        log.set_nonblocking(true)?;
        let log = Arc::new(PacketLog::from(OwnedFd::from(log)));
        let (begun, go_on, told) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let over = CancellationToken::new();
        let take = {
            let (begun, go_on, told) = (Arc::clone(&begun), Arc::clone(&go_on), Arc::clone(&told));
            async move || {
                begun.notify_one();
                go_on.notified().await;
                told.fetch_add(1, Ordering::Relaxed);
            }
        };
        let taker = tokio::spawn(each_time(watch::readable(&log)?, over.clone(), take));
        kernel.write_all(b"one")?;
        begun.notified().await;
        over.cancel();
        tokio::task::yield_now().await;
        assert!(!taker.is_finished(), "it tells what it took first");
        go_on.notify_one();
        taker.await.map_err(io::Error::other)?;
        assert_eq!(told.load(Ordering::Relaxed), 1);
        Ok(())
    }
}
