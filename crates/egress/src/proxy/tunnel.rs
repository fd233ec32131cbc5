//! Tunnels: what is asked once and then carries bytes.
//!
//! A tunnel is bound to the name it was asked for: unless a rule lets anything through, its first bytes must
//! be a TLS ClientHello that names this very host, and nothing goes up before they are. On port 80 it is
//! not opened at all: the client is answered, and each request it sends inside is asked for by itself.

mod first_flight;
mod relay;
mod watch;

use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use gate::{Ending, ExecutionOutcome, Leave, ServerName};
use model::TargetUrl;
use model::ask::Tunnel as Kind;
use tokio::net::TcpStream;
use wire::Authority;

use super::Inner;
use super::admit::{Admitted, Ask, Way, admit};
use super::confined::{Asked, Confined};
use super::identity::Asker;
use super::limits::{Account, Slot};
use super::live::{Live, Phase};
use super::refusal::Refusal;
use super::stream::Client;
use crate::dial::Crossing;
use relay::Relay;
use watch::Watch;

/// The port where tunnels are read as HTTP.
const HTTP_PORT: u16 = 80;

/// What became of the ask for a tunnel.
pub(super) enum Opened {
    /// It leads to its place, and nothing has been sent.
    Tunnel(Box<Tunnel>),
    /// Nothing was asked: what is inside is read as HTTP, for this place.
    Http(Authority),
}

/// An open tunnel.
pub(super) struct Tunnel {
    stream: TcpStream,
    /// What was read from the origin already.
    read: Bytes,
    crossing: Crossing,
    live: Arc<Live>,
    bound: Bound,
    /// Who is told when it is cut for what it carries.
    told: Option<(Confined, Asked)>,
    _open: Option<Open>,
}

/// One of the tunnels that are open; counted until it is dropped.
pub(super) struct Open {
    inner: Arc<Inner>,
    _slot: Slot,
}

impl Open {
    /// Room for one more tunnel of this account.
    pub(super) fn new(inner: &Arc<Inner>, account: &Arc<Account>) -> Result<Self, Box<Refusal>> {
        let _slot = account.tunnel().map_err(Refusal::limit)?;
        inner.meters.tunnel_opened();
        Ok(Self { inner: Arc::clone(inner), _slot })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.inner.meters.tunnel_closed();
    }
}

/// What its first bytes must be.
enum Bound {
    /// Anything.
    Not,
    /// A ClientHello that names this host, or nobody where it is an address.
    To(Box<str>),
    /// The same, but in shadow: what is found is recorded and changes nothing.
    Noted(Box<str>),
}

/// Asks for a tunnel and opens it.
pub(super) async fn open(
    inner: &Arc<Inner>,
    asker: &Asker,
    authority: &Authority,
    gone: impl Future<Output = ()>,
) -> Result<Opened, Box<Refusal>> {
    let authority = asker.confined.named(authority)?;
    let leave = leave(asker, &authority)?;
    let opaque = is_opaque(inner, asker, &leave).await?;
    if authority.port() == HTTP_PORT && !opaque && !moved_to_opaque(inner, asker, &leave).await? {
        return Ok(Opened::Http(authority.into_owned()));
    }
    let kind = if opaque { Kind::Opaque } else { Kind::Tls };
    open_as(inner, asker, &authority, kind, gone).await.map(Opened::Tunnel)
}

/// Whether a rule lets anything through a tunnel to this place.
pub(super) async fn lets_anything(inner: &Inner, asker: &Asker, authority: &Authority) -> Result<bool, Box<Refusal>> {
    let leave = leave(asker, authority)?;
    Ok(is_opaque(inner, asker, &leave).await? || moved_to_opaque(inner, asker, &leave).await?)
}

/// Whether a tunnel for TLS to this place would be opened. Decides nothing that counts.
pub(super) async fn would_open(inner: &Inner, asker: &Asker, authority: &Authority) -> Result<bool, Box<Refusal>> {
    let leave = leave(asker, authority)?;
    let intent = inner.gate.intend(&asker.caller, leave).await.map_err(|error| Refusal::gate(&error))?;
    Ok(intent.clearance().is_some())
}

fn leave(asker: &Asker, authority: &Authority) -> Result<Leave, Box<Refusal>> {
    let invalid = |_| Refusal::malformed("target_invalid", "the target is not a valid host and port");
    let target = TargetUrl::parse(&format!("https://{authority}/")).map_err(invalid)?;
    let mut leave = Leave::tunnel(target, Kind::Tls);
    leave.place = asker.place.clone();
    leave.always_enforced = asker.always_enforced;
    Ok(leave)
}

