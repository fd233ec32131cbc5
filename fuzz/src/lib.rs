//! The checks of `crates/wire/tests/oracle`, for searches that are guided by coverage.

#[path = "../../crates/wire/tests/oracle/check.rs"]
mod check;
#[path = "../../crates/wire/tests/oracle/feed.rs"]
mod feed;
#[path = "../../crates/wire/tests/oracle/naive.rs"]
mod naive;

/// One HTTP/1 request with its body.
pub fn http(bytes: &[u8]) {
    check::http(bytes);
}

/// A ClientHello and what follows it.
pub fn hello(bytes: &[u8]) {
    check::hello(bytes);
}

/// A SOCKS conversation.
pub fn socks(bytes: &[u8]) {
    check::socks(bytes);
}

/// A target, at the proxy and in the API.
pub fn target(bytes: &[u8]) {
    check::target(bytes);
}
