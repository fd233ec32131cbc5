use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use futures::FutureExt;

use super::test_server::{NameServer, Say};
use super::*;

fn resolver(server: &NameServer) -> Resolver {
    Resolver::new(ResolverConfig { timeout: Duration::from_secs(2), ..ResolverConfig::at(vec![server.address]) })
}

async fn ips(resolver: &Resolver, name: &str) -> Result<Vec<String>, ResolveError> {
    let answers = resolver.lookup(name, 443).await?;
    assert!(answers.addresses.iter().all(|address| address.port() == 443));
    let mut ips: Vec<String> = answers.addresses.iter().map(|address| address.ip().to_string()).collect();
    ips.sort();
    Ok(ips)
}

fn owned(texts: &[&str]) -> Result<Vec<String>, ResolveError> {
    Ok(texts.iter().map(|text| (*text).to_owned()).collect())
}

#[tokio::test]
async fn both_families_are_answered_and_asked_once() {
    let server = NameServer::start(|_| Say::addresses(60, &["192.0.2.1", "192.0.2.2", "2001:db8::1"])).await;
    let resolver = resolver(&server);
    let want = owned(&["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
    assert_eq!(ips(&resolver, "a.test").await, want);
    assert_eq!(ips(&resolver, "a.test").await, want);
    assert_eq!(server.count("a.test"), 2, "one query per family, the second lookup from the cache");
    assert_eq!(server.count_all(), 2, "nothing but the name itself is asked for");
}

#[tokio::test]
async fn what_needs_no_name_server_asks_none() {
    let server = NameServer::start(|_| Say::addresses(60, &["192.0.2.1"])).await;
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    std::fs::write(&hosts, "10.9.9.9 in-file.test hello.test\n").unwrap();
    let fixed = FixedHost { name: "hello.test".into(), port: 80, address: ([127, 0, 0, 1], 8123).into() };
    let resolver = Resolver::new(ResolverConfig {
        hosts_file: HostsFile::At(hosts),
        fixed: vec![fixed],
        ..ResolverConfig::at(vec![server.address])
    });
    let check = async |host: &str, port, want: Result<(Source, &str), ResolveError>| {
        let got = resolver.lookup(host, port).await.map(|answers| (answers.source, answers.addresses[0].to_string()));
        assert_eq!(got, want.map(|(source, text)| (source, text.to_owned())), "{host}");
    };
    check("192.0.2.7", 1, Ok((Source::Literal, "192.0.2.7:1"))).await;
    check("2001:db8::7", 1, Ok((Source::Literal, "[2001:db8::7]:1"))).await;
    check("localhost", 1, Ok((Source::Localhost, "127.0.0.1:1"))).await;
    check("x.localhost", 1, Ok((Source::Localhost, "127.0.0.1:1"))).await;
    check("in-file.test", 1, Ok((Source::HostsFile, "10.9.9.9:1"))).await;
    // A fixed entry comes before the hosts file, and carries its own port.
    check("hello.test", 80, Ok((Source::Fixed, "127.0.0.1:8123"))).await;
    check("hello.test", 443, Err(ResolveError::NotFound)).await;
    assert_eq!(server.count_all(), 0);
    // The control: another name is asked for.
    check("other.test", 1, Ok((Source::Dns, "192.0.2.1:1"))).await;
    assert_eq!(server.count_all(), 2);
}

#[tokio::test]
async fn an_answer_that_says_zero_is_not_kept() {
    let server = NameServer::start(|asked| match asked.before {
        0 => Say::addresses(0, &["192.0.2.1"]),
        _ => Say::addresses(0, &["192.0.2.2"]),
    })
    .await;
    let resolver = resolver(&server);
    assert_eq!(ips(&resolver, "rebinding.test").await, owned(&["192.0.2.1"]));
    assert_eq!(server.count("rebinding.test"), 2);
    assert_eq!(ips(&resolver, "rebinding.test").await, owned(&["192.0.2.2"]));
}

#[tokio::test]
async fn lookups_at_once_share_one_question() {
    let server = NameServer::start(|_| Say::addresses(0, &["192.0.2.1"])).await;
    let resolver = resolver(&server);
    let all = (0..50).map(|_| {
        let resolver = resolver.clone();
        async move { ips(&resolver, "busy.test").await }
    });
    for found in futures::future::join_all(all).await {
        assert_eq!(found, owned(&["192.0.2.1"]));
    }
    assert_eq!(server.count("busy.test"), 2);
}

#[tokio::test]
async fn a_lookup_goes_on_when_the_first_asker_leaves() {
    let server = NameServer::start(|_| Say::addresses(60, &["192.0.2.1"])).await;
    let resolver = resolver(&server);
    assert!(resolver.lookup("left.test", 443).now_or_never().is_none());
    assert_eq!(ips(&resolver, "left.test").await, owned(&["192.0.2.1"]));
    assert_eq!(server.count("left.test"), 2);
}

#[tokio::test]
async fn aliases_are_followed_so_far() {
    let chain = |length: usize| -> Vec<(String, String)> {
        let name = |n: usize| if n == 0 { "start.test".to_owned() } else { format!("a{n}.test") };
        (0..length).map(|n| (name(n), name(n + 1))).collect()
    };
    let check = async |length: usize, want: Result<Vec<String>, ResolveError>| {
        let aliases = chain(length);
        let server = NameServer::start(move |_| Say::Records {
            ttl: 60,
            aliases: aliases.clone(),
            addresses: vec![Ipv4Addr::new(192, 0, 2, 1).into()],
        })
        .await;
        assert_eq!(ips(&resolver(&server), "start.test").await, want, "{length} aliases");
    };
    check(1, owned(&["192.0.2.1"])).await;
    check(ALIASES_MAX, owned(&["192.0.2.1"])).await;
    check(ALIASES_MAX + 1, Err(ResolveError::TooManyAliases)).await;
}

#[tokio::test]
async fn a_circle_of_aliases_ends() {
    let server = NameServer::start(|asked| {
        let other = if asked.name == "one.test" { "two.test" } else { "one.test" };
        Say::Records { ttl: 60, aliases: vec![(asked.name.clone(), other.into())], addresses: vec![] }
    })
    .await;
    assert!(ips(&resolver(&server), "one.test").await.is_err());
    assert!(server.count_all() <= 40, "{} queries", server.count_all());
}

#[tokio::test]
async fn a_long_answer_comes_over_tcp_and_has_a_bound() {
    let check = async |count: u32, want: Result<usize, ResolveError>| {
        let server = NameServer::start(move |asked| match (asked.tcp, asked.v6) {
            (false, false) => Say::Truncated,
            (true, false) => {
                let addresses = (0..count).map(|n| Ipv4Addr::from(0x0100_0000 + n).into()).collect();
                Say::Records { ttl: 60, aliases: vec![], addresses }
            }
            (_, true) => Say::addresses(60, &[]),
        })
        .await;
        assert_eq!(ips(&resolver(&server), "long.test").await.map(|ips| ips.len()), want, "{count}");
    };
    check(1000, Ok(1000)).await;
    check(1024, Ok(1024)).await;
    check(1025, Err(ResolveError::TooManyAddresses)).await;
}

#[tokio::test]
async fn faults_are_told_apart() {
    let server = NameServer::start(|asked| match asked.name.as_str() {
        "gone.test" => Say::NoSuchName { ttl: 60 },
        "empty.test" => Say::addresses(60, &[]),
        "broken.test" => Say::Failure,
        "half.test" if asked.v6 => Say::Failure,
        "no-v6.test" if asked.v6 => Say::Nothing,
        "half.test" | "no-v6.test" => Say::addresses(60, &["192.0.2.1"]),
        _ => Say::Nothing,
    })
    .await;
    let resolver = resolver(&server);
    assert_eq!(ips(&resolver, "gone.test").await, Err(ResolveError::NotFound));
    assert_eq!(ips(&resolver, "empty.test").await, Err(ResolveError::NotFound));
    assert_eq!(ips(&resolver, "broken.test").await, Err(ResolveError::ServerFailure));
    assert_eq!(ips(&resolver, "half.test").await, owned(&["192.0.2.1"]));
    let begun = Instant::now();
    assert_eq!(ips(&resolver, "no-v6.test").await, owned(&["192.0.2.1"]));
    assert!(begun.elapsed() < Duration::from_millis(1800), "{:?}", begun.elapsed());
    let begun = Instant::now();
    assert_eq!(ips(&resolver, "silent.test").await, Err(ResolveError::Timeout));
    assert!(begun.elapsed() < Duration::from_millis(2500), "{:?}", begun.elapsed());
    // What does not exist is remembered for a while, what failed is not.
    let before = (server.count("gone.test"), server.count("broken.test"));
    assert_eq!(ips(&resolver, "gone.test").await, Err(ResolveError::NotFound));
    assert_eq!(ips(&resolver, "broken.test").await, Err(ResolveError::ServerFailure));
    assert_eq!(server.count("gone.test"), before.0);
    assert!(server.count("broken.test") > before.1);
}

#[tokio::test]
async fn a_name_that_dns_cannot_carry_is_not_found() {
    let server = NameServer::start(|_| Say::addresses(60, &["192.0.2.1"])).await;
    let long = format!("{}.test", "a".repeat(64));
    assert_eq!(ips(&resolver(&server), &long).await, Err(ResolveError::NotFound));
    assert_eq!(ips(&resolver(&server), &format!("{}.test", "a".repeat(63))).await, owned(&["192.0.2.1"]));
}
