//! What tools are called with: `[tools."payment.send"]`, a type for each JSON Pointer.

use toml::de::DeValue;

use super::draft::{Draft, at};
use super::shared;
use super::text::{Item, Text};
use crate::problem::did_you_mean;
use crate::rule::{Arg, ArgType, Tool};

/// LIMIT: declared values of one tool.
const ARGS_MAX: usize = 200;

/// Reads `[tools]`.
pub(super) fn read(draft: &mut Draft, text: &Text<'_>, value: &Item<'_>) {
    let DeValue::Table(tools) = value.get_ref() else {
        draft.problem(text.problem(value.span().start, "`tools` must be a table: [tools.\"NAME\"]".to_owned()));
        return;
    };
    for (key, value) in tools {
        let (name, place) = (shared(key.get_ref().trim()), text.place(key.span().start));
        let DeValue::Table(args) = value.get_ref() else {
            let hint = format!("write [tools.\"{name}\"] and below it \"/pointer\" = \"string\"");
            draft.problem(at(&place, format!("`{name}` must declare what it is called with")).hinted(&hint));
            continue;
        };
        let mut tool = Tool::default();
        for (key, value) in args {
            let Some(arg) = arg(draft, text, value) else { continue };
            let (pointer, at) = (key.get_ref(), key.span().start);
            if !pointer.starts_with('/') {
                let hint = format!("write \"/{pointer}\"; a dotted tool name needs quotes: [tools.\"a.b\"]");
                draft.problem(text.problem(at, format!("`{pointer}` is not a JSON Pointer")).hinted(&hint));
            } else if tool.args.len() == ARGS_MAX {
                draft.problem(text.problem(at, format!("a tool declares at most {ARGS_MAX} values")));
                break;
            } else {
                tool.args.insert(shared(pointer), arg);
            }
        }
        if let Some((first, _)) = draft.tools.get(&name) {
            let message = format!("the tool `{name}` is declared twice: {first}");
            draft.problem(at(&place, message));
        } else {
            draft.tools.insert(name, (place, tool));
        }
    }
}

fn arg(draft: &mut Draft, text: &Text<'_>, value: &Item<'_>) -> Option<Arg> {
    let at = value.span().start;
    match value.get_ref() {
        DeValue::String(name) => Some(Arg { kind: kind(draft, text, at, name)?, optional: false }),
        DeValue::Table(table) => {
            let mut arg = Arg { kind: ArgType::String, optional: false };
            let mut typed = false;
            for (key, value) in table {
                match (&**key.get_ref(), value.get_ref()) {
                    ("type", DeValue::String(name)) => {
                        arg.kind = kind(draft, text, value.span().start, name)?;
                        typed = true;
                    }
                    ("optional", DeValue::Boolean(optional)) => arg.optional = *optional,
                    (other, _) => {
                        let problem =
                            text.problem(key.span().start, format!("`{other}` is not known or of another type"));
                        draft.problem(problem.hinted("write { type = \"string\", optional = true }"));
                        return None;
                    }
                }
            }
            if !typed {
                draft.problem(text.problem(at, "the type is missing".to_owned()).hinted("add type = \"string\""));
                return None;
            }
            Some(arg)
        }
        _ => {
            let problem = text.problem(at, "a declared value has a type".to_owned());
            draft.problem(problem.hinted("\"string\", \"integer\", \"number\", \"boolean\" or \"ip\""));
            None
        }
    }
}

fn kind(draft: &mut Draft, text: &Text<'_>, at: usize, name: &str) -> Option<ArgType> {
    let found = ArgType::ALL.into_iter().find(|kind| kind.as_str() == name);
    if found.is_none() {
        let hint = did_you_mean(name, ArgType::ALL.iter().map(|kind| kind.as_str()));
        let hint = hint.unwrap_or_else(|| "string, integer, number, boolean or ip".to_owned());
        draft.problem(text.problem(at, format!("`{name}` is not a type")).hinted(&hint));
    }
    found
}
