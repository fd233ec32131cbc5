//! `exeat config`: every setting with its value, and where it came from. Keys are never shown.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::Key;
use crate::config::{ClientConfig, Config, Entry, Environment, Layers};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Table, clean};

/// What to do.
#[derive(Debug, Subcommand)]
#[command(before_help = "Examples:\n  exeat config show --origin\n  exeat config show --json")]
pub enum Command {
    /// Show every setting
    Show(ShowArgs),
}

/// How much to show.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Also show where each value comes from, and its variable
    #[arg(long)]
    origin: bool,
}

/// Runs it. A value that cannot be read is shown all the same, and then refused.
///
/// # Errors
/// The first value that cannot be read.
pub fn run(command: &Command, layers: &Layers, environment: &Environment, output: Output) -> Result<Exit, Failure> {
    let Command::Show(args) = command;
    let key = environment.text("EXEAT_KEY")?.and_then(Key::parse);
    let entries = layers.entries();
    if output.is_json() {
        let mut settings: Vec<Value> = entries.iter().map(as_json).collect();
        settings.push(json!({ "key": "client.key", "variable": "EXEAT_KEY", "value": null, "set": key.is_some(), "origin": key.as_ref().map_or("default", |_| "variable EXEAT_KEY") }));
        output.object(&json!({ "settings": settings }))?;
    } else {
        let secret = key.as_ref().map(|_| ("(set, not shown)", "variable EXEAT_KEY")).unwrap_or(("-", "default"));
        output.table(table(&entries, secret, args.origin), "no settings")?;
    }
    Config::from_layers(layers)?;
    ClientConfig::from_layers(layers)?;
    Ok(Exit::Ok)
}

fn as_json(entry: &Entry) -> Value {
    json!({ "key": entry.key, "variable": entry.variable, "value": entry.value, "set": entry.value.is_some(), "origin": entry.origin.to_string() })
}

fn table(entries: &[Entry], (key, key_origin): (&str, &str), origin: bool) -> Table {
    let mut table =
        Table::new(if origin { &["setting", "value", "origin", "variable"] } else { &["setting", "value"] });
    let mut row = |name: &str, value: String, from: String, variable: &str| {
        if origin {
            table.row([name.to_owned(), value, from, variable.to_owned()]);
        } else {
            table.row([name.to_owned(), value]);
        }
    };
    for entry in entries {
        let value = entry.value.as_deref().map_or_else(|| "-".to_owned(), clean);
        row(entry.key, value, clean(&entry.origin.to_string()), entry.variable);
    }
    row("client.key", key.to_owned(), key_origin.to_owned(), "EXEAT_KEY");
    table
}
