//! `exeat policy allow|ask|deny`: one small readable rule, its exact effect, published at once.

use std::sync::Arc;
use std::time::Duration;

use model::Time;
use rules::rule::Place;
use rules::{Effect, PolicySet, Problem, Rule, Source, write};
use serde_json::{Value, json};

use super::diff;
use super::publish;
use super::set::{broken, held};
use crate::commands::App;
use crate::commands::wire::set;
use crate::duration;
use crate::exit::Exit;
use crate::failure::Failure;

/// The file that rules made here go into.
const FILE: &str = "rules.toml";
/// How often the rule is written again when somebody publishes in between.
const ATTEMPTS: usize = 3;

/// What the rule selects. Without a selector it is refused.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  exeat policy allow github.com --agent coder --method GET --for 30d\n  exeat policy allow git.example.com --port 22 --opaque\n  exeat policy deny '*.prod.example.com' --reason \"nobody but the pipeline\"\n  exeat policy ask --tool payment.send --agent '*' --dry-run"
)]
pub struct Args {
    /// Hosts: a name, an address, or *.suffix
    #[arg(value_name = "HOST")]
    hosts: Vec<String>,
    /// Agents by name
    #[arg(long, value_name = "NAME")]
    agent: Vec<String>,
    /// Users by name
    #[arg(long, value_name = "NAME")]
    user: Vec<String>,
    /// Services by name
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// Groups of the set
    #[arg(long, value_name = "NAME")]
    group: Vec<String>,
    /// Methods
    #[arg(long, value_name = "METHOD")]
    method: Vec<String>,
    /// Paths: whole leading segments
    #[arg(long, value_name = "PATH")]
    path: Vec<String>,
    /// Ports, or a range such as 8000-8999
    #[arg(long, value_name = "PORT")]
    port: Vec<String>,
    /// Of an allow: tunnels may carry anything, not only TLS; for SSH and the like
    #[arg(long)]
    opaque: bool,
    /// Tools
    #[arg(long, value_name = "TOOL")]
    tool: Vec<String>,
    /// Actions
    #[arg(long, value_name = "ACTION")]
    action: Vec<String>,
    /// Rooms
    #[arg(long, value_name = "ROOM_ID")]
    room: Vec<String>,
    /// Zones
    #[arg(long, value_name = "ZONE")]
    zone: Vec<String>,
    /// How long it holds, for example 30d; without it for ever
    #[arg(long = "for", value_name = "SPAN", value_parser = duration::parse)]
    lasts: Option<Duration>,
    /// The rule's id; without it one is made from what it selects
    #[arg(long)]
    id: Option<String>,
    /// Why, for whoever reads the rule later
    #[arg(long)]
    reason: Option<String>,
    /// Only try it: it is recorded and does not count
    #[arg(long)]
    shadow: bool,
    /// Only show what it would change
    #[arg(long)]
    dry_run: bool,
    /// Publish although a folder on the server is watched for this workspace
    #[arg(long)]
    take_over: bool,
}

pub(super) async fn run(effect: Effect, args: Args, app: &App) -> Result<Exit, Failure> {
    let client = app.client()?;
    let mut attempt = 1;
    loop {
        let before = held(&client).await?;
        let taken: Vec<String> = rules::load(&before.files)
            .map(|loaded| loaded.set.rules.iter().map(|rule| rule.id.to_string()).collect())
            .unwrap_or_default();
        let (id, text) = written(effect, &args, &taken)?;
        let files = with(&before.files, &text);
        let loaded = rules::load(&files).map_err(|problems| broken(app, &problems))?;
        let compared = publish::compare(app, &before, &files)?;
        if !app.output.is_json() {
            app.output.line(text.trim_end())?;
            diff::tell(app, &compared, 10);
            let nothing = loaded.set.rule(&id).is_some_and(|rule| !rule.shadow) && compared.is_empty();
            if nothing {
                app.output.warn("the rule changes nothing: stricter rules decide, or others say the same");
            }
        }
        let notes: Vec<_> = rules::check::blind_in_tunnels(&PolicySet {
            rules: loaded.set.rule(&id).cloned().into_iter().collect(),
            ..PolicySet::default()
        });
        notes.iter().for_each(|note| app.output.warn(&said(note)));
        if args.dry_run {
            return dry(app, &id, &text, &compared);
        }
        let note = args.reason.clone().or_else(|| Some(format!("{effect}: rule {id}")));
        match publish::put(&client, &files, before.version, note, args.take_over).await {
            Ok(mut answer) => {
                set(&mut answer, "rule", json!({ "id": id, "text": text }));
                set(&mut answer, "diff", compared.to_json());
                return publish::show(app, &answer);
            }
            Err(failure) if failure.code == "policy_version_mismatch" && attempt < ATTEMPTS => attempt += 1,
            Err(failure) => return Err(failure),
        }
    }
}

