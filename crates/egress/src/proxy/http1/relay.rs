//! Carries one plain request out: the client's body up, the answer down, both at the pace of the slower side.

use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use gate::{Ending, ExecutionOutcome};
use http::{HeaderMap, Request, Response, StatusCode};
use model::{EgressRequestId, TargetUrl};
use wire::Fault;
use wire::http::{Head, Version};

use super::answer::{Framing, Out, framing};
use super::body::BodyReader;
use super::request::{AHEAD_BYTES_MAX, outgoing};
use super::{Next, Session};
use crate::dial::Crossing;
use crate::proxy::admit::{Admitted, Way};
use crate::proxy::confined::Asked;
use crate::proxy::exchange::{Carrier, Exchange, Slot, Upload};
use crate::proxy::live::{Cut, Phase};
use crate::proxy::refusal::Refusal;
use crate::proxy::scan::{BodyScan, Stray};
use crate::proxy::stream::Client;
use crate::proxy::tunnel::Tunnel;
use crate::proxy::via::Via;

/// What is said of a credential in a body.
const STRAY: &str = "a credential was seen on its way to a host that is not its home";

/// Answers that come before the answer.
type Early = Arc<Mutex<Vec<(StatusCode, HeaderMap)>>>;

/// One exchange between a client and an origin.
struct Transfer<'a> {
    id: EgressRequestId,
    head: &'a Head,
    via: &'a Via,
    exchange: Exchange,
    body: BodyReader,
    slot: Option<Arc<Slot>>,
    scan: Option<BodyScan>,
    early: Option<Early>,
    stage: Stage,
    /// What is wrong with an answer of which a part is still to be written.
    fault: Option<Ending>,
    framing: Framing,
    stopping: bool,
    /// The client has closed its side.
    gone: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Body,
    Flush,
}

/// How a transfer ended.
enum Ended {
    /// All of the answer is with the client.
    Whole,
    /// The kept connection had been closed before anything came back.
    Stale,
    /// Nothing was answered yet.
    Refused(Box<Refusal>, Ending),
    /// In the middle of it.
    Broken(Ending),
    /// The connection speaks another protocol now.
    Switched,
}

impl Session {
    pub(super) async fn carry_out(&mut self, head: Head, target: &TargetUrl, admitted: Box<Admitted>) -> Next {
        let Admitted { way, id, admission, enforced, .. } = *admitted;
        let inner = Arc::clone(&self.inner);
        let Some((owner, account)) = self.visitor.accounts() else { return Next::Close };
        self.live.begin(admission, account, Phase::Answer);
        let body = BodyReader::of(&head);
        let slot = (!body.is_done()).then(Arc::<Slot>::default);
        let scan = slot.is_some().then(|| BodyScan::new(inner.homes.clone(), target.domain(), enforced));
        let early = (head.version() == Version::Http11).then(Early::default);
        let (carrier, crossing) = match way {
            Way::Kept(carrier, crossing) => (carrier, crossing),
            Way::New(line) => {
                let (stream, crossing) = line.into_parts();
                match Carrier::open(stream).await {
                    Ok(carrier) => (carrier, crossing),
                    Err(_) => return self.unsent(&head, crossing, id).await,
                }
            }
        };
        let build = || message(&head, target, &inner.via, &slot, body.left(), early.as_ref());
        let Some(request) = build() else { return self.unsent(&head, crossing, id).await };
        let exchange = Exchange::begin(carrier, crossing, request, Arc::clone(&self.live));
        let stopping = self.stop.is_cancelled();
        let mut transfer = Transfer {
            id,
            head: &head,
            via: &inner.via,
            exchange,
            body,
            slot,
            scan,
            early,
            stage: Stage::Head,
            fault: None,
            framing: Framing::None,
            stopping,
            gone: false,
        };
        let mut ended = transfer.run(&mut self.client, &mut self.out).await;
        if matches!(ended, Ended::Stale) {
            let left = transfer.body.left();
            let again = message(&head, target, &inner.via, &transfer.slot, left, transfer.early.as_ref());
            ended = match transfer.again(&self.inner.dialer, again).await {
                Ok(renewed) => {
                    transfer = renewed;
                    transfer.run(&mut self.client, &mut self.out).await
                }
                Err(refusal) => {
                    self.live.end();
                    return self.refuse(&head, &refusal).await;
                }
            };
        }
        let keep = transfer.keeps();
        match ended {
            Ended::Whole => {
                let uploaded = transfer.body.is_done();
                transfer.exchange.complete(&self.inner, &owner, uploaded);
                match (keep, uploaded) {
                    (true, true) => Next::Go,
                    (_, true) => Next::Close,
                    (_, false) => Next::Linger,
                }
            }
            Ended::Refused(refusal, ending) => {
                transfer.exchange.fail(&self.inner, ending);
                self.inner.meters.unreached(refusal.code);
                let uploaded = transfer.body.is_done();
                let next = self.answer_late(&head, &refusal, keep && uploaded).await;
                if uploaded { next } else { Next::Linger }
            }
            Ended::Broken(ending) => {
                transfer.exchange.fail(&self.inner, ending);
                Next::Close
            }
            Ended::Stale => Next::Close,
            Ended::Switched => match transfer.exchange.into_upgraded() {
                Some((stream, read, crossing)) => {
                    if poll_fn(|cx| self.out.poll_write(cx, &mut self.client.stream)).await.is_err() {
                        self.live.end();
                        crossing.finish(Ending::failed("client_closed"));
                        return Next::Close;
                    }
                    let tunnel = Tunnel::switched(stream, read, crossing, Arc::clone(&self.live), self.open.take());
                    Next::Tunnel(Box::new(tunnel))
                }
                None => Next::Close,
            },
        }
    }

