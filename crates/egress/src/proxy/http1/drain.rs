//! What a client still sends after it was answered early: read over when it is little, so that the answer
//! is seen and the connection can go on.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;
use wire::http::Head;

use super::body::BodyReader;
use super::{Next, Session};
use crate::proxy::refusal::{Form, Refusal};

/// LIMIT: how many bytes of a refused request are read over.
const DRAIN_BYTES_MAX: usize = 64 * 1024;
/// How long a client may take to send them, or to see that it was answered.
const DRAIN_TIME: Duration = Duration::from_secs(2);

impl Session {
    /// Answers a request with a refusal and goes on where that is possible.
    pub(super) async fn refuse(&mut self, head: &Head, refusal: &Refusal) -> Next {
        if refusal.record.is_none() {
            self.inner.meters.turned_away(refusal.code);
            let place = self.inside.as_ref().unwrap_or(head.authority());
            self.visitor.confined().tell_unasked(place, head.method(), refusal).await;
        }
        let mut body = BodyReader::of(head);
        let keep = head.is_keep_alive()
            && !refusal.close
            && !head.expect_continue()
            && !self.stop.is_cancelled()
            && body.left().is_none_or(|left| left <= DRAIN_BYTES_MAX as u64);
        let answer = refusal.answer_http1(Form::for_head(head), keep, head.method() == "HEAD");
        if self.say(answer).await.is_err() {
            return Next::Close;
        }
        if !keep {
            return Next::Linger;
        }
        if body.is_done() || matches!(timeout(DRAIN_TIME, self.read_over(&mut body)).await, Ok(true)) {
            Next::Go
        } else {
            Next::Linger
        }
    }

    /// Reads a body to its end; false when there is too much of it or it is broken.
    async fn read_over(&mut self, body: &mut BodyReader) -> bool {
        let mut read = 0;
        while read <= DRAIN_BYTES_MAX {
            match body.next(&mut self.client.buffer) {
                Ok(Some(piece)) => read += piece.len(),
                Ok(None) if body.is_done() => return true,
                Ok(None) if matches!(self.client.fill().await, Ok(1..)) => {}
                Ok(None) | Err(_) => return false,
            }
        }
        false
    }

    /// Ends our side, and reads over for a moment what the client still sends: closing at once would take the
    /// answer away from a client that has not read it yet.
    pub(super) async fn linger(&mut self) {
        let ending = async {
            self.client.stream.shutdown().await?;
            let mut read = 0;
            while read < DRAIN_BYTES_MAX * 4 {
                self.client.buffer.clear();
                match self.client.fill().await? {
                    0 => break,
                    more => read += more,
                }
            }
            std::io::Result::Ok(())
        };
        let _ = timeout(DRAIN_TIME, ending).await;
    }
}
