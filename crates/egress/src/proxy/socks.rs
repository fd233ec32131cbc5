//! SOCKS 5: a greeting, who asks, where to; then a tunnel like any other.
//!
//! The key or token is the password (the user name, where the password is empty). Where the listener itself
//! knows who asks, nothing need be said. Names are resolved here, once they are allowed.

use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wire::Authority;
use wire::socks::{Choice, Reply, SocksReader, Step, password_answer};

use super::Inner;
use super::http1::{After, Session};
use super::identity::Visitor;
use super::refusal::Refusal;
use super::stream::Client;
use super::tunnel::{self, Opened};

/// LIMIT: how much of what a client sends is read ahead while its request waits.
const AHEAD_BYTES_MAX: usize = 64 * 1024;

/// Serves a client that speaks SOCKS 5.
pub(super) async fn serve(
    inner: Arc<Inner>,
    mut client: Client,
    mut visitor: Visitor,
    stop: CancellationToken,
) -> (After, Option<Client>) {
    let greeting = greet(&inner, &mut client, &mut visitor);
    let authority = match timeout(inner.config.timeouts.head, greeting).await {
        Ok(Some(authority)) => authority,
        Ok(None) | Err(_) => {
            let _ = timeout(inner.config.timeouts.head, client.stream.shutdown()).await;
            return (After::Close, None);
        }
    };
    match open(&inner, &mut client, &mut visitor, &authority).await {
        Err(refusal) => {
            if refusal.record.is_none() {
                inner.meters.turned_away(refusal.code);
                visitor.confined().tell_unasked(&authority, "CONNECT", &refusal).await;
            }
            let _ = say(&mut client, &refusal.socks.answer(None)).await;
            let _ = timeout(inner.config.timeouts.head, client.stream.shutdown()).await;
            (After::Close, None)
        }
        Ok(opened) => match (say(&mut client, &Reply::Succeeded.answer(None)).await, opened) {
            (Ok(()), Opened::Tunnel(tunnel)) => (After::Tunnel(tunnel), Some(client)),
            (Ok(()), Opened::Http(inside)) => {
                let mut session = Session::new(inner, client, visitor, stop);
                session.inside = Some(inside);
                session.serve().await
            }
            (Err(_), Opened::Tunnel(tunnel)) => {
                tunnel.abandon("client_closed");
                (After::Close, None)
            }
            (Err(_), Opened::Http(_)) => (After::Close, None),
        },
    }
}

/// Who asks, and where to; `None` when the conversation is over, with what there was to say said.
async fn greet(inner: &Inner, client: &mut Client, visitor: &mut Visitor) -> Option<Authority> {
    let mut reader = SocksReader::new();
    loop {
        let step = match reader.read(&mut client.buffer) {
            Ok(Some(step)) => step,
            Ok(None) => match client.fill().await {
                Ok(1..) => continue,
                Ok(0) | Err(_) => return None,
            },
            Err(fault) => {
                inner.meters.turned_away(fault.code());
                let _ = say(client, &fault.answer()).await;
                return None;
            }
        };
        match step {
            Step::Greeting(offer) => {
                let choice = match (offer.none && visitor.is_known(), offer.password) {
                    (true, _) => Choice::None,
                    (false, true) => Choice::Password,
                    (false, false) => Choice::Unacceptable,
                };
                reader.choose(choice);
                say(client, &choice.answer()).await.ok()?;
                if choice == Choice::Unacceptable {
                    inner.meters.turned_away("proxy_authentication_required");
                    return None;
                }
            }
            Step::Password(shown) => {
                let credential = if shown.password.is_empty() { &shown.username } else { &shown.password };
                let known = visitor.is_known() || visitor.by_password(inner, credential).await.is_ok();
                say(client, &password_answer(known)).await.ok()?;
                if !known {
                    inner.meters.turned_away("proxy_authentication_required");
                    return None;
                }
            }
            Step::Connect(authority) => return Some(authority),
        }
    }
}

async fn open(
    inner: &Arc<Inner>,
    client: &mut Client,
    visitor: &mut Visitor,
    authority: &Authority,
) -> Result<Opened, Box<Refusal>> {
    let asker = visitor.again(inner).await?;
    tunnel::open(inner, asker, authority, client.closed(AHEAD_BYTES_MAX)).await
}

async fn say(client: &mut Client, bytes: &[u8]) -> std::io::Result<()> {
    client.stream.write_all(bytes).await?;
    client.stream.flush().await
}
