//! Pages of a list.

use clap::Args;
use serde_json::Value;

use crate::output::{Output, opt};

/// Which page.
#[derive(Debug, Clone, Args)]
pub struct PageArgs {
    /// At most this many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Go on where the last page ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl PageArgs {
    /// Its parameters.
    pub(super) fn query(&self) -> [(&'static str, Option<String>); 2] {
        [("limit", self.limit.map(|n| n.to_string())), ("cursor", self.cursor.clone())]
    }

    /// Says how to see the next page, when there is one.
    pub(super) fn say_next(output: &Output, answer: &Value) {
        if let Some(cursor) = opt(answer, "next_cursor") {
            output.say(&format!("more: repeat with --cursor {cursor}"));
        }
    }
}
