//! Strict readers of what clients of the way out send: HTTP/1 heads and chunks, authorities, TLS
//! ClientHellos, SOCKS5. Pure: bytes in, a value or a precise fault out.
//!
//! What two programs may read differently is refused here, before anything else looks at it.
//!
//! Three things hold for every reader: any bytes end in a value, a fault or "more", never in a panic; how the
//! bytes were split never changes the answer; and what is kept while waiting for more has a limit.
//!
//! Deliberately absent: sockets, clocks, async, responses of origins (the HTTP client reads those), and any
//! opinion on whether a target may be reached.
//!
//! Start with [`sniff`] (which protocol a connection speaks), then [`http`], [`hello`] or [`socks`];
//! [`authority`] is what they all end in.

pub mod authority;
pub mod chunk;
pub mod fault;
pub mod hello;
pub mod http;
pub mod sniff;
pub mod socks;

pub use authority::{Authority, Host};
pub use fault::Fault;