    /// A request that was let out and could not be sent.
    async fn unsent(&mut self, head: &Head, crossing: Crossing, id: EgressRequestId) -> Next {
        self.live.end();
        crossing.finish(Ending::failed("request_not_sent"));
        let refusal = Refusal::answer("request_not_sent", "http_request_error", "the request cannot be sent on", id);
        self.refuse(head, &refusal).await
    }

    /// Answers a request of which a part may have been read already.
    async fn answer_late(&mut self, head: &Head, refusal: &Refusal, keep: bool) -> Next {
        if refusal.is_blocked() {
            let place = self.inside.as_ref().unwrap_or(head.authority());
            self.visitor.confined().tell_refused(Asked::of(place, head.method()), refusal.code).await;
        }
        let form = crate::proxy::refusal::Form::for_head(head);
        let keep = keep && !refusal.close;
        let answer = refusal.answer_http1(form, keep, head.method() == "HEAD");
        match self.say(answer).await {
            Ok(()) if keep => Next::Go,
            Ok(()) => Next::Linger,
            Err(_) => Next::Close,
        }
    }
}

/// What is sent, with what is to be told before the answer.
fn message(
    head: &Head,
    target: &TargetUrl,
    via: &Via,
    slot: &Option<Arc<Slot>>,
    length: Option<u64>,
    early: Option<&Early>,
) -> Option<Request<Upload>> {
    let upload = match slot {
        Some(slot) => Upload::Client { slot: Arc::clone(slot), length },
        None => Upload::None,
    };
    let mut request = outgoing(head, target, via, upload)?;
    if let Some(early) = early {
        let early = Arc::clone(early);
        hyper::ext::on_informational(&mut request, move |response| {
            let told = (response.status(), response.headers().clone());
            early.lock().unwrap_or_else(PoisonError::into_inner).push(told);
        });
    }
    Some(request)
}

impl<'a> Transfer<'a> {
    async fn run(&mut self, client: &mut Client, out: &mut Out) -> Ended {
        poll_fn(|cx| self.poll(cx, client, out)).await
    }

    /// The same on another connection.
    async fn again(self, dialer: &crate::dial::Dialer, request: Option<Request<Upload>>) -> Result<Self, Box<Refusal>> {
        let Self { id, head, via, exchange, body, slot, scan, early, stage, fault, framing, stopping, gone } = self;
        let live = Arc::clone(&exchange.live);
        let unsent =
            |id| Refusal::answer("request_not_sent", "http_request_error", "the request cannot be sent on", id);
        let (stream, crossing) = match exchange.renew(dialer).await {
            Some(Ok(renewed)) => renewed,
            Some(Err(error)) => return Err(Refusal::dial(error.finish(), id)),
            None => return Err(unsent(id)),
        };
        let (Ok(carrier), Some(request)) = (Carrier::open(stream).await, request) else {
            crossing.finish(Ending::failed("request_not_sent"));
            return Err(unsent(id));
        };
        let exchange = Exchange::begin(carrier, crossing, request, live);
        Ok(Self { id, head, via, exchange, body, slot, scan, early, stage, fault, framing, stopping, gone })
    }

