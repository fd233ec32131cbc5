//! How an execution ended, in words.

use serde_json::Value;

use super::error_code;

/// The data of an `egress.completed` in a sentence or two. Members that are not there are left out, and
/// a code of a newer version is told as it is.
#[must_use]
pub fn in_words(ended: &Value) -> String {
    let text = |name: &str| ended.get(name).and_then(Value::as_str);
    let number = |name: &str| ended.get(name).and_then(Value::as_u64);
    let mut said = match text("outcome") {
        Some("completed") => "It was carried out".to_owned(),
        Some("failed") => "It was let out and failed".to_owned(),
        Some("cut") => "It was let out and then cut".to_owned(),
        Some("unknown") => "It was let out, and nobody knows how it ended".to_owned(),
        other => format!("It was let out and ended ({})", other.unwrap_or("unknown")),
    };
    let mut facts = Vec::new();
    facts.extend(number("status").map(|status| format!("status {status}")));
    facts.extend(text("peer_ip").map(|ip| format!("at {ip}")));
    facts.extend(text("sni").map(|sni| {
        let said = match sni {
            "match" => "the same",
            "absent" => "absent",
            _ => "another one",
        };
        format!("TLS server name {said}")
    }));
    if let (Some(up), Some(down)) = (number("bytes_up"), number("bytes_down")) {
        facts.push(format!("{up} bytes up, {down} down"));
    }
    facts.extend(number("duration_ms").map(|ms| format!("{ms} ms")));
    if text("address_vetting") == Some("delegated") {
        facts.push("the upstream proxy chose the address".to_owned());
    }
    if !facts.is_empty() {
        said = format!("{said}: {}", facts.join(", "));
    }
    match text("error_code").map(|code| (code, error_code(code))) {
        None => format!("{said}."),
        Some((code, None)) => format!("{said}. Why: {code}."),
        Some((code, Some(known))) => {
            format!("{said}. Why: {} ({code}). What to do: {}.", known.sentence, known.remedy)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tells_what_there_is() {
        for (ended, words) in [
            (
                json!({"outcome": "completed", "status": 200, "bytes_up": 17, "bytes_down": 40, "duration_ms": 12,
                       "peer_ip": "192.0.2.1"}),
                "It was carried out: status 200, at 192.0.2.1, 17 bytes up, 40 down, 12 ms.",
            ),
            (
                json!({"outcome": "cut", "bytes_up": 0, "bytes_down": 0, "duration_ms": 3, "sni": "other",
                       "error_code": "policy_changed"}),
                "It was let out and then cut: TLS server name another one, 0 bytes up, 0 down, 3 ms. Why: a rule, a \
                 switch or an approval changed while it was open, and it is no longer allowed (policy_changed). What to \
                 do: ask again; `exeat why ID` of the new request says what is missing.",
            ),
            (json!({"outcome": "failed", "error_code": "newer"}), "It was let out and failed. Why: newer."),
            (
                json!({"outcome": "unknown", "bytes_up": 0, "bytes_down": 0, "duration_ms": 9}),
                "It was let out, and nobody knows how it ended: 0 bytes up, 0 down, 9 ms.",
            ),
        ] {
            assert_eq!(in_words(&ended), words);
        }
    }
}