/// A problem of the rule itself, which needs no place.
fn said(problem: &Problem) -> String {
    match &problem.hint {
        Some(hint) => format!("{} ({hint})", problem.message),
        None => problem.message.clone(),
    }
}

fn dry(app: &App, id: &str, text: &str, compared: &diff::Compared) -> Result<Exit, Failure> {
    if app.output.is_json() {
        let answer: Value =
            json!({ "rule": { "id": id, "text": text }, "diff": compared.to_json(), "published": false });
        app.output.object(&answer)?;
    }
    app.output.say("nothing was published (--dry-run)");
    Ok(Exit::Ok)
}

/// The files with the rule at the end of the one that such rules go into.
fn with(files: &[Source], text: &str) -> Vec<Source> {
    let mut files = files.to_vec();
    match files.iter_mut().find(|file| file.name == FILE) {
        Some(file) => file.text = format!("{}\n\n{text}", file.text.trim_end()),
        None => files.push(Source { name: FILE.to_owned(), text: text.to_owned() }),
    }
    files
}

/// The rule's id and its text.
///
/// It is put together as text and read by the same reader as any file, so what the flags may hold is
/// what a rule may hold.
fn written(effect: Effect, args: &Args, taken: &[String]) -> Result<(String, String), Failure> {
    let id = args.id.clone().unwrap_or_else(|| fresh(effect, args, taken));
    let place = Place { file: Arc::from(FILE), line: 1, column: 1 };
    let mut head = Rule::bare(effect, Arc::from(id.as_str()), place);
    head.reason = args.reason.as_deref().map(Arc::from);
    head.shadow = args.shadow;
    head.until = args.lasts.map(|lasts| ends(crate::output::now(), lasts));
    let opaque: Vec<String> = args.opaque.then(|| "opaque".to_owned()).into_iter().collect();
    let mut selectors = String::new();
    let keys = [
        ("agent", &args.agent),
        ("user", &args.user),
        ("service", &args.service),
        ("group", &args.group),
        ("action", &args.action),
        ("tool", &args.tool),
        ("host", &args.hosts),
        ("method", &args.method),
        ("path", &args.path),
        ("port", &args.port),
        ("tunnel", &opaque),
        ("zone", &args.zone),
        ("room", &args.room),
    ];
    for (key, values) in keys {
        let values: Vec<String> = values.iter().map(|value| write::text(value)).collect();
        match &values[..] {
            [] => {}
            [one] => selectors.push_str(&format!("{key} = {one}\n")),
            some => selectors.push_str(&format!("{key} = [{}]\n", some.join(", "))),
        }
    }
    if selectors.is_empty() || selectors == "tunnel = \"opaque\"\n" {
        return Err(Failure::usage(format!("a rule that {effect}s everything is not made in passing")).next(format!(
            "name a host, an agent or a tool; or write [[{effect}]] with everything = true into a file"
        )));
    }
    let text = write::rule(&head).replacen("everything = true\n", "", 1);
    let (first, rest) = text.split_once("\nid = ").map_or((text.as_str(), ""), |(first, rest)| (first, rest));
    let (id_line, rest) = rest.split_once('\n').unwrap_or((rest, ""));
    Ok((id, format!("{first}\nid = {id_line}\n{selectors}{rest}")))
}

/// A whole minute: an end that people can read.
fn ends(now: Time, lasts: Duration) -> Time {
    let minute = 60_000;
    let end = now.as_millis().saturating_add(i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX / 2));
    Time::from_millis(end.saturating_add(minute - 1) / minute * minute)
}

/// An id from what the rule selects, that none of the others has.
fn fresh(effect: Effect, args: &Args, taken: &[String]) -> String {
    let parts = args.agent.iter().chain(&args.user).chain(&args.group).chain(&args.tool).chain(&args.hosts);
    let parts: Vec<String> = parts.chain(&args.action).take(2).map(|part| plain(part)).collect();
    let base = format!("{effect}-{}", parts.join("-"));
    let mut id = base.clone();
    let mut number = 2;
    while taken.contains(&id) {
        id = format!("{base}-{number}");
        number += 1;
    }
    id
}

fn plain(text: &str) -> String {
    let kept: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).take(40).collect();
    let kept = kept.trim_matches(['-', '.']).to_owned();
    if kept.is_empty() { "any".to_owned() } else { kept.to_ascii_lowercase() }
}
