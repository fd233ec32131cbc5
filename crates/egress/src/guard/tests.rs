use std::net::Ipv4Addr;

use policy::destination::Forbidden;

use super::*;

fn addresses(source: Source, texts: &[&str]) -> Answers {
    Answers { source, addresses: texts.iter().map(|text| text.parse().unwrap()).collect() }
}

fn trust(host: &str, net: Option<&str>, port: Option<u16>) -> TrustedUpstream {
    TrustedUpstream { host: host.into(), net: net.map(|net| net.parse().unwrap()), port }
}

fn guard(trusted_upstreams: Vec<TrustedUpstream>, nat64: &[&str]) -> Guard {
    let nat64_prefixes = nat64.iter().map(|net| net.parse().unwrap()).collect();
    Guard::new(GuardConfig { trusted_upstreams, nat64_prefixes })
}

fn class(guard: &Guard, answers: &Answers) -> Option<RefusedClass> {
    guard.vet("name.example", 443, answers).err().map(|refusal| refusal.class)
}

#[test]
fn one_forbidden_address_refuses_them_all() {
    let plain = guard(vec![], &[]);
    let check = |texts: &[&str], want| assert_eq!(class(&plain, &addresses(Source::Dns, texts)), want, "{texts:?}");
    let is = |kind| Some(RefusedClass::Forbidden(kind));
    check(&["8.8.8.8:443"], None);
    check(&["8.8.8.8:443", "1.1.1.1:443", "[2606:4700::1111]:443"], None);
    check(&["8.8.8.8:443", "127.0.0.1:443"], is(Forbidden::Loopback));
    check(&["10.0.0.1:443", "8.8.8.8:443"], is(Forbidden::Private));
    check(&["8.8.8.8:443", "[::ffff:169.254.169.254]:443"], is(Forbidden::Metadata));
    check(&["[64:ff9b::808:808]:443"], is(Forbidden::Translation));
}

#[test]
fn an_exception_is_host_and_net_and_port_together() {
    let check = |trusted: TrustedUpstream, source, text: &str, passes: bool| {
        let shown = format!("{trusted:?} {source:?} {text}");
        let guard = guard(vec![trusted], &[]);
        assert_eq!(class(&guard, &addresses(source, &[text])).is_none(), passes, "{shown}");
    };
    let host = "name.example";
    check(trust(host, Some("10.0.0.0/8"), Some(443)), Source::Dns, "10.1.1.1:443", true);
    check(trust(host, Some("10.0.0.0/8"), None), Source::Dns, "10.1.1.1:443", true);
    check(trust(host, Some("10.0.0.0/8"), Some(443)), Source::Dns, "127.0.0.1:443", false);
    check(trust(host, Some("10.0.0.0/8"), Some(80)), Source::Dns, "10.1.1.1:443", false);
    check(trust("other.example", Some("10.0.0.0/8"), None), Source::Dns, "10.1.1.1:443", false);
    // Without a net nobody outside may choose the address.
    check(trust(host, None, None), Source::Dns, "10.1.1.1:443", false);
    check(trust(host, None, None), Source::HostsFile, "10.1.1.1:443", false);
    check(trust(host, None, None), Source::Localhost, "127.0.0.1:443", false);
    check(trust(host, None, None), Source::Fixed, "127.0.0.1:9999", true);
    check(trust(host, None, Some(443)), Source::Fixed, "127.0.0.1:9999", true);
    check(trust(host, None, Some(9999)), Source::Fixed, "127.0.0.1:9999", false);
    // An exception for one address does not carry another over.
    let mixed = guard(vec![trust(host, Some("10.0.0.0/8"), None)], &[]);
    let answers = addresses(Source::Dns, &["10.0.0.1:443", "192.168.0.1:443"]);
    assert_eq!(class(&mixed, &answers), Some(RefusedClass::Forbidden(Forbidden::Private)));
}

#[test]
fn our_own_listeners_are_never_excepted() {
    let host = "name.example";
    let check = |listener: &str, dialed: &str, refused: bool| {
        let guard = guard(vec![trust(host, Some("127.0.0.0/8"), None), trust(host, Some("::1/128"), None)], &[]);
        let answers = addresses(Source::Dns, &[dialed]);
        assert_eq!(class(&guard, &answers), None, "the control: {dialed} is excepted");
        guard.register_listener(listener.parse().unwrap());
        let want = refused.then_some(RefusedClass::OwnListener);
        assert_eq!(class(&guard, &answers), want, "{listener} {dialed}");
    };
    check("127.0.0.1:443", "127.0.0.1:443", true);
    check("127.0.0.1:443", "127.0.0.1:80", false);
    check("127.0.0.1:443", "127.0.0.2:443", false);
    check("0.0.0.0:443", "127.0.0.1:443", true);
    check("0.0.0.0:443", "127.9.9.9:443", true);
    check("[::]:443", "127.0.0.1:443", true);
    check("[::]:443", "[::1]:443", true);
    check("[::ffff:127.0.0.1]:443", "127.0.0.1:443", true);
}

