//! A plain request in a stream of HTTP/2.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use gate::{Ending, Leave};
use http::header::{EXPECT, HOST};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Response};
use hyper::body::Incoming;
use model::TargetUrl;
use wire::{Authority, Fault};

use super::Shared;
use super::answer::{Download, answered};
use crate::proxy::admit::{Admitted, Ask, Way, admit};
use crate::proxy::exchange::{Carrier, Exchange, Message, Upload, ends_here};
use crate::proxy::live::{Cut, Phase};
use crate::proxy::refusal::Refusal;
use crate::proxy::scan::BodyScan;

pub(super) async fn serve(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Download>, Box<Refusal>> {
    let inner = &shared.inner;
    let authority = authority(&request)?;
    if shared.inside.as_ref().is_some_and(|inside| *inside != authority) {
        return Err(Refusal::host_mismatch());
    }
    let asker = shared.asker(&request).await?;
    let authority = asker.confined.named(&authority)?.into_owned();
    asker.account.within_bytes().map_err(Refusal::limit)?;
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let asterisk = path == "*";
    let url = format!("http://{authority}{}", if asterisk { "/" } else { path });
    let target =
        TargetUrl::parse(&url).map_err(|_| Refusal::malformed("target_invalid", "the target is not a valid URL"))?;
    let mut leave = Leave::request(target.clone(), request.method().as_str());
    let fields = request.headers().iter().filter(|(name, _)| !ends_here(name, request.headers()));
    let fields = fields.map(|(name, value)| (name.as_str(), value.as_bytes()));
    leave.credentials = inner.homes.strays(target.domain(), target.as_str(), fields, &mut Vec::new());
    let admitted = admit(inner, Ask { asker: &asker, leave, reuse: true }, std::future::pending()).await?;
    let Admitted { way, id, admission, enforced, .. } = *admitted;
    let live = inner.live.open();
    live.begin(admission, Arc::clone(&asker.account), Phase::Answer);
    let unsent =
        || Refusal::answer("request_not_sent", "http_request_error", "the request cannot be sent on", id.clone());
    let (carrier, crossing) = match way {
        Way::Kept(carrier, crossing) => (carrier, crossing),
        Way::New(line) => {
            let (stream, crossing) = line.into_parts();
            match Carrier::open(stream).await {
                Ok(carrier) => (carrier, crossing),
                Err(_) => {
                    crossing.finish(Ending::failed("request_not_sent"));
                    return Err(unsent());
                }
            }
        }
    };
    let (head, body) = request.into_parts();
    let scan = BodyScan::new(inner.homes.clone(), target.domain(), enforced);
    let upload = Upload::of_stream(body, Arc::clone(&live), scan);
    let fields = kept(&head.headers, &authority);
    let message = fields.map(|fields| Message { method: head.method, target: &target, asterisk, fields });
    let Some(request) = message.and_then(|message| message.build(&inner.via, upload)) else {
        crossing.finish(Ending::failed("request_not_sent"));
        return Err(unsent());
    };
    let mut exchange = Exchange::begin(carrier, crossing, request, Arc::clone(&live));
    let response = poll_fn(|cx| match live.poll_cut(cx) {
        Poll::Ready(cut) => Poll::Ready(Err(cut)),
        Poll::Pending => exchange.poll_head(cx).map(Ok),
    })
    .await;
    match response {
        Ok(Ok(response)) if response.status().is_informational() => {
            exchange.fail(inner, Ending::failed("invalid_response"));
            let detail = "the origin changed the protocol unasked";
            Err(Refusal::answer("invalid_response", "http_protocol_error", detail, id))
        }
        Ok(Ok(response)) => {
            live.enter(Phase::Stream);
            Ok(answered(response, Download::new(exchange, Arc::clone(inner), asker.owner), &inner.via))
        }
        Ok(Err(error)) => {
            let code = if error.is_parse() { "invalid_response" } else { "no_answer" };
            exchange.fail(inner, Ending::failed(code));
            Err(Refusal::answer(code, "connection_terminated", "the origin gave no valid answer", id))
        }
        Err(cut) => {
            exchange.fail(inner, Ending::cut(cut.code()));
            Err(match cut {
                Cut::AnswerTimeout => {
                    let detail = "the origin gave no answer in time";
                    Refusal::answer(cut.code(), "connection_read_timeout", detail, id)
                }
                _ => Refusal::cut(cut.code(), "the request was ended before an answer came", id),
            })
        }
    }
}

/// Who is asked for, by the rules for an absolute target.
fn authority(request: &Request<Incoming>) -> Result<Authority, Box<Refusal>> {
    let method = request.method().as_str();
    if method == "TRACE" {
        return Err(Refusal::fault(Fault::TraceRefused));
    }
    if method.bytes().any(|b| b.is_ascii_lowercase()) {
        return Err(Refusal::fault(Fault::MethodCase));
    }
    match request.uri().scheme_str() {
        Some("http") => {}
        Some("https") => return Err(Refusal::fault(Fault::HttpsAbsolute)),
        Some(_) | None => return Err(Refusal::fault(Fault::Scheme)),
    }
    let written = request.uri().authority().map(|authority| authority.as_str()).unwrap_or_default();
    let authority = Authority::of_host_field(written.as_bytes(), 80).map_err(Refusal::fault)?;
    check_host(request, &authority, 80)?;
    Ok(authority)
}

/// A Host field beside `:authority` must be one, and the same.
pub(super) fn check_host(
    request: &Request<Incoming>,
    authority: &Authority,
    default_port: u16,
) -> Result<(), Box<Refusal>> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let Some(host) = hosts.next() else { return Ok(()) };
    if hosts.next().is_some() {
        return Err(Refusal::fault(Fault::HostFieldTwice));
    }
    match Authority::of_host_field(host.as_bytes(), default_port) {
        Ok(read) if read == *authority => Ok(()),
        Ok(_) => Err(Refusal::fault(Fault::HostFieldDiffers)),
        Err(_) => Err(Refusal::fault(Fault::HostFieldInvalid)),
    }
}

/// The fields that go on to the origin. Nobody waits for a `100 Continue` here.
fn kept(fields: &HeaderMap, authority: &Authority) -> Option<HeaderMap> {
    let mut kept = HeaderMap::with_capacity(fields.len() + 2);
    kept.append(HOST, HeaderValue::from_str(&authority.host_field(80)).ok()?);
    for (name, value) in fields.iter().filter(|(name, _)| !ends_here(name, fields) && *name != HOST && *name != EXPECT)
    {
        kept.append(name.clone(), value.clone());
    }
    Some(kept)
}