    /// Whether the client may send another request after this one.
    fn keeps(&self) -> bool {
        self.head.is_keep_alive() && self.framing != Framing::Close && !self.stopping
    }

    fn poll(&mut self, cx: &mut Context<'_>, client: &mut Client, out: &mut Out) -> Poll<Ended> {
        loop {
            if let Poll::Ready(cut) = self.exchange.live.poll_cut(cx) {
                return Poll::Ready(self.cut(cut));
            }
            let mut progress = match self.poll_upload(cx, client) {
                Ok(progress) => progress,
                Err(ended) => return Poll::Ready(ended),
            };
            if self.exchange.live.is_cut().is_some() {
                continue;
            }
            let was_full = self.is_full();
            progress |= match self.poll_answer(cx, out) {
                Ok(progress) => progress,
                Err(ended) => return Poll::Ready(ended),
            };
            // The origin has taken what it was given: the client is to be read again.
            progress |= was_full && !self.is_full();
            let waiting = !out.is_empty();
            match out.poll_write(cx, &mut client.stream) {
                Poll::Ready(Ok(())) if self.stage == Stage::Flush => {
                    return Poll::Ready(self.fault.take().map_or(Ended::Whole, Ended::Broken));
                }
                Poll::Ready(Ok(())) => progress |= waiting,
                Poll::Ready(Err(_)) => return Poll::Ready(Ended::Broken(Ending::failed("client_closed"))),
                Poll::Pending => {}
            }
            if !progress {
                return Poll::Pending;
            }
        }
    }

    fn is_full(&self) -> bool {
        self.slot.as_ref().is_some_and(|slot| !slot.is_free())
    }