#[test]
fn an_opted_in_translation_is_judged_by_what_it_embeds() {
    let check = |prefixes: &[&str], text: &str, want: Option<RefusedClass>| {
        let guard = guard(vec![], prefixes);
        assert_eq!(class(&guard, &addresses(Source::Dns, &[text])), want, "{prefixes:?} {text}");
    };
    let is = |kind| Some(RefusedClass::Forbidden(kind));
    check(&["64:ff9b::/96"], "[64:ff9b::808:808]:443", None);
    check(&["64:ff9b::/96"], "[64:ff9b::7f00:1]:443", is(Forbidden::Loopback));
    check(&["64:ff9b::/96"], "[64:ff9b::a9fe:a9fe]:443", is(Forbidden::Metadata));
    check(&["64:ff9b::/96"], "[64:ff9b:1::808:808]:443", is(Forbidden::Translation));
    check(&["64:ff9b:1::/48"], "[64:ff9b:1:808:8:800::]:443", None);
    check(&["64:ff9b:1::/48"], "[64:ff9b:1:a00:0:100::]:443", is(Forbidden::Private));
    check(&["2001:470:1::/96"], "[2001:470:1::a00:1]:443", is(Forbidden::Private));
    check(&[], "[2001:470:1::a00:1]:443", None);
}

#[test]
fn a_connection_within_this_host_is_cut() {
    let ends = |local: &str, peer: &str| (local.parse().unwrap(), peer.parse().unwrap());
    let check = |guard: &Guard, (local, peer): (SocketAddr, SocketAddr), refused: bool| {
        let reached = Reached { host: "name.example", port: 443, source: Source::Dns, local, peer };
        assert_eq!(guard.vet_connected(reached).is_err(), refused, "{local} {peer}");
    };
    let plain = guard(vec![], &[]);
    check(&plain, ends("10.0.0.1:50000", "8.8.8.8:443"), false);
    // An interface that came up after the list was read.
    check(&plain, ends("8.8.8.8:50000", "8.8.8.8:443"), true);
    check(&plain, ends("127.0.0.1:50000", "127.0.0.1:443"), true);
    let trusting = guard(vec![trust("name.example", Some("127.0.0.1/32"), None)], &[]);
    check(&trusting, ends("127.0.0.1:50000", "127.0.0.1:443"), false);
}

#[test]
fn a_refusal_tells_no_address() {
    let refusal = guard(vec![], &[]).vet("name.example", 443, &addresses(Source::Dns, &["10.1.2.3:443"])).unwrap_err();
    assert_eq!(refusal.code(), "destination_denied");
    assert_eq!(refusal.to_string(), "the destination leads to a forbidden place (private address)");
}

#[test]
fn the_addresses_of_this_host_are_refused_though_they_be_global() {
    // Whatever interfaces there are, each of their addresses is refused, for one reason or the other.
    let guard = guard(vec![], &[]);
    let mut seen = 0;
    for interface in nix::ifaddrs::getifaddrs().unwrap() {
        let Some(v4) = interface.address.and_then(|address| address.as_sockaddr_in().map(|v4| v4.ip())) else {
            continue;
        };
        let answers = Answers { source: Source::Dns, addresses: [SocketAddr::from((v4, 443))].into_iter().collect() };
        assert!(class(&guard, &answers).is_some(), "{v4}");
        seen += usize::from(v4 != Ipv4Addr::UNSPECIFIED);
    }
    assert!(seen >= 1, "this host has no address at all");
}

