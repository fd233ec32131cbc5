//! Pages of a list.

use clap::Args;
use serde_json::Value;

use super::wire::list;
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{Output, opt};

/// LIMIT: pages that are read of one list.
const PAGES_MAX: usize = 1_000;

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

/// Every item of a list that is known to be short: the parts of one run.
pub(super) async fn all(
    client: &Client,
    path: &[&str],
    run_id: Option<&str>,
    noun: &str,
) -> Result<Vec<Value>, Failure> {
    let mut items = Vec::new();
    let mut cursor = None;
    for _ in 0..PAGES_MAX {
        let query =
            [("run_id", run_id.map(str::to_owned)), ("limit", Some("500".to_owned())), ("cursor", cursor.take())];
        let answer = client.get(path, &query).await?;
        items.extend_from_slice(list(&answer, noun));
        cursor = opt(&answer, "next_cursor");
        if cursor.is_none() {
            break;
        }
    }
    Ok(items)
}
