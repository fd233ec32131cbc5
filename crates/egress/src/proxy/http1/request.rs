//! One plain request: asked about, sent, answered.

use std::borrow::Cow;

use bytes::Bytes;
use gate::Leave;
use http::header::{CONNECTION, EXPECT, HOST, TRAILER, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use model::TargetUrl;
use wire::Authority;
use wire::http::{Body, Head, RequestTarget, Version};

use super::{Next, Session};
use crate::proxy::admit::{Admitted, Ask, admit};
use crate::proxy::exchange::{Message, Upload};
use crate::proxy::refusal::Refusal;
use crate::proxy::tunnel::Open;
use crate::proxy::via::Via;

/// LIMIT: how much of what a client sends is read ahead while its request waits.
pub(super) const AHEAD_BYTES_MAX: usize = 64 * 1024;

impl Session {
    /// Serves one plain request.
    pub(super) async fn request(&mut self, head: Head) -> Next {
        match self.ask(&head).await {
            Ok((admitted, target)) => {
                let next = self.carry_out(head, &target, admitted).await;
                // Where it became no tunnel after all.
                self.open = None;
                next
            }
            Err(refusal) => self.refuse(&head, &refusal).await,
        }
    }

    async fn ask(&mut self, head: &Head) -> Result<(Box<Admitted>, TargetUrl), Box<Refusal>> {
        let Self { inner, client, visitor, inside, room, open, .. } = self;
        let captured = visitor.is_captured();
        if let Some(tunnel) = inside
            && !leads_to(tunnel, head, captured)
        {
            let differs = "the Host field differs from where this tunnel leads";
            let tunnelled = || Refusal::malformed("host_differs", differs);
            return Err(if captured { Refusal::host_mismatch() } else { tunnelled() });
        }
        let asker = match inside {
            Some(_) => visitor.again(inner).await?,
            None => visitor.by_field(inner, head.proxy_authorization()).await?,
        };
        let authority = match inside {
            Some(tunnel) => Cow::Borrowed(&*tunnel),
            None => asker.confined.named(head.authority())?,
        };
        if inner.via.is_loop(head.via()) {
            return Err(Refusal::looped());
        }
        if head.body() == Body::Chunked {
            wire::chunk::peek_first_size(&client.buffer).map_err(Refusal::fault)?;
        }
        asker.account.within_bytes().map_err(Refusal::limit)?;
        *open = match head.upgrades_to_websocket() {
            true => Some(Open::new(inner, &asker.account)?),
            false => None,
        };
        let target = TargetUrl::parse(&url(&authority, head))
            .map_err(|_| Refusal::malformed("target_invalid", "the target is not a valid URL"))?;
        let mut leave = Leave::request(target.clone(), head.method());
        leave.upgrade = head.upgrades_to_websocket();
        let fields = head.end_to_end().map(|field| (field.name(), field.value()));
        leave.credentials = inner.homes.strays(target.domain(), target.as_str(), fields, room);
        let reuse = !leave.upgrade;
        let admitted = admit(inner, Ask { asker, leave, reuse }, client.closed(AHEAD_BYTES_MAX)).await?;
        Ok((admitted, target))
    }
}

/// Whether a request on a connection to `tunnel` is for that. A client that took no proxy may leave the port out.
fn leads_to(tunnel: &Authority, head: &Head, captured: bool) -> bool {
    let by_host = || match (head.target(), head.host_field()) {
        (RequestTarget::Origin { .. }, Some(host)) => Authority::of_host_field(host, tunnel.port()).ok(),
        _ => None,
    };
    head.authority() == tunnel || (captured && by_host().as_ref() == Some(tunnel))
}

/// The URL that is asked for at `authority`. A request to the server as a whole asks for its root.
fn url(authority: &Authority, head: &Head) -> String {
    let path = Some(head.path_and_query()).filter(|path| *path != "*").unwrap_or("/");
    format!("http://{}{path}", authority.host_field(80))
}

/// The value of the Host field for a target.
fn host_field(target: &TargetUrl) -> String {
    let domain = target.domain();
    let host = if domain.contains(':') { format!("[{domain}]") } else { domain.to_owned() };
    if target.port() == 80 { host } else { format!("{host}:{}", target.port()) }
}

/// The request as it goes to the origin: what ends at this hop is gone, Host is the target's, and so is the
/// path: what was decided is what is sent. None when something in it cannot be passed on.
pub(super) fn outgoing(head: &Head, target: &TargetUrl, via: &Via, body: Upload) -> Option<Request<Upload>> {
    let mut fields = HeaderMap::with_capacity(head.fields().count() + 4);
    fields.append(HOST, HeaderValue::from_maybe_shared(Bytes::from(host_field(target))).ok()?);
    for field in head.end_to_end() {
        let name = HeaderName::from_bytes(field.name().as_bytes()).ok()?;
        // An expectation of HTTP/1.0 is none.
        if name == EXPECT && head.version() == Version::Http10 {
            continue;
        }
        fields.append(name, HeaderValue::from_maybe_shared(field.value_shared()).ok()?);
    }
    if head.body() == Body::Chunked {
        // Trailers go on, so what announces them does.
        for announced in head.values("trailer") {
            fields.append(TRAILER, HeaderValue::from_bytes(announced).ok()?);
        }
    }
    if head.upgrades_to_websocket() {
        fields.append(CONNECTION, HeaderValue::from_static("upgrade"));
        fields.append(UPGRADE, HeaderValue::from_static("websocket"));
    }
    let method = Method::from_bytes(head.method().as_bytes()).ok()?;
    Message { method, target, asterisk: head.path_and_query() == "*", fields }.build(via, body)
}