    /// Reads the client: its body, then only whether it is still there.
    fn poll_upload(&mut self, cx: &mut Context<'_>, client: &mut Client) -> Result<bool, Ended> {
        let mut progress = false;
        while let Some(slot) = &self.slot {
            if !slot.is_free() {
                return Ok(progress);
            }
            if self.body.is_done() {
                if let Some(mut scan) = self.scan.take() {
                    self.pass(scan.finish(), scan.found);
                } else {
                    slot.end(self.body.take_trailers());
                    self.slot = None;
                }
                return Ok(true);
            }
            match self.body.next(&mut client.buffer) {
                Ok(Some(piece)) => {
                    let (free, found) = match &mut self.scan {
                        Some(scan) => (scan.pass(piece), scan.found),
                        None => (Ok(piece), false),
                    };
                    self.pass(free, found);
                    progress = true;
                }
                Ok(None) if self.body.is_done() => {}
                Ok(None) => match client.poll_fill(cx) {
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(Ok(0) | Err(_)) => {
                        slot.fail();
                        return Err(Ended::Broken(Ending::failed("client_closed")));
                    }
                    Poll::Pending => return Ok(progress),
                },
                Err(fault) => {
                    slot.fail();
                    return Err(self.broken_upload(fault));
                }
            }
        }
        while !self.gone && client.buffer.len() < AHEAD_BYTES_MAX {
            match client.poll_fill(cx) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0)) => {
                    self.gone = true;
                    self.exchange.live.enter(Phase::Gone);
                }
                Poll::Ready(Err(error)) => return Err(lost(&error)),
                Poll::Pending => break,
            }
        }
        Ok(progress)
    }

    /// Hands over what the scan lets go.
    fn pass(&self, free: Result<Bytes, Stray>, found: bool) {
        let Some(slot) = &self.slot else { return };
        let live = &self.exchange.live;
        if found {
            live.note();
        }
        match free {
            // Seen before anything else is done: the connection to the origin is then dropped.
            Err(Stray) => live.stray(),
            Ok(piece) if piece.is_empty() => {}
            Ok(piece) => {
                live.add_up(piece.len());
                slot.put(piece);
            }
        }
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>, out: &mut Out) -> Result<bool, Ended> {
        let mut progress = false;
        if self.stage == Stage::Head {
            let head = self.exchange.poll_head(cx);
            progress |= self.tell_early(out);
            match head {
                Poll::Pending => return Ok(progress),
                Poll::Ready(Ok(response)) => self.begin_answer(&response, out)?,
                Poll::Ready(Err(error)) => return Err(self.no_answer(&error)),
            }
            progress = true;
        }
        while self.stage == Stage::Body && !out.is_full() {
            match self.exchange.poll_frame(cx) {
                Poll::Pending => break,
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(piece) => out.push_body(piece, self.framing),
                    Err(frame) => {
                        if let Ok(trailers) = frame.into_trailers() {
                            out.push_end(self.framing, Some(&trailers));
                            self.stage = Stage::Flush;
                        }
                    }
                },
                Poll::Ready(Some(Err(_))) => {
                    self.fault = Some(Ending::failed("response_broken"));
                    self.stage = Stage::Flush;
                }
                Poll::Ready(None) => {
                    out.push_end(self.framing, None);
                    self.stage = Stage::Flush;
                }
            }
            progress = true;
        }
        Ok(progress)
    }

    fn begin_answer(&mut self, response: &Response<()>, out: &mut Out) -> Result<(), Ended> {
        let via = self.via.field();
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            if !self.head.upgrades_to_websocket() {
                return Err(self.bad_answer("the origin changed the protocol unasked"));
            }
            out.push_switch(response, &via);
            return Err(Ended::Switched);
        }
        self.framing = framing(self.head, response, self.exchange.length());
        let connection = match (self.keeps() && self.body.is_done(), self.head.version()) {
            (false, _) => "close",
            (true, Version::Http10) => "keep-alive",
            (true, Version::Http11) => "",
        };
        out.push_head(response, self.framing, &via, connection);
        self.stage = Stage::Body;
        if !self.gone {
            self.exchange.live.enter(Phase::Stream);
        }
        Ok(())
    }

    fn tell_early(&self, out: &mut Out) -> bool {
        let Some(early) = &self.early else { return false };
        let told = std::mem::take(&mut *early.lock().unwrap_or_else(PoisonError::into_inner));
        for (status, fields) in &told {
            out.push_informational(*status, fields);
        }
        !told.is_empty()
    }

    fn no_answer(&self, error: &hyper::Error) -> Ended {
        let untouched = self.slot.as_ref().is_none_or(|slot| !slot.was_taken()) && self.body_untouched();
        let safe = model::Action::is_safe_method(self.head.method());
        if self.exchange.is_reused() && untouched && (safe || error.is_canceled()) {
            return Ended::Stale;
        }
        if error.is_parse() {
            return self.bad_answer("what came back is not a valid answer of HTTP/1");
        }
        let detail = "the connection ended before an answer came";
        let refusal = Refusal::answer("no_answer", "connection_terminated", detail, self.id.clone());
        Ended::Refused(refusal, Ending::failed("no_answer"))
    }

    fn body_untouched(&self) -> bool {
        self.slot.is_some() || matches!(self.head.body(), wire::http::Body::None | wire::http::Body::Length(0))
    }

    fn bad_answer(&self, detail: &'static str) -> Ended {
        let refusal = Refusal::answer("invalid_response", "http_protocol_error", detail, self.id.clone());
        Ended::Refused(refusal, Ending::failed("invalid_response"))
    }

    fn broken_upload(&self, fault: Fault) -> Ended {
        let ending = Ending::failed(fault.code());
        if self.stage == Stage::Head { Ended::Refused(Refusal::fault(fault), ending) } else { Ended::Broken(ending) }
    }

    fn cut(&self, cut: Cut) -> Ended {
        let ending = Ending { outcome: ExecutionOutcome::Cut, ..Ending::failed(cut.code()) };
        if self.stage != Stage::Head {
            return Ended::Broken(ending);
        }
        let refusal = match cut {
            Cut::AnswerTimeout => {
                let detail = "the origin gave no answer in time";
                Refusal::answer(cut.code(), "connection_read_timeout", detail, self.id.clone())
            }
            Cut::Secret => Refusal::cut(cut.code(), STRAY, self.id.clone()),
            _ => Refusal::cut(cut.code(), "the request was ended before an answer came", self.id.clone()),
        };
        Ended::Refused(refusal, ending)
    }
}

fn lost(_: &io::Error) -> Ended {
    Ended::Broken(Ending::failed("client_closed"))
}
