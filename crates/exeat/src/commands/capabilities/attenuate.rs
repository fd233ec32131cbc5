//! `exeat capabilities attenuate`: a narrower token made from one that is held, without a server.
//!
//! The token is read from a file, from `EXEAT_TOKEN` or from standard input, never from a flag, because
//! flags are seen by every process of the machine.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use model::capability::{Bearer, Caveat, DataCaveat, TOKEN_BYTES_MAX};
use model::{RunId, Time, Zone};
use serde_json::json;

use super::ListArgs;
use crate::commands::{App, moment};
use crate::config::Environment;
use crate::exit::Exit;
use crate::failure::Failure;

/// Where the token may be, besides a file and standard input.
const VARIABLE: &str = "EXEAT_TOKEN";

/// What is taken away.
#[derive(Debug, Args)]
pub struct AttenuateArgs {
    /// Where the token is; `-` is standard input [env: EXEAT_TOKEN, the token itself]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    lists: ListArgs,
    /// Only within this run
    #[arg(long, value_name = "RUN_ID")]
    run: Option<String>,
    /// At most this zone
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    zone: Option<Zone>,
    /// How long it holds: `8h`, or until a time
    #[arg(long = "for", value_name = "SPAN", value_parser = moment::future)]
    until: Option<String>,
    /// How many asks it may have allowed; all tokens narrowed from it share them
    #[arg(long, value_name = "N")]
    uses: Option<u64>,
    /// A name for it: two tokens with other names count their uses apart [default with --uses: a random one]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

fn zone(text: &str) -> Result<Zone, String> {
    Zone::parse(text).ok_or_else(|| "expected sandbox, supervised or high_stakes".to_owned())
}

/// Prints the narrower token.
pub(super) fn run(args: AttenuateArgs, app: &App) -> Result<Exit, Failure> {
    let file = args.token_file.clone();
    let caveat = caveat(args)?;
    let text = token(file.as_deref(), app.environment())?;
    let refused = |why: String| Failure::new(Exit::Usage, "invalid_token", "this token cannot be narrowed").why(why);
    let held = Bearer::parse(text.trim()).map_err(|error| refused(error.to_string()))?;
    let narrowed = held.attenuate(&caveat).map_err(|error| refused(error.to_string()))?;
    app.output.answer(&json!({ "token": narrowed, "caveat": caveat }), |output, _| {
        output.raw(&narrowed)?;
        output.say(&format!("narrowed by {}; it ends with the token it was made from", caveat.to_bytes()));
        Ok(())
    })?;
    Ok(Exit::Ok)
}

fn caveat(args: AttenuateArgs) -> Result<Caveat, Failure> {
    let AttenuateArgs { lists, run, zone, until, uses, name, .. } = args;
    let some = |list: Vec<String>| (!list.is_empty()).then(|| list.into_iter().collect());
    let (read, write) = (some(lists.data_read), some(lists.data_write));
    let invalid = |what: String| Failure::usage(format!("this cannot be taken away: {what}"));
    let run = run.map(|id| RunId::parse(&id)).transpose().map_err(|error| invalid(error.to_string()))?;
    let until = until.map(|at| Time::parse(&at)).transpose().map_err(|error| invalid(error.to_string()))?;
    let id = name.or_else(|| uses.map(|_| uuid::Uuid::new_v4().simple().to_string()));
    let caveat = Caveat {
        action_types: some(lists.actions),
        data_access: (read.is_some() || write.is_some()).then_some(DataCaveat { read, write }),
        egress_domains: some(lists.domains),
        expires_at: until,
        id,
        rooms: some(lists.rooms),
        run,
        tools: some(lists.tools),
        uses,
        zone,
    };
    caveat.checked().map_err(|error| invalid(error.to_string()))
}

fn token(file: Option<&Path>, environment: &Environment) -> Result<String, Failure> {
    let stdin = || {
        let mut text = String::new();
        std::io::stdin().lock().take(TOKEN_BYTES_MAX as u64 + 64).read_to_string(&mut text).map(|_| text)
    };
    let unreadable = |place: &str, why: String| {
        Failure::new(Exit::NotAuthorised, "token_unreadable", format!("cannot take the token from {place}")).why(why)
    };
    match file {
        Some(path) if path == Path::new("-") => stdin().map_err(|e| unreadable("standard input", e.to_string())),
        Some(path) => std::fs::read_to_string(path).map_err(|e| unreadable(&path.display().to_string(), e.to_string())),
        None => {
            match environment.text(VARIABLE)? {
                Some(text) => Ok(text.to_owned()),
                None if std::io::stdin().is_terminal() => Err(Failure::usage("no token was given")
                    .next(format!("set {VARIABLE}, or name a file with --token-file"))),
                None => stdin().map_err(|e| unreadable("standard input", e.to_string())),
            }
        }
    }
}
