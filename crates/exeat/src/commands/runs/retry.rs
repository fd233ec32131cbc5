//! `exeat runs retry`: a new run with the room, title, goal, input and tags of one that has ended.

use super::super::App;
use super::super::wire::{body, object};
use super::create::queue;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{clean, field};
use clap::Args;

/// What a secret was replaced by before it was stored.
const REDACTED: &str = "[redacted]";

/// Which run.
#[derive(Debug, Args)]
#[command(before_help = "Examples:\n  exeat runs retry ID\n  exeat runs retry ID --watch")]
pub struct RetryArgs {
    /// Its id
    id: String,
    /// Follow the new one to its end; the exit code is that of `runs watch`
    #[arg(long)]
    watch: bool,
}

/// Queues it.
pub(super) async fn run(args: RetryArgs, app: &App) -> Result<Exit, Failure> {
    let RetryArgs { id, watch } = args;
    let answer = app.client()?.get(&["v1", "runs", &id], &[]).await?;
    let old = object(&answer, "run");
    let status = field(old, "status");
    if !matches!(status.as_str(), "succeeded" | "failed" | "cancelled") {
        return Err(Failure::new(
            Exit::Conflict,
            "run_not_ended",
            format!("{} has not ended: it is {status}", clean(&id)),
        )
        .next(format!("exeat runs cancel {}", clean(&id))));
    }
    let same = |name: &'static str| (name, old.get(name).filter(|value| !value.is_null()).cloned());
    let body = body(["room_id", "thread_id", "title", "goal", "input", "tags"].map(same));
    if body.to_string().contains(REDACTED) {
        app.output.warn("a secret in it was not stored, so the new run has `[redacted]` in its place");
    }
    queue(&body, watch, Some(&id), app).await
}
