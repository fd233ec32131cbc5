//! Strict readers of what clients of the way out send: HTTP/1 heads and chunks, authorities, TLS
//! ClientHellos, SOCKS5. Pure: bytes in, a value or a precise fault out.
//!
//! What two programs may read differently is refused here, before anything else looks at it.