#[test]
fn a_global_address_of_this_host_is_its_own_in_every_spelling() {
    let own = || Some(vec!["8.8.8.8".parse().unwrap(), "2606:4700::1111".parse().unwrap()]);
    let config =
        |trusted| GuardConfig { trusted_upstreams: trusted, nat64_prefixes: vec!["64:ff9b::/96".parse().unwrap()] };
    let plain = Guard::on_a_host_with(config(vec![]), own);
    let check = |text: &str, want| assert_eq!(class(&plain, &addresses(Source::Dns, &[text])), want, "{text}");
    check("8.8.8.8:443", Some(RefusedClass::OwnInterface));
    check("[::ffff:8.8.8.8]:443", Some(RefusedClass::OwnInterface));
    check("[64:ff9b::808:808]:443", Some(RefusedClass::OwnInterface));
    check("[2606:4700::1111]:443", Some(RefusedClass::OwnInterface));
    check("8.8.4.4:443", None);
    check("[64:ff9b::808:404]:443", None);
    let trusting = Guard::on_a_host_with(config(vec![trust("name.example", Some("8.8.8.8/32"), Some(443))]), own);
    assert_eq!(class(&trusting, &addresses(Source::Dns, &["8.8.8.8:443"])), None);
    // A listener on every address is at the global one too.
    trusting.register_listener("0.0.0.0:443".parse().unwrap());
    assert_eq!(class(&trusting, &addresses(Source::Dns, &["8.8.8.8:443"])), Some(RefusedClass::OwnListener));
}

/// The rule once more, as plainly as it can be said: without the code that looks addresses up quickly.
fn model(guard: &Model, host: &str, port: u16, answers: &Answers) -> bool {
    answers.addresses.iter().all(|address| {
        let ip = address.ip().to_canonical();
        let own = guard.own.contains(&ip) || ip.is_loopback();
        let listened = guard.listeners.iter().any(|listener| {
            listener.port() == address.port()
                && (listener.ip() == ip || listener.ip().is_unspecified() && (own || ip.is_unspecified()))
        });
        let special = forbidden(ip).is_some() || guard.own.contains(&ip);
        let named = guard.trusted.iter().filter(|each| each.host == host && each.port.is_none_or(|only| only == port));
        let excepted = named.into_iter().any(|each| match each.net {
            Some(net) => net.contains(&ip),
            None => answers.source == Source::Literal || answers.source == Source::Fixed,
        });
        !listened && (!special || excepted)
    })
}

struct Model {
    own: Vec<IpAddr>,
    listeners: Vec<SocketAddr>,
    trusted: Vec<TrustedUpstream>,
}

proptest::proptest! {
    #[test]
    fn the_guard_and_the_plain_rule_agree(
        addresses in proptest::collection::vec((0..8_usize, 0..3_usize), 1..4),
        source in 0..5_usize,
        asked in (0..2_usize, 0..3_usize),
        trusted in proptest::collection::vec((0..2_usize, 0..6_usize, 0..4_usize), 0..3),
        listeners in proptest::collection::vec((0..5_usize, 0..3_usize), 0..3),
    ) {
        const IPS: [&str; 8] =
            ["8.8.8.8", "8.8.4.4", "127.0.0.1", "10.0.0.1", "::1", "::ffff:10.0.0.1", "2606:4700::1111", "0.0.0.0"];
        const NETS: [Option<&str>; 6] =
            [None, Some("10.0.0.0/8"), Some("127.0.0.1/32"), Some("0.0.0.0/0"), Some("::/0"), Some("8.8.8.8/32")];
        const PORTS: [u16; 3] = [80, 443, 8080];
        const HOSTS: [&str; 2] = ["name.example", "other.example"];
        const SOURCES: [Source; 5] =
            [Source::Literal, Source::Fixed, Source::Localhost, Source::HostsFile, Source::Dns];
        let own = || Some(vec!["8.8.4.4".parse().unwrap(), "127.0.0.1".parse().unwrap(), "::1".parse().unwrap()]);
        let ip = |at: usize| IPS[at].parse::<IpAddr>().unwrap();
        let trusted: Vec<_> =
            trusted.iter().map(|&(host, net, port)| trust(HOSTS[host], NETS[net], PORTS.get(port).copied())).collect();
        let bound = ["0.0.0.0", "::", "127.0.0.1", "10.0.0.1", "8.8.4.4"];
        let listeners: Vec<SocketAddr> =
            listeners.iter().map(|&(at, port)| SocketAddr::new(bound[at].parse().unwrap(), PORTS[port])).collect();
        let answers = Answers {
            source: SOURCES[source],
            addresses: addresses.iter().map(|&(at, port)| SocketAddr::new(ip(at), PORTS[port])).collect(),
        };
        let config = GuardConfig { trusted_upstreams: trusted.clone(), nat64_prefixes: vec![] };
        let guard = Guard::on_a_host_with(config, own);
        listeners.iter().for_each(|listener| guard.register_listener(*listener));
        let plain = Model { own: own().unwrap(), listeners, trusted };
        let (host, port) = (HOSTS[asked.0], PORTS[asked.1]);
        proptest::prop_assert_eq!(guard.vet(host, port, &answers).is_ok(), model(&plain, host, port, &answers));
    }
}
