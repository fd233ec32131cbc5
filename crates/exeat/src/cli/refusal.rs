//! What is said when the arguments cannot be read: help where it was asked for, else one line and
//! the nearest command.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Format, Output, Talk, clean};

/// Tells it and returns how the process ends.
pub(super) fn tell(error: &clap::Error, arguments: &[OsString]) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A closed pipe is the reader's wish.
            error.print().ok();
            Exit::Ok
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            error.print().ok();
            Exit::Usage
        }
        _ => {
            let json = arguments.iter().any(|argument| argument == "--json");
            Output::new(if json { Format::Json } else { Format::Text }, Talk::Normal).failure(&failure(error));
            Exit::Usage
        }
    }
}

fn failure(error: &clap::Error) -> Failure {
    let (what, nearest) = match error.kind() {
        ErrorKind::InvalidSubcommand => (
            text(error, ContextKind::InvalidSubcommand).map(|given| format!("no command `{given}`")),
            text(error, ContextKind::SuggestedSubcommand),
        ),
        ErrorKind::UnknownArgument => (
            text(error, ContextKind::InvalidArg).map(|given| format!("no option `{given}`")),
            text(error, ContextKind::SuggestedArg),
        ),
        _ => (None, text(error, ContextKind::SuggestedValue)),
    };
    let failure = Failure::usage(what.unwrap_or_else(|| first_line(error)));
    match (nearest, text(error, ContextKind::Usage)) {
        (Some(near), _) => failure.next(format!("did you mean `{near}`?")),
        (None, Some(usage)) => {
            failure.next(usage.replace("Usage: ", "").split_whitespace().collect::<Vec<_>>().join(" "))
        }
        (None, None) => failure.next("exeat --help"),
    }
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(clean(text)),
        // The nearest is the last.
        ContextValue::Strings(all) => all.last().map(|text| clean(text)),
        ContextValue::StyledStr(text) => Some(clean(&text.to_string().replace('\n', " "))),
        _ => None,
    }
}

/// The message of the parser up to its own usage and hints, on one line.
fn first_line(error: &clap::Error) -> String {
    let rendered = error.render().to_string();
    let message = rendered.split("\n\n").next().unwrap_or_default();
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    clean(line.strip_prefix("error: ").unwrap_or(&line))
}
