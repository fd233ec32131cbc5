//! Credentials with a published shape, and the hosts they belong to.
//!
//! Of all the rules of this crate only those are here that hardly ever err: a prefix nobody types by
//! chance and a body of known length or alphabet, so that they can be looked for in bulk traffic
//! where a false alarm stops somebody's work. The yardstick is less than one false alarm in a
//! gigabyte of random base64. `credential/table.rs` is the list. Left out, and still redacted in
//! what is stored:
//! - values recognised by a name or keyword nearby (`password=`, `Bearer …`, `datadog … key`):
//!   their sender means them to be there as often as not;
//! - JSON web tokens: every signed-in request carries one, and nothing in it names its home with
//!   certainty; the passwords in URLs and signed links for the same reason;
//! - prefixes too short or too common in base64: `EAA…`, `IGQV…`, `AAAA…`, `gAAAAA…`, `ABSK…`, `cio…`.
//!
//! A credential is *at home* where its issuer listens. Whether it may also go elsewhere (a mirror, a
//! self-hosted server) is for the caller's configuration to say: [`is_home`].

mod table;
#[cfg(test)]
mod tests;

pub(crate) use table::TABLE;

/// One kind of credential.
pub(crate) struct Credential {
    /// Stable, in lower snake case; the name of its rule with underscores.
    pub(crate) kind: &'static str,
    homes: &'static [&'static str],
}

/// The names of every kind, in no particular order.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|credential| credential.kind)
}

/// The hosts where credentials of `kind` belong, as patterns: a name, or `*.suffix` for the suffix
/// and everything below it.
///
/// Empty for what belongs nowhere (private keys, this product's own keys), for what is mostly sent
/// to servers of one's own, and for kinds that do not exist.
#[must_use]
pub fn home_hosts(kind: &str) -> &'static [&'static str] {
    TABLE.iter().find(|credential| credential.kind == kind).map_or(&[], |credential| credential.homes)
}

/// Whether a credential of `kind` may go to `host`: one of its [`home_hosts`], or a host that
/// `extra` names as a home of that kind (`*` as kind or pattern stands for all).
///
/// `host` is a name without port; its letter case and a final dot make no difference.
#[must_use]
pub fn is_home(kind: &str, host: &str, extra: &[(&str, &str)]) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let named = |(of, pattern): &(&str, &str)| (*of == kind || *of == "*") && covers(pattern, host);
    !host.is_empty() && (home_hosts(kind).iter().any(|pattern| covers(pattern, host)) || extra.iter().any(named))
}

fn covers(pattern: &str, host: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let Some(suffix) = pattern.strip_prefix("*.") else {
        return pattern.eq_ignore_ascii_case(host);
    };
    let Some(cut) = host.len().checked_sub(suffix.len()) else { return false };
    host.get(cut..).is_some_and(|tail| tail.eq_ignore_ascii_case(suffix))
        && (cut == 0 || host.as_bytes().get(cut - 1) == Some(&b'.'))
}
