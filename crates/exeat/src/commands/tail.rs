//! Follows `GET /v1/streams/events`. When the stream breaks it connects again and goes on after the
//! last event it showed, so nothing is shown twice or left out.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::App;
use super::events::what;
use super::moment;
use crate::client::{Client, EventStream, Query};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{DIM, Output, field};

/// The pauses between attempts to connect again double from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(10);

/// How to follow.
#[derive(Debug, Clone, Args)]
pub(super) struct TailArgs {
    /// Begin there: `10m` (ago) or a time; without it, now
    #[arg(long, value_name = "WHEN", value_parser = moment::past)]
    since: Option<String>,
    /// End after this many
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

/// Shows events until the limit, or until somebody stops it.
pub(super) async fn follow(app: &App, args: TailArgs, filters: Query<'_>) -> Result<(), Failure> {
    let since = args.since.unwrap_or_else(|| crate::output::now().to_string());
    let mut query = vec![("after", Some(since))];
    query.extend(filters.iter().cloned());
    let mut follow = Follow::open(app.client()?, query, None).await?;
    let mut left = args.limit.unwrap_or(u64::MAX);
    while left > 0 {
        show(app, &follow.next(app.output).await?)?;
        left -= 1;
    }
    Ok(())
}

/// Events as they are recorded, for as long as the server does not refuse.
pub(super) struct Follow<'a> {
    client: Client,
    query: Vec<(&'a str, Option<String>)>,
    last: Option<String>,
    stream: EventStream,
}

impl<'a> Follow<'a> {
    /// Opens the stream, after the event with the position `last` when there is one.
    pub(super) async fn open(
        client: Client,
        query: Vec<(&'a str, Option<String>)>,
        last: Option<String>,
    ) -> Result<Self, Failure> {
        let stream = connect(&client, &query, last.as_deref()).await?;
        Ok(Self { client, query, last, stream })
    }

    /// The next event. A dropped call loses none.
    pub(super) async fn next(&mut self, output: Output) -> Result<Value, Failure> {
        loop {
            while let Some(message) = self.stream.next().await {
                if message.id.is_some() {
                    self.last = message.id;
                }
                if let Ok(event) = serde_json::from_str::<Value>(&message.data) {
                    return Ok(event);
                }
            }
            output.say("the stream ended; connecting again");
            self.stream = self.connect_again().await?;
        }
    }

    /// Tries for as long as the server is away or failing; a refusal ends it.
    async fn connect_again(&self) -> Result<EventStream, Failure> {
        let mut pause = FIRST_PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            match connect(&self.client, &self.query, self.last.as_deref()).await {
                Err(failure) if matches!(failure.exit, Exit::Unreachable | Exit::Failure) => {
                    pause = (pause * 2).min(LAST_PAUSE);
                }
                done => return done,
            }
        }
    }
}

async fn connect(client: &Client, query: Query<'_>, last: Option<&str>) -> Result<EventStream, Failure> {
    client.stream(&["v1", "streams", "events"], query, last).await
}

fn show(app: &App, event: &Value) -> Result<(), Failure> {
    if app.output.is_json() {
        return app.output.json_line(event);
    }
    let time = field(event, "occurred_at");
    app.output.line(&format!("{DIM}{time}{DIM:#}  {:<24} {}", field(event, "event_type"), what(event)))
}