/// Asks for a tunnel of a kind and opens it.
pub(super) async fn open_as(
    inner: &Arc<Inner>,
    asker: &Asker,
    authority: &Authority,
    mut kind: Kind,
    gone: impl Future<Output = ()>,
) -> Result<Box<Tunnel>, Box<Refusal>> {
    let mut leave = leave(asker, authority)?;
    let open = Open::new(inner, &asker.account)?;
    let mut gone = pin!(gone);
    let (line, admission, advisory) = loop {
        leave.tunnel = Some(kind);
        let ask = Ask { asker, leave: leave.clone(), reuse: false };
        let Admitted { way, admission, advisory, .. } = *admit(inner, ask, gone.as_mut()).await?;
        let Way::New(line) = way else { return Err(Refusal::event_log()) };
        // Decided on newer policy than it was asked by: that may let anything through by now.
        if kind == Kind::Tls && moved_to_opaque(inner, asker, &leave).await? {
            line.into_parts().1.finish(Ending::cut("policy_changed"));
            kind = Kind::Opaque;
            continue;
        }
        break (line, admission, advisory);
    };
    let (stream, crossing) = line.into_parts();
    let live = inner.live.open();
    live.begin(admission, Arc::clone(&asker.account), Phase::Stream);
    let host = || authority.host().domain().into_boxed_str();
    let bound = match (kind, advisory) {
        (Kind::Opaque, _) => Bound::Not,
        (Kind::Tls, true) => Bound::Noted(host()),
        (Kind::Tls, false) => Bound::To(host()),
    };
    let told = asker.confined.witness.is_some().then(|| (asker.confined.clone(), Asked::of_leave(&leave)));
    Ok(Box::new(Tunnel { stream, read: Bytes::new(), crossing, live, bound, told, _open: Some(open) }))
}

async fn is_opaque(inner: &Inner, asker: &Asker, leave: &Leave) -> Result<bool, Box<Refusal>> {
    inner.gate.opaque_tunnel(&asker.caller, leave).await.map_err(|error| Refusal::gate(&error))
}

/// Whether policy has moved since `asker` was let in, and lets anything through this tunnel now.
async fn moved_to_opaque(inner: &Inner, asker: &Asker, leave: &Leave) -> Result<bool, Box<Refusal>> {
    let stands = leave.target.port() != HTTP_PORT && Arc::ptr_eq(&asker.caller.view, &inner.gate.store().view());
    if stands {
        return Ok(false);
    }
    let caller = inner.gate.fresh(asker.caller.clone()).await.map_err(|_| Refusal::challenge())?;
    inner.gate.opaque_tunnel(&caller, leave).await.map_err(|error| Refusal::gate(&error))
}

impl Tunnel {
    /// A connection that became a tunnel after a request and its answer.
    pub(super) fn switched(
        stream: TcpStream,
        read: Bytes,
        crossing: Crossing,
        live: Arc<Live>,
        open: Option<Open>,
    ) -> Self {
        live.enter(Phase::Stream);
        Self { stream, read, crossing, live, bound: Bound::Not, told: None, _open: open }
    }

    /// Ends it before anything went through.
    pub(super) fn abandon(self, code: &'static str) {
        self.live.end();
        self.crossing.finish(Ending::failed(code));
    }

    /// Carries bytes until both sides have finished, or it is cut.
    pub(super) async fn run(self, inner: Arc<Inner>, client: Client) {
        let Self { stream, read, crossing, live, bound, told, _open } = self;
        let mut sni = None;
        let Client { stream: mut client, buffer } = client;
        let flight = match bound {
            Bound::Not => Ok((buffer.freeze(), None)),
            Bound::Noted(host) => Ok((buffer.freeze(), Some(Box::new(Watch::noting(host))))),
            Bound::To(host) => {
                let deadline = inner.config.timeouts.first_flight;
                let first = Box::pin(first_flight::read(&mut client, buffer, &host, deadline, &live)).await;
                sni = first.sni;
                first.flight.map(|bytes| (bytes, Some(Box::new(Watch::bound(host)))))
            }
        };
        let mut ending = match flight {
            Err(ending) => {
                tell(told.as_ref(), &ending).await;
                first_flight::alert(&mut client, &ending).await;
                ending
            }
            Ok((up, watch)) => {
                let mut relay = Relay::new(client, stream, up, read, watch, Arc::clone(&live));
                let ending = (&mut relay).await;
                sni = relay.noted().or(sni);
                tell(told.as_ref(), &ending).await;
                ending
            }
        };
        let (bytes_up, bytes_down) = live.bytes();
        live.end();
        ending = Ending { bytes_up, bytes_down, sni: sni.or(ending.sni), ..ending };
        inner.meters.moved(bytes_up, bytes_down);
        if ending.outcome != ExecutionOutcome::Completed {
            inner.meters.unreached(ending.error_code.unwrap_or("unknown"));
        }
        crossing.finish(ending);
    }
}

/// Tells of a tunnel that was cut because of what it carried, or is no longer allowed.
async fn tell(told: Option<&(Confined, Asked)>, ending: &Ending) {
    const REFUSALS: [&str; 4] = ["sni_mismatch", "not_tls", "policy_changed", "credential_ended"];
    let code = ending.error_code.filter(|code| ending.outcome == ExecutionOutcome::Cut && REFUSALS.contains(code));
    if let (Some((confined, asked)), Some(code)) = (told, code) {
        confined.tell_refused(asked.clone(), code).await;
    }
}

/// Whether what a hello says fits the host a tunnel was asked for.
fn compare(host: &str, hello: &wire::hello::Hello) -> ServerName {
    use wire::hello::Sni;
    let is_address = host.parse::<IpAddr>().is_ok();
    match hello.sni() {
        Sni::Absent => ServerName::Absent,
        Sni::Name(name) if !is_address && **name == *host => ServerName::Match,
        Sni::Name(_) | Sni::Several | Sni::Address | Sni::Malformed => ServerName::Other,
    }
}

/// Whether a tunnel to this host may go on with that.
fn fits(host: &str, found: ServerName) -> bool {
    match found {
        ServerName::Match => true,
        ServerName::Absent => host.parse::<IpAddr>().is_ok(),
        ServerName::Other => false,
    }
}
