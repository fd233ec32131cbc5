//! CONNECT in a stream of HTTP/2.

use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use wire::Authority;

use super::Shared;
use super::answer::Download;
use crate::proxy::http1::{After, Session};
use crate::proxy::identity::Visitor;
use crate::proxy::refusal::Refusal;
use crate::proxy::stream::{Client, ClientStream};
use crate::proxy::tunnel::{self, Opened};

pub(super) async fn serve(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Download>, Box<Refusal>> {
    if request.extensions().get::<hyper::ext::Protocol>().is_some() {
        return Err(Refusal::unsupported("protocol_unknown", "only plain CONNECT is spoken in HTTP/2"));
    }
    if shared.inside.is_some() {
        return Err(Refusal::fault(wire::Fault::ConnectRefused));
    }
    let written = request.uri().authority().map(|authority| authority.as_str()).unwrap_or_default();
    let authority = Authority::of_connect(written.as_bytes()).map_err(Refusal::fault)?;
    super::request::check_host(&request, &authority, 443)?;
    let asker = shared.asker(&request).await?;
    let opened = tunnel::open(&shared.inner, &asker, &authority, std::future::pending()).await?;
    let visitor = shared.visitor.lock().await.again_as(asker);
    shared.tunnels.spawn(run(Arc::clone(shared), opened, request, visitor));
    Ok(Response::new(Download::none()))
}

/// Carries the tunnel once the answer is out.
async fn run(shared: Arc<Shared>, opened: Opened, request: Request<Incoming>, visitor: Visitor) {
    let upgraded = hyper::upgrade::on(request).await;
    let inner = Arc::clone(&shared.inner);
    let (tunnel, client) = match (upgraded, opened) {
        (Err(_), Opened::Tunnel(tunnel)) => return tunnel.abandon("client_closed"),
        (Err(_), Opened::Http(_)) => return,
        (Ok(upgraded), Opened::Tunnel(tunnel)) => (tunnel, client(upgraded)),
        (Ok(upgraded), Opened::Http(authority)) => {
            let mut session = Session::new(Arc::clone(&inner), client(upgraded), visitor, shared.stop.clone());
            session.inside = Some(authority);
            match Box::pin(session.serve()).await {
                (After::Tunnel(tunnel), Some(client)) => (tunnel, client),
                _ => return,
            }
        }
    };
    drop(shared);
    tunnel.run(inner, client).await;
}

fn client(upgraded: hyper::upgrade::Upgraded) -> Client {
    Client::new(ClientStream::Http2(Box::new(TokioIo::new(upgraded))))
}
