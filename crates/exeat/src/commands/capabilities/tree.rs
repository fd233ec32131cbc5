//! Who delegated what to whom, as a tree.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::wire::list;
use super::{covers, state};
use crate::failure::Failure;
use crate::output::{DIM, Output, field, opt};

/// Shows `{tokens, edges}`.
pub(super) fn show(output: &Output, both: &Value) -> Result<(), Failure> {
    let lines = draw(both);
    if lines.is_empty() {
        output.say("no tokens");
    }
    lines.iter().try_for_each(|line| output.line(line))
}

struct Forest<'a> {
    tokens: BTreeMap<String, &'a Value>,
    children: BTreeMap<String, BTreeSet<String>>,
    drawn: BTreeSet<String>,
    lines: Vec<String>,
}

/// The tree's lines. A token whose parent is not among those listed is a root here.
fn draw(both: &Value) -> Vec<String> {
    let tokens: BTreeMap<String, &Value> =
        list(both, "tokens").iter().map(|token| (field(token, "token_id"), token)).collect();
    let own = list(both, "tokens")
        .iter()
        .filter_map(|token| Some((opt(token, "parent_token_id")?, field(token, "token_id"))));
    let edges = list(both, "edges").iter().map(|edge| (field(edge, "parent_token_id"), field(edge, "child_token_id")));
    let mut children: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (parent, child) in own.chain(edges) {
        if tokens.contains_key(&parent) && tokens.contains_key(&child) {
            children.entry(parent).or_default().insert(child);
        }
    }
    let below: BTreeSet<String> = children.values().flatten().cloned().collect();
    let roots: Vec<String> = tokens.keys().filter(|id| !below.contains(*id)).cloned().collect();
    let mut forest = Forest { tokens, children, drawn: BTreeSet::new(), lines: Vec::new() };
    for root in roots {
        forest.node(&root, "", "");
    }
    forest.lines
}

impl Forest<'_> {
    fn node(&mut self, id: &str, here: &str, below: &str) {
        // A token is drawn once, so that no answer of a server can make this endless.
        let Some(token) = self.tokens.get(id).filter(|_| !self.drawn.contains(id)) else { return };
        let to = field(token, "issued_to_principal_id");
        self.lines.push(format!("{here}{id}  {DIM}to{DIM:#} {to}  {DIM}{}{DIM:#}  {}", state(token), covers(token)));
        self.drawn.insert(id.to_owned());
        let children: Vec<String> = self.children.get(id).into_iter().flatten().cloned().collect();
        for (index, child) in children.iter().enumerate() {
            let (branch, stem) = if index + 1 == children.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.node(child, &format!("{below}{branch}"), &format!("{below}{stem}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plain(both: &Value) -> String {
        anstream::adapter::strip_str(&draw(both).join("\n")).to_string()
    }

    #[test]
    fn draws_delegations_below_what_they_come_from() {
        let token = |id: &str, parent: Value, tools: &[&str]| json!({ "token_id": id, "parent_token_id": parent, "issued_to_principal_id": format!("p_{id}"), "revoked_at": null, "scopes": { "tools": tools } });
        let both = json!({
            "tokens": [token("a", json!(null), &["*"]), token("b", json!("a"), &["x", "y"]), token("c", json!("b"), &[]), token("d", json!("a"), &["x"]), token("z", json!("elsewhere"), &["q"])],
            "edges": [{ "parent_token_id": "a", "child_token_id": "b" }],
        });
        insta::assert_snapshot!(plain(&both), @r"
        a  to p_a  live  tools: *
        ├─ b  to p_b  live  tools: x, y
        │  └─ c  to p_c  live  nothing
        └─ d  to p_d  live  tools: x
        z  to p_z  live  tools: q
        ");
    }

    #[test]
    fn a_circle_ends() {
        let both = json!({ "tokens": [{ "token_id": "a", "parent_token_id": "b" }, { "token_id": "b", "parent_token_id": "a" }, { "token_id": "c" }], "edges": [{ "parent_token_id": "c", "child_token_id": "a" }] });
        assert_eq!(plain(&both).lines().count(), 3);
    }
}
