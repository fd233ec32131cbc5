//! Readers of single values. Each says in words what it would have taken.

mod egress;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use model::Mode;

pub(super) use self::egress::{
    credential_homes, fixed_hosts, many, nameservers, nat64_prefixes, no_proxy, peers, rate, trusted_upstreams,
    upstream_proxy, vetting,
};
use super::{DatabaseUrl, LogFormat};

/// A value, or what was expected.
pub(super) type Read<T> = Result<T, &'static str>;

pub(super) fn boolean(text: &str) -> Read<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("one of 1, true, yes, on, 0, false, no, off"),
    }
}

pub(super) fn mode(text: &str) -> Read<Mode> {
    Mode::parse(&text.trim().to_ascii_lowercase()).ok_or("`shadow` or `enforce`")
}

pub(super) fn count(text: &str) -> Read<u64> {
    whole(text, 0, i64::MAX.unsigned_abs()).ok_or("a whole number of 0 or more")
}

pub(super) fn positive(text: &str) -> Read<u64> {
    whole(text, 1, 86_400_000).ok_or("a whole number from 1 to 86400000")
}

pub(super) fn batch_limit(text: &str) -> Read<u32> {
    whole(text, 1, 10_000).and_then(|n| u32::try_from(n).ok()).ok_or("a whole number from 1 to 10000")
}

pub(super) fn concurrency(text: &str) -> Read<usize> {
    whole(text, 1, 1_024).and_then(|n| usize::try_from(n).ok()).ok_or("a whole number from 1 to 1024")
}

pub(super) fn lease_seconds(text: &str) -> Read<u64> {
    whole(text, 1, 3_600).ok_or("a whole number of seconds from 1 to 3600")
}

pub(super) fn decision_log_days(text: &str) -> Read<u64> {
    whole(text, 1, 3_650).ok_or("a whole number of days from 1 to 3650")
}

pub(super) fn work_kept_minutes(text: &str) -> Read<u64> {
    whole(text, 0, 525_600).ok_or("a whole number of minutes from 0 to 525600")
}

/// Folders with colons between them, as `PATH` is written; only absolute ones.
pub(super) fn search_path(text: &str) -> Read<String> {
    let text = text.trim();
    if !text.is_empty() && text.split(':').all(|folder| folder.starts_with('/')) {
        Ok(text.to_owned())
    } else {
        Err("absolute folders with colons between them, such as /usr/local/bin:/usr/bin")
    }
}

pub(super) fn hold_seconds(text: &str) -> Read<u64> {
    whole(text, 0, 3_600).ok_or("a whole number of seconds from 0 to 3600")
}

fn whole(text: &str, min: u64, max: u64) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|n| (min..=max).contains(n))
}

/// `127.0.0.1:7070`, `[::1]:7070`, `localhost:7070`, or `:7070` for loopback. Only addresses, no
/// other names: what is listened on must not depend on a resolver.
pub(super) fn listen(text: &str) -> Read<SocketAddr> {
    let text = text.trim();
    let named = text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':'));
    let address = match named {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    address.parse().map_err(|_| "an address with a port, such as 127.0.0.1:7070")
}

pub(super) fn port(text: &str) -> Read<u16> {
    whole(text, 0, 65_535).and_then(|n| u16::try_from(n).ok()).ok_or("a port from 0 to 65535")
}

pub(super) fn database_url(text: &str) -> Read<DatabaseUrl> {
    DatabaseUrl::parse(text).ok_or("`sqlite:FILE` or `postgres://…`")
}

pub(super) fn log_format(text: &str) -> Read<LogFormat> {
    match text.trim().to_ascii_lowercase().as_str() {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("one of auto, text, json"),
    }
}

pub(super) fn log_filter(text: &str) -> Read<String> {
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("a log filter such as `info` or `info,exeat=debug`"),
    }
}

/// A name, or nothing when it is blank.
pub(super) fn name(text: &str) -> Read<Option<String>> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err("a name on one line");
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

pub(super) fn workspace(text: &str) -> Read<model::WorkspaceId> {
    model::WorkspaceId::parse(text.trim()).ok().filter(|id| id.as_str() != store::INSTALL).ok_or("a workspace's id")
}

pub(super) fn path(text: &str) -> Read<PathBuf> {
    if text.is_empty() { Err("a path") } else { Ok(PathBuf::from(text)) }
}

pub(super) fn timeout(text: &str) -> Read<Duration> {
    crate::duration::parse(text).ok().filter(|span| !span.is_zero()).ok_or("a span of time such as `30s`")
}

/// An `http` or `https` address without credentials, query or fragment; no slash at the end.
pub(super) fn base_url(text: &str) -> Read<String> {
    const EXPECTS: &str = "the address of a server, such as http://127.0.0.1:7070";
    let url = url::Url::parse(text.trim()).map_err(|_| EXPECTS)?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.host().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if plain { Ok(url.as_str().trim_end_matches('/').to_owned()) } else { Err(EXPECTS) }
}
