//! `exeat demo`: a tour on a fresh machine, and an end-to-end check of its own. Everything it shows
//! really happens: a server, a worker and a store in this process, asked over HTTP with keys.

mod acts;
mod narrator;
mod stage;

use std::io::IsTerminal as _;
use std::time::Duration;

use serde_json::json;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::server;
use acts::Tour;
use narrator::Narrator;
use stage::Stage;

/// The pause between paragraphs when a person watches.
const PAUSE: f64 = 0.4;
/// LIMIT: the longest pause, in seconds.
const PAUSE_MAX: f64 = 60.0;

/// Take a tour: three runs, one allowed, one blocked, one that waits for a person
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  exeat demo\n  exeat demo --pause 3\n  exeat demo --json")]
pub struct Args {
    /// Rest this long between paragraphs [default: 0.4 on a terminal, else 0]
    #[arg(long, value_name = "SECONDS", value_parser = pause)]
    pause: Option<Duration>,
}

fn pause(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=PAUSE_MAX).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| format!("expected seconds from 0 to {PAUSE_MAX}"))
}

/// Takes the tour, or leaves it when asked to.
///
/// # Errors
/// Something did not end as it had to; see [`Failure`].
pub async fn run(args: &Args, output: Output) -> Result<Exit, Failure> {
    let watched = std::io::stdout().is_terminal() && !output.is_json();
    let pause = args.pause.unwrap_or(if watched { Duration::from_secs_f64(PAUSE) } else { Duration::ZERO });
    let stage = Stage::set().await?;
    let told = tokio::select! {
        told = tour(&stage, Narrator::new(output, pause)) => told.map(Some),
        () = server::asked_to_end() => Ok(None),
    };
    stage.strike().await;
    match told? {
        Some(told) if output.is_json() => output.object(&told).map(|()| Exit::Ok),
        Some(_) => Ok(Exit::Ok),
        None => Ok(Exit::Failure),
    }
}

async fn tour(stage: &Stage, narrator: Narrator) -> Result<serde_json::Value, Failure> {
    let tour = Tour::new(stage, narrator);
    tour.opening().await?;
    let runs = [tour.allowed().await?, tour.blocked().await?, tour.waits().await?];
    let verification = tour.record().await?;
    tour.ending().await?;
    Ok(json!({ "runs": runs, "verification": verification }))
}

#[cfg(test)]
mod tests {
    use super::pause;

    #[test]
    fn pauses_are_bounded() {
        assert_eq!(pause("1.5").unwrap().as_millis(), 1_500);
        assert_eq!(pause("0").unwrap().as_millis(), 0);
        for bad in ["-1", "61", "NaN", "inf", "1s", ""] {
            assert!(pause(bad).is_err(), "{bad}");
        }
    }
}
