//! Names that rules use: of who asks, of actions and tools, of groups and of rules themselves.

use std::sync::Arc;

use model::ActorType;

use crate::rule::{NamePattern, WhoPattern};

/// LIMIT: the longest name, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// A name in an id's spelling: of a rule or a group.
pub(super) fn label(text: &str) -> Result<(), &'static str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if text.is_empty() || text.len() > 100 || !text.bytes().all(plain) {
        return Err("1 to 100 letters, digits, `.`, `_` and `-`");
    }
    Ok(())
}

/// `*`, or somebody by name.
pub(super) fn who(kind: ActorType, name: &str) -> WhoPattern {
    match name.trim() {
        "*" => WhoPattern::Kind(kind),
        name => WhoPattern::Named(kind, Arc::from(name)),
    }
}

/// A name that stands for itself.
pub(super) fn plain(text: &str) -> Result<Arc<str>, &'static str> {
    let text = text.trim();
    if text.is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        return Err("1 to 200 bytes without control characters");
    }
    Ok(Arc::from(text))
}

/// A dotted name, or `prefix.*`.
pub(super) fn dotted(text: &str) -> Result<NamePattern, &'static str> {
    let text = text.trim();
    let (name, below) = text.strip_suffix(".*").map_or((text, false), |prefix| (prefix, true));
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("a name without spaces, or `prefix.*`");
    }
    if name.contains('*') {
        return Err("a `*` stands only at the end, after a dot: `prefix.*`");
    }
    let name = Arc::from(name);
    Ok(if below { NamePattern::Below(name) } else { NamePattern::Exact(name) })
}
