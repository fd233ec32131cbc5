//! The loopback device and the routes that bring every address home to it.

use super::layer;
use super::netlink::{Attributes, CREATE, Message, Netlink, REPLACE, Refused};
use crate::{LaunchError, Layer};

/// The loopback of a network namespace is the first device in it, always.
const LOOPBACK: u32 = 1;
const NEW_LINK: u16 = 16;
const NEW_ROUTE: u16 = 24;
/// The attribute of a route that names its device.
const DEVICE: u16 = 4;
/// The table of what is local, looked at first.
const TABLE_LOCAL: u8 = libc::RT_TABLE_LOCAL;

/// Brings the loopback up and makes every address local to it. Says whether IPv6 is there.
pub(super) fn bring_home() -> Result<bool, LaunchError> {
    let route =
        Netlink::open(libc::NETLINK_ROUTE).map_err(|error| layer(Layer::NetworkNamespace, "ask for routes", error))?;
    route
        .transact(&[loopback_up().acknowledged()])
        .map_err(|refused| layer(Layer::NetworkNamespace, "bring the loopback up", refused.error))?;
    route
        .transact(&[everything_local(libc::AF_INET).acknowledged()])
        .map_err(|refused| layer(Layer::AnyAddress, "route every IPv4 address to the loopback", refused.error))?;
    match route.transact(&[everything_local(libc::AF_INET6).acknowledged()]) {
        Ok(()) => Ok(true),
        Err(refused) if lacks_ipv6(&refused) => Ok(false),
        Err(refused) => Err(layer(Layer::AnyAddress, "route every IPv6 address to the loopback", refused.error)),
    }
}

/// Not built in, switched off at boot, or switched off for the device: in each case no address of it can be reached.
fn lacks_ipv6(refused: &Refused) -> bool {
    matches!(refused.error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EAFNOSUPPORT | libc::EACCES))
}

fn loopback_up() -> Message {
    let up = libc::IFF_UP.cast_unsigned();
    // Family and device type are not asked for; then index, flags, and which flags to change.
    let header: Vec<u8> = [0, LOOPBACK, up, up].iter().flat_map(|word| word.to_ne_bytes()).collect();
    Message::new(NEW_LINK, 0, &header, &Attributes::default())
}

fn everything_local(family: libc::c_int) -> Message {
    let family = u8::try_from(family).unwrap_or_default();
    let [destination_bits, source_bits, service] = [0; 3];
    let header = [
        family,
        destination_bits,
        source_bits,
        service,
        TABLE_LOCAL,
        libc::RTPROT_STATIC,
        libc::RT_SCOPE_HOST,
        libc::RTN_LOCAL,
        0,
        0,
        0,
        0,
    ];
    Message::new(NEW_ROUTE, CREATE | REPLACE, &header, &Attributes::default().native_32(DEVICE, LOOPBACK))
}
