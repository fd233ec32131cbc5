//! The match arms against the tables of `data/`: each block by its first, middle and last address and
//! its neighbours, and any address against the plainest model of "is it in a block".

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;

const V4: &str = include_str!("../../data/special-purpose-ipv4.csv");
const V6: &str = include_str!("../../data/special-purpose-ipv6.csv");
const ALSO: &str = include_str!("../../data/also-forbidden.csv");

struct Block {
    net: IpNet,
    name: String,
    reachable: bool,
}

fn read(table: &str) -> Vec<Block> {
    let mut lines = table.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.next(), Some("prefix,name,source,reachable"));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            assert_eq!(cells.len(), 4, "{line}");
            assert!(matches!(cells[3], "yes" | "no" | "n/a"), "{line}");
            let net: IpNet = cells[0].parse().unwrap();
            assert_eq!(net, net.trunc(), "{line}");
            Block { net, name: cells[1].to_owned(), reachable: cells[3] == "yes" }
        })
        .collect()
}

/// The plainest statement of the rule.
struct Model {
    registry: Vec<Block>,
    also: Vec<Block>,
}

impl Model {
    fn new() -> Self {
        let mut registry = read(V4);
        registry.extend(read(V6));
        Self { registry, also: read(ALSO) }
    }

    fn forbids(&self, address: IpAddr) -> bool {
        // A mapped address is a spelling of the one in it.
        let address = address.to_canonical();
        if self.also.iter().any(|block| block.net.contains(&address)) {
            return true;
        }
        let narrowest = self
            .registry
            .iter()
            .filter(|block| block.net.contains(&address))
            .max_by_key(|block| block.net.prefix_len());
        match (narrowest, address) {
            (Some(block), _) => !block.reachable,
            (None, IpAddr::V4(_)) => false,
            // Only 2000::/3 is given out. An ISATAP identifier carries an IPv4 address.
            (None, IpAddr::V6(v6)) => v6.octets()[0] >> 5 != 1 || isatap_inner(v6).is_some_and(|v4| self.forbids(v4)),
        }
    }
}

fn isatap_inner(address: Ipv6Addr) -> Option<IpAddr> {
    let o = address.octets();
    let marked = matches!(o[8..12], [0 | 2, 0, 0x5e, 0xfe]);
    marked.then(|| IpAddr::from([o[12], o[13], o[14], o[15]]))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn address_like(kind: IpAddr, number: u128) -> Option<IpAddr> {
    match kind {
        IpAddr::V4(_) => u32::try_from(number).ok().map(|n| IpAddr::V4(Ipv4Addr::from(n))),
        IpAddr::V6(_) => Some(IpAddr::V6(Ipv6Addr::from(number))),
    }
}

#[test]
fn every_block_of_the_tables_is_covered() {
    let model = Model::new();
    assert!(model.registry.len() >= 51 && model.also.len() >= 11);
    for block in model.registry.iter().chain(&model.also) {
        let (first, last) = (number(block.net.network()), number(block.net.broadcast()));
        for inside in [first, first + (last - first) / 2, last] {
            let address = address_like(block.net.network(), inside).unwrap();
            let found = forbidden(address).is_some();
            assert_eq!(found, model.forbids(address), "{} ({}): {address}", block.net, block.name);
            // A block that IANA does not call reachable is forbidden, whatever the model says; only
            // the addresses in mapped ones decide for themselves.
            if !block.reachable && block.name != "IPv4-mapped" {
                assert!(found, "{} ({}): {address} passes", block.net, block.name);
            }
        }
    }
}

#[test]
fn the_neighbours_of_a_block_are_judged_by_themselves() {
    let model = Model::new();
    let mut pass = 0;
    for block in model.registry.iter().chain(&model.also) {
        let (first, last) = (number(block.net.network()), number(block.net.broadcast()));
        for near in [first.checked_sub(1), last.checked_add(1)].into_iter().flatten() {
            let Some(address) = address_like(block.net.network(), near) else { continue };
            assert_eq!(forbidden(address).is_some(), model.forbids(address), "beside {}: {address}", block.net);
            pass += usize::from(forbidden(address).is_none());
        }
    }
    // The positive control: most IPv4 blocks stand in the middle of addresses that pass.
    assert!(pass >= 25, "{pass} neighbours pass");
}

/// Addresses at random find few blocks; half of them are made from a block of the tables.
fn addresses() -> impl Strategy<Value = IpAddr> {
    let nets: Vec<IpNet> = {
        let Model { registry, also } = Model::new();
        registry.into_iter().chain(also).map(|block| block.net).collect()
    };
    prop_oneof![
        any::<u32>().prop_map(|n| IpAddr::V4(n.into())),
        any::<u128>().prop_map(|n| IpAddr::V6(n.into())),
        any::<u32>().prop_map(|n| IpAddr::V6(Ipv4Addr::from(n).to_ipv6_mapped())),
        (any::<u64>(), any::<bool>(), any::<u32>()).prop_map(|(subnet, bit, v4)| {
            let marker: u128 = if bit { 0x0200_5efe } else { 0x5efe };
            let high = u128::from(subnet >> 3 | 0x2000_0000_0000_0000) << 64;
            IpAddr::V6(Ipv6Addr::from(high | marker << 32 | u128::from(v4)))
        }),
        (prop::sample::select(nets), any::<u128>(), 0_u32..3).prop_map(|(net, noise, shift)| {
            let width = net.max_prefix_len() - net.prefix_len();
            let mask = 1_u128.checked_shl(u32::from(width) + shift).map_or(u128::MAX, |top| top - 1);
            let limit = if net.max_prefix_len() == 32 { u128::from(u32::MAX) } else { u128::MAX };
            address_like(net.network(), (number(net.network()) ^ (noise & mask)) & limit).unwrap()
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]
    #[test]
    fn any_address_is_judged_as_the_tables_say(address in addresses()) {
        prop_assert_eq!(forbidden(address).is_some(), Model::new().forbids(address), "{}", address);
    }
}
