//! What can go wrong with something that was let out, and what to do about it. Like reason codes a closed
//! set here and an open one to clients.

/// Why an execution did not end well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode {
    /// The code on the wire, lower_snake.
    pub code: &'static str,
    /// One sentence that says what it means.
    pub sentence: &'static str,
    /// What the reader can do about it.
    pub remedy: &'static str,
}

/// What is known of a code; none for one of a newer version.
#[must_use]
pub fn error_code(code: &str) -> Option<&'static ErrorCode> {
    ERROR_CODES.iter().find(|each| each.code == code)
}

macro_rules! codes {
    ($($code:literal, $sentence:literal, $remedy:literal;)*) => {
        /// Every code.
        pub const ERROR_CODES: &[ErrorCode] =
            &[$(ErrorCode { code: $code, sentence: $sentence, remedy: $remedy },)*];
    };
}

codes! {
    // What the bytes showed.
    "sni_mismatch", "the TLS server name in the tunnel is not the host that was asked for",
        "ask for the host that is really meant; a client without a server name needs a rule with `tunnel = \"opaque\"`";
    "not_tls", "what came through the tunnel was not TLS, or nothing came in time",
        "ask for https, or allow the host and port with `tunnel = \"opaque\"`";
    "not_http", "what came through a tunnel to port 80 was not HTTP",
        "send HTTP, or allow the host and port with `tunnel = \"opaque\"`";
    "dlp_secret_detected", "a credential was seen leaving to a host that is not its home",
        "send it without the credential, and rotate the credential if any of it left";
    "destination_denied", "the name leads to an address that nobody may reach",
        "reach a public address, or add the name, its network and port to `trusted_upstreams`";
    // What the gateway ended.
    "policy_changed", "a rule, a switch or an approval changed while it was open, and it is no longer allowed",
        "ask again; `exeat why ID` of the new request says what is missing";
    "credential_ended", "the credential it was asked with was revoked or has expired",
        "ask again with a credential that is good";
    "bytes_limit", "the principal has moved as many bytes as it may in an hour",
        "wait, or raise the limit";
    "limit_reached", "a limit of the gateway was reached",
        "wait until others have ended, or raise the limit";
    "idle_timeout", "nothing moved for too long",
        "ask again, or send something now and then to keep it open";
    "response_timeout", "the origin did not begin its answer in time",
        "ask again later, or look at the origin";
    "timeout", "it did not end in the time it was given",
        "ask again with more time, or look at the origin";
    "shutdown", "the gateway was stopped",
        "ask again";
    "abandoned", "whoever carried it out gave it up without saying how it ended",
        "ask again; when it comes back, look at the log of the gateway";
    "gateway_died", "the gateway ended without an outcome for it, so nobody knows whether it took effect",
        "look at the other side before you repeat it";
    "client_gone", "who asked went away before the end",
        "nothing to do here";
    "client_closed", "who asked closed the connection before the end",
        "nothing to do here";
    // The network and the other side.
    "origin_closed", "the origin closed the connection before the end",
        "ask again, or look at the origin";
    "dns_not_found", "the name does not exist",
        "correct the name";
    "dns_error", "the name could not be resolved",
        "ask again later, or look at the resolver that the gateway uses";
    "dns_timeout", "the resolver did not answer in time",
        "ask again later, or look at the resolver that the gateway uses";
    "dns_busy", "too many names are being resolved",
        "ask again in a moment";
    "connection_refused", "the origin refused the connection",
        "check the port, or look at the origin";
    "connection_timeout", "the origin could not be reached in time",
        "ask again later, or look at the way to the origin";
    "connection_error", "the connection broke before anything was sent",
        "ask again";
    "connection_limit", "the gateway has as many connections open as it may",
        "ask again in a moment, or raise the limit";
    "no_route", "there is no way to the address from here",
        "look at the network of the gateway";
    "tls_failed", "TLS with the origin failed",
        "look at the origin's certificate and at what the gateway trusts";
    "request_not_sent", "the connection broke while the request was being sent",
        "ask again where repeating does no harm";
    "no_answer", "the origin closed the connection without an answer, so it may have taken effect",
        "look at the other side before you repeat it";
    "invalid_response", "the origin's answer was not HTTP",
        "look at the origin";
    "response_broken", "the origin's answer broke off",
        "ask again where repeating does no harm";
    "proxy_loop_detected", "the request came back to the gateway that sent it",
        "take the gateway's own address out of the way";
    "upstream_proxy_unreachable", "the upstream proxy could not be reached",
        "look at the upstream proxy and at `upstream_proxy`";
    "upstream_proxy_timeout", "the upstream proxy did not answer in time",
        "ask again later, or look at the upstream proxy";
    "upstream_proxy_auth", "the upstream proxy did not accept the gateway's credentials",
        "correct the credentials in `upstream_proxy`";
    "upstream_proxy_refused", "the upstream proxy refused the destination",
        "have it allowed there";
    "upstream_proxy_failed", "the upstream proxy could not reach the destination",
        "ask again later, or look at the destination";
    "upstream_proxy_error", "the upstream proxy's answer was not understood or broke off",
        "look at the upstream proxy";
    "internal_error", "the gateway made a mistake",
        "look at its log, and report it";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_there_once_and_says_something() {
        for each in ERROR_CODES {
            assert_eq!(ERROR_CODES.iter().filter(|other| other.code == each.code).count(), 1, "{}", each.code);
            assert_eq!(error_code(each.code), Some(each));
            assert!(each.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", each.code);
            assert!(!each.sentence.is_empty() && !each.remedy.is_empty(), "{}", each.code);
        }
        assert_eq!(error_code("unheard_of"), None);
    }
}
