//! Addresses, cut where a network begins or ends.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde_json::Value;

use super::of_kind;
use crate::rule::ArgType;
use crate::space::classes::Classes;
use crate::when::{Is, Test, Tri};

/// `::ffff:0:0/96` is how IPv4 looks in IPv6; such addresses count as IPv4.
const MAPPED: (u128, u128) = (0xffff_0000_0000, 0xffff_ffff_ffff);

/// The classes of addresses: spans of IPv4, then of IPv6, both ends included.
#[derive(Debug)]
pub(super) struct Addresses {
    first: u32,
    spans: Vec<(IpAddr, IpAddr)>,
}

impl Addresses {
    pub(super) fn new(tests: &[&Test], first: u32) -> Self {
        let (mut four, mut six) = (BTreeSet::from([0_u128]), BTreeSet::from([0, MAPPED.0, MAPPED.1 + 1]));
        let mut any = false;
        for is in of_kind(tests, &[ArgType::Ip]) {
            any = true;
            let Is::Within(nets) = is else { continue };
            for net in nets {
                let (cuts, from, to) = match net {
                    IpNet::V4(net) => (&mut four, u128::from(bits4(net.network())), u128::from(bits4(net.broadcast()))),
                    IpNet::V6(net) => (&mut six, u128::from(net.network()), u128::from(net.broadcast())),
                };
                cuts.insert(from);
                cuts.extend(to.checked_add(1));
            }
        }
        if !any {
            return Self { first, spans: Vec::new() };
        }
        let mut spans = Vec::new();
        for (from, to) in between(&four, u128::from(u32::MAX)) {
            spans.push((address4(from), address4(to)));
        }
        for (from, to) in between(&six, u128::MAX).filter(|(from, _)| !(MAPPED.0..=MAPPED.1).contains(from)) {
            spans.push((IpAddr::V6(Ipv6Addr::from(from)), IpAddr::V6(Ipv6Addr::from(to))));
        }
        Self { first, spans }
    }

    pub(super) fn end(&self) -> u32 {
        self.first + u32::try_from(self.spans.len()).unwrap_or(0)
    }

    pub(super) fn runs(&self, test: &Test, runs: &mut Vec<(u32, u32, Tri)>) {
        for (id, (from, _)) in (self.first..).zip(&self.spans) {
            runs.push((id, id + 1, test.is.holds(test.kind, &Value::String(from.to_string()))));
        }
    }

    pub(super) fn example(&self, class: u32) -> Option<Value> {
        let at = usize::try_from(class.checked_sub(self.first)?).ok()?;
        self.spans.get(at).map(|(from, _)| Value::String(from.to_string()))
    }

    pub(super) fn words(&self, set: &Classes, some: &mut Vec<String>) {
        let at = |class: u32| usize::try_from(class - self.first).ok().and_then(|at| self.spans.get(at));
        for (from, to) in set.clip(self.first, self.end()).ranges() {
            let (Some(low), Some(high)) = (at(*from), at(to - 1)) else { continue };
            some.push(if low.0 == high.1 { low.0.to_string() } else { format!("{} to {}", low.0, high.1) });
        }
    }
}

fn bits4(address: Ipv4Addr) -> u32 {
    u32::from(address)
}

fn address4(bits: u128) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(u32::try_from(bits).unwrap_or(u32::MAX)))
}

/// From each cut to just before the next, up to `last`.
fn between(cuts: &BTreeSet<u128>, last: u128) -> impl Iterator<Item = (u128, u128)> + '_ {
    let ends = cuts.iter().skip(1).map(|next| next - 1).chain([last]);
    cuts.iter().copied().zip(ends).filter(move |(from, _)| *from <= last)
}
