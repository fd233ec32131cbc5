//! The first bytes through a tunnel that is bound to a name: read whole before any of them goes up.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gate::{Ending, ExecutionOutcome, ServerName};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;
use wire::hello::{HelloReader, Status};

use super::{compare, fits};
use crate::proxy::live::Live;
use crate::proxy::stream::{ClientStream, poll_read_with};

/// A fatal TLS alert: access denied.
const DENIED: [u8; 7] = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 49];

/// What came.
pub(super) struct First {
    pub(super) sni: Option<ServerName>,
    /// The bytes to send on, or why none are.
    pub(super) flight: Result<Bytes, Ending>,
}

impl First {
    fn none(ending: Ending) -> Self {
        Self { sni: None, flight: Err(ending) }
    }
}

/// Reads until the hello is whole. `buffer` holds what came before.
pub(super) async fn read(
    client: &mut ClientStream,
    buffer: BytesMut,
    host: &str,
    deadline: Duration,
    live: &Arc<Live>,
) -> First {
    let reading = async {
        tokio::select! {
            biased;
            first = hello(client, buffer, host) => first,
            cut = live.cut() => First::none(Ending::cut(cut.code())),
        }
    };
    timeout(deadline, reading).await.unwrap_or_else(|_| First::none(Ending::cut("not_tls")))
}

async fn hello(client: &mut ClientStream, mut buffer: BytesMut, host: &str) -> First {
    let mut reader = HelloReader::new();
    let mut pushed = 0;
    loop {
        let status = reader.push(buffer.get(pushed..).unwrap_or_default());
        pushed = buffer.len();
        match status {
            Err(_) => return First::none(Ending::cut("not_tls")),
            Ok(Status::Hello { hello, .. }) => {
                let found = compare(host, &hello);
                let flight = if fits(host, found) { Ok(buffer.freeze()) } else { Err(Ending::cut("sni_mismatch")) };
                return First { sni: Some(found), flight };
            }
            Ok(Status::NeedMore) => {}
        }
        let more = std::future::poll_fn(|cx| {
            poll_read_with(client, cx, |_, bytes| {
                buffer.extend_from_slice(bytes);
                bytes.len()
            })
        });
        if !matches!(more.await, Ok(1..)) {
            let nothing = buffer.is_empty();
            let outcome = if nothing { ExecutionOutcome::Completed } else { ExecutionOutcome::Failed };
            let error_code = (!nothing).then_some("client_closed");
            return First::none(Ending { error_code, ..Ending::of(outcome) });
        }
    }
}

/// Tells a TLS client that it was refused, so that it says more than that the connection ended.
pub(super) async fn alert(client: &mut ClientStream, ending: &Ending) {
    let telling = async {
        if ending.error_code == Some("sni_mismatch") {
            client.write_all(&DENIED).await?;
        }
        client.shutdown().await
    };
    let _ = timeout(Duration::from_secs(1), telling).await;
}
