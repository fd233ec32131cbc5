//! The rules a target can break, one text each, so that a refusal names its rule and nothing else.

use super::InvalidTarget;

pub(super) const TOO_LONG: InvalidTarget = InvalidTarget("a target has at most 16384 bytes");
pub(super) const CONTROL: InvalidTarget = InvalidTarget("control characters, tabs and line breaks are refused");
pub(super) const BACKSLASH: InvalidTarget = InvalidTarget("a backslash is refused; write `%5C` in path or query");
pub(super) const NOT_ABSOLUTE: InvalidTarget = InvalidTarget("not an absolute URL such as `https://example.com/`");
pub(super) const SCHEME: InvalidTarget = InvalidTarget("the scheme is not http or https");
pub(super) const SLASHES: InvalidTarget = InvalidTarget("the scheme is not followed by `://`");
pub(super) const AUTHORITY_LONG: InvalidTarget = InvalidTarget("host and port have at most 255 bytes");
pub(super) const USERINFO: InvalidTarget = InvalidTarget("a user name or password in the URL is refused");
pub(super) const HOST_MISSING: InvalidTarget = InvalidTarget("the host is missing");
pub(super) const HOST_INVALID: InvalidTarget = InvalidTarget("the host is not a valid name");
pub(super) const HOST_CHARACTER: InvalidTarget =
    InvalidTarget("a host name has letters, digits, `-`, `_` and `.` only");
pub(super) const HOST_SPACE: InvalidTarget = InvalidTarget("white space in host or port is refused");
pub(super) const HOST_PERCENT: InvalidTarget = InvalidTarget("a percent-encoded host is refused");
pub(super) const HOST_LIST: InvalidTarget = InvalidTarget("`,` and `;` in host or port are refused");
pub(super) const WILDCARD: InvalidTarget = InvalidTarget("`*` in a host is refused");
pub(super) const EMPTY_LABEL: InvalidTarget = InvalidTarget("the host has an empty label");
pub(super) const LABEL_LONG: InvalidTarget = InvalidTarget("a label of the host has more than 63 characters");
pub(super) const NAME_LONG: InvalidTarget = InvalidTarget("the host has more than 253 characters");
pub(super) const IPV4: InvalidTarget = InvalidTarget("the host ends in a number but is not an IPv4 address");
pub(super) const IPV6: InvalidTarget = InvalidTarget("not an IPv6 address in brackets");
pub(super) const ZONE_ID: InvalidTarget = InvalidTarget("an IPv6 zone id is refused");
pub(super) const PORT: InvalidTarget = InvalidTarget("the port is not a number from 1 to 65535");
pub(super) const PORTS: InvalidTarget = InvalidTarget("more than one port, or an IPv6 address without brackets");
