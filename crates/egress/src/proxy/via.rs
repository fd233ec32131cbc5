//! Via: what makes a circle of proxies visible (RFC 9110, section 7.6.3).
//!
//! Every instance has a mark of its own beside the name, so that two of them in a row are no circle. Where
//! somebody in between takes comments away, too many passages through any of them are one.

use http::HeaderValue;

/// LIMIT: passages through proxies of this kind.
const PASSAGES_MAX: usize = 8;
const NAME: &[u8] = b"1.1 exeat";

/// What this proxy adds to Via.
pub(super) struct Via {
    field: HeaderValue,
    mark: String,
}

impl Via {
    pub(super) fn new(instance: &str) -> Self {
        let mark = format!("({instance})");
        let field = HeaderValue::from_str(&format!("1.1 exeat {mark}"));
        Self { field: field.unwrap_or(HeaderValue::from_static("1.1 exeat")), mark }
    }

    /// What is added.
    pub(super) fn field(&self) -> HeaderValue {
        self.field.clone()
    }

    /// Whether a request with these fields came through here before.
    pub(super) fn is_loop<'a>(&self, values: impl Iterator<Item = &'a [u8]>) -> bool {
        let mut passages = 0;
        for value in values {
            let of_this = value.windows(self.mark.len()).any(|window| window == self.mark.as_bytes());
            passages += value.split(|&b| b == b',').filter(|hop| hop.trim_ascii().starts_with(NAME)).count();
            if of_this || passages > PASSAGES_MAX {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_itself_and_too_many_of_its_kind() {
        let via = Via::new("a1");
        let eight = ["1.1 exeat (b)"; 8].join(", ");
        let nine = ["1.1 exeat"; 9].join(", ");
        for (values, want) in [
            (vec![], false),
            (vec!["1.0 squid"], false),
            (vec!["1.1 exeat (b2)"], false),
            (vec!["1.1 exeat (a1)"], true),
            (vec!["1.0 other", "1.1 x, 1.1 exeat (a1)"], true),
            (vec![eight.as_str()], false),
            (vec![nine.as_str()], true),
        ] {
            assert_eq!(via.is_loop(values.iter().map(|value| value.as_bytes())), want, "{values:?}");
        }
        assert!(via.is_loop(std::iter::once(via.field().as_bytes())));
    }
}
