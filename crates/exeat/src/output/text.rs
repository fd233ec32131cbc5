//! Text from elsewhere, made safe to show. Titles, URLs and reasons are written by agents: they
//! must not be able to move the cursor, change colours or turn the direction of writing.

use serde_json::Value;

/// Replaces control characters and invisible direction marks by their escapes.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        let hidden =
            matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if c.is_control() || hidden { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

/// A member as text: a text itself, a number, a boolean, a short list; `None` when absent or null.
#[must_use]
pub fn opt(value: &Value, name: &str) -> Option<String> {
    match value.get(name)? {
        Value::Null => None,
        Value::String(text) => Some(clean(text)),
        Value::Array(items) => Some(
            items
                .iter()
                .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                .map(|text| clean(&text))
                .collect::<Vec<_>>()
                .join(", "),
        ),
        other => Some(clean(&other.to_string())),
    }
}

/// A member as text, `-` when absent.
#[must_use]
pub fn field(value: &Value, name: &str) -> String {
    opt(value, name).unwrap_or_else(|| "-".to_owned())
}

/// A number of bytes as people say it: `4.5 MB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let (mut tenths, mut unit) = (bytes / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        (tenths, unit) = (tenths / 1_000, unit + 1);
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS.get(unit).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shows_what_is_hidden() {
        assert_eq!(clean("plain ü 漢"), "plain ü 漢");
        assert_eq!(clean("\u{1b}[31mred\r\n"), "\\u{1b}[31mred\\u{d}\\u{a}");
        assert_eq!(clean("a\u{202e}b\u{9b}c"), "a\\u{202e}b\\u{9b}c");
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, want) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (12_345, "12.3 kB"),
            (4_500_000, "4.5 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(bytes), want);
        }
    }

    #[test]
    fn members_of_every_kind() {
        let value = json!({ "a": "x", "b": 3, "c": null, "d": true, "e": ["p", 1], "f": {"g": "\u{1b}"} });
        let all: Vec<String> = ["a", "b", "c", "d", "e", "nope"].iter().map(|name| field(&value, name)).collect();
        assert_eq!(all, ["x", "3", "-", "true", "p, 1", "-"]);
        assert!(!field(&value, "f").contains('\u{1b}'));
    }
}
