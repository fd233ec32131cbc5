//! Whether the caller takes what a route answers (406).

use http::HeaderMap;
use http::header::ACCEPT;

/// Whether `Accept` admits `produced` (`type/subtype`). No header admits everything. Parameters
/// besides `q` are ignored; the most specific range counts, as in RFC 9110.
pub(crate) fn admits(headers: &HeaderMap, produced: &str) -> bool {
    let mut named = false;
    let mut best: Option<(u8, bool)> = None;
    let (kind, _) = produced.split_once('/').unwrap_or((produced, ""));
    for value in headers.get_all(ACCEPT) {
        let Ok(text) = value.to_str() else { continue };
        for range in text.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            if name.is_empty() {
                continue;
            }
            named = true;
            let weight = match name.split_once('/') {
                Some(("*", "*")) => 1,
                Some((k, "*")) if k.eq_ignore_ascii_case(kind) => 2,
                Some(_) if name.eq_ignore_ascii_case(produced) => 3,
                _ => continue,
            };
            let wanted = !parts.any(is_zero);
            if best.is_none_or(|(known, _)| weight > known) {
                best = Some((weight, wanted));
            }
        }
    }
    !named || best.is_some_and(|(_, wanted)| wanted)
}

fn is_zero(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, q)| {
        name.trim().eq_ignore_ascii_case("q") && q.trim().parse::<f32>().is_ok_and(|q| q <= 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn follows_the_most_specific_range() {
        for (accept, admitted) in [
            ("", true),
            ("*/*", true),
            ("application/*", true),
            ("Application/JSON; q=0.5", true),
            ("text/html, */*;q=0.1", true),
            ("text/html", false),
            ("application/json;q=0", false),
            ("application/json;q=0, */*", false),
            ("image/*", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(admits(&headers, "application/json"), admitted, "{accept}");
        }
        assert!(admits(&HeaderMap::new(), "application/json"));
    }
}
