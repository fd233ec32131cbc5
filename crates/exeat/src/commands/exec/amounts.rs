//! Single values of the arguments: sizes, ports, places that are let out to, variables.

use std::fmt;

/// What a byte count ends with.
const UNITS: [(&str, u32); 5] = [("", 0), ("K", 10), ("M", 20), ("G", 30), ("T", 40)];

/// Reads `512M`, `2G`, `1048576`; also `2GiB` and `2GB`, which both count by 1024.
///
/// # Errors
/// What was expected.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let expected = || "a size such as 512M or 2G".to_owned();
    let upper = text.trim().to_ascii_uppercase();
    let digits = upper.find(|c: char| !c.is_ascii_digit()).unwrap_or(upper.len());
    let (number, unit) = upper.split_at(digits);
    let unit = unit.strip_suffix("IB").or_else(|| unit.strip_suffix('B')).unwrap_or(unit);
    let (_, shift) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(expected)?;
    let number: u64 = number.parse().map_err(|_| expected())?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes > 0).ok_or_else(expected)
}

/// Where a command is let out to: a host or `*.suffix`, and a port when another than 80 and 443 is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allowed {
    /// The host, as rules write it.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) if self.host.contains(':') => write!(f, "[{}]:{port}", self.host),
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// Reads `example.com`, `*.example.com`, `db.example.com:5432`, `[2001:db8::1]:443`.
///
/// # Errors
/// What was expected. A URL is one, because its path would promise more than is kept.
pub(super) fn allowed(text: &str) -> Result<Allowed, String> {
    let expected = || format!("`{text}` is not a host such as example.com, *.example.com or example.com:8443");
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or_else(expected)?)),
        None if text.parse::<std::net::Ipv6Addr>().is_ok() => (text, None),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if host == "*" || model::DomainPattern::parse(&host).is_err() {
        return Err(expected());
    }
    let port = port.map(|port| port.parse().ok().filter(|port| *port != 0).ok_or_else(expected)).transpose()?;
    Ok(Allowed { host, port })
}

/// A variable for the command: with its value, or as it is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    /// Its name.
    pub name: String,
    /// Its value; `None` takes the one of this process.
    pub value: Option<String>,
}

/// Reads `NAME` or `NAME=VALUE`.
///
/// # Errors
/// It is no variable, or one that the command must not have.
pub(super) fn variable(text: &str) -> Result<Variable, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(letters) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("`{name}` is not the name of a variable; write NAME or NAME=VALUE"));
    }
    if name.starts_with("EXEAT_") || name == "DATABASE_URL" {
        return Err(format!("`{name}` is exeat's own: what runs inside never has it"));
    }
    Ok(Variable { name: name.to_owned(), value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_count_by_1024() {
        for (text, want) in [
            ("1", Some(1)),
            ("512M", Some(512 << 20)),
            ("2g", Some(2 << 30)),
            ("2GiB", Some(2 << 30)),
            ("3kb", Some(3 << 10)),
        ] {
            assert_eq!(bytes(text).ok(), want, "{text}");
        }
        for text in ["", "0", "G", "-1", "1.5G", "1X", "99999999T"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_place_is_a_host_with_perhaps_a_port() {
        let place = |host: &str, port| Some(Allowed { host: host.to_owned(), port });
        for (text, want) in [
            ("example.com", place("example.com", None)),
            ("Example.COM.", place("example.com", None)),
            ("*.example.com", place("*.example.com", None)),
            ("example.com:22", place("example.com", Some(22))),
            ("192.0.2.1:80", place("192.0.2.1", Some(80))),
            ("2001:db8::1", place("2001:db8::1", None)),
            ("[2001:db8::1]:443", place("2001:db8::1", Some(443))),
            ("https://example.com", None),
            ("example.com/path", None),
            ("*", None),
            ("a.*.com", None),
            ("example.com:0", None),
            ("example.com:http", None),
            ("", None),
        ] {
            assert_eq!(allowed(text).ok(), want, "{text}");
        }
        for text in ["example.com", "example.com:22", "[2001:db8::1]:443"] {
            assert_eq!(allowed(text).map(|place| place.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn our_own_variables_are_not_given_away() {
        assert_eq!(variable("A=b=c"), Ok(Variable { name: "A".to_owned(), value: Some("b=c".to_owned()) }));
        assert_eq!(variable("A_1"), Ok(Variable { name: "A_1".to_owned(), value: None }));
        for text in ["EXEAT_KEY", "EXEAT_KEY=x", "EXEAT_HMAC_KEY_FILE", "DATABASE_URL", "", "=x", "1A=x", "A-B=x"] {
            assert!(variable(text).is_err(), "{text}");
        }
    }
}
