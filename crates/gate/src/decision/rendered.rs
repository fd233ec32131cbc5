//! Canonical text without a detour: for our own types, which hold texts, small integers and
//! booleans and declare their members in the order of RFC 8785.

use model::Canonical;
use serde::Serialize;

/// Renders a value whose plain JSON is already canonical. Debug builds check that it is.
pub(crate) fn rendered<T: Serialize>(value: &T) -> Canonical {
    let text = serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned());
    let rendered = Canonical::from_stored(text);
    debug_assert_eq!(Canonical::of(value).ok().as_ref(), Some(&rendered), "the members are not in canonical order");
    rendered
}
