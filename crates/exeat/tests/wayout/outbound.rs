//! What the service connects to by itself: nothing that was not declared. Seen by `strace`, call by call, so that what
//! never left the machine counts too.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::attacks::{Carrier, SENDING, Told, ask};
use crate::bed::{ANYWHERE, Bed};
use crate::dns::Answer;
use crate::network::inside;

/// Where calls went to: addresses of the Internet families, and paths of unix sockets.
#[derive(Debug, Default)]
struct Calls {
    addresses: BTreeSet<SocketAddr>,
    paths: BTreeSet<String>,
}

fn between<'a>(line: &'a str, start: &str, end: &str) -> Option<&'a str> {
    line.split_once(start)?.1.split_once(end).map(|(between, _)| between)
}

impl Calls {
    fn read(log: &Path) -> Self {
        let mut calls = Self::default();
        let text = std::fs::read_to_string(log).unwrap();
        // Threads that answer for a confined process connect its sockets, in its network or to its own doors: what
        // becomes of those is asked for by the proxy, whose connections count here.
        for line in text.lines().filter(|line| !line.split(' ').next().is_some_and(|who| who.contains("<guard"))) {
            let port = || between(line, "port=htons(", ")").unwrap().parse::<u16>().unwrap();
            if line.contains("sa_family=AF_INET,") {
                let address = between(line, "inet_addr(\"", "\"").unwrap().parse().unwrap();
                calls.addresses.insert(SocketAddr::new(address, port()));
            } else if line.contains("sa_family=AF_INET6,") {
                let address = between(line, "inet_pton(AF_INET6, \"", "\"").unwrap().parse().unwrap();
                calls.addresses.insert(SocketAddr::new(address, port()));
            } else if let Some(path) = between(line, "sun_path=", "}") {
                calls.paths.insert(path.to_owned());
            }
        }
        calls
    }
}

#[test]
fn the_service_connects_only_to_declared_places() {
    inside(module_path!(), "the_service_connects_only_to_declared_places", || {
        let found = Command::new("strace").arg("--version").output();
        assert!(found.is_ok_and(|output| output.status.success()), "the test needs `strace` (package strace)");
        let dir = tempfile::tempdir().unwrap();
        // Programs that it starts are left out: whoever tries the guard out has a network of its own to try in.
        let (log, wrapper) = (dir.path().join("calls"), dir.path().join("exeat"));
        let script = format!(
            "#!/bin/sh\nexec strace -D -A -f -Y -b execve -qq -s 256 -e trace=connect,sendto,sendmsg,sendmmsg -o {} {} \"$@\"\n",
            log.display(),
            env!("CARGO_BIN_EXE_exeat"),
        );
        std::fs::write(&wrapper, script).unwrap();
        std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();
        let bed =
            Bed::make_of(wrapper, ANYWHERE, |setup| setup.env("EXEAT_TRUSTED_UPSTREAMS", "inner.test=10.0.0.1:80"));
        let names = &bed.world.names;
        names.say("good.test", vec![Answer::of(&["45.79.7.1", "2600:3c00::7:1"])]);
        names.say("bad.test", vec![Answer::of(&["45.79.7.2", "127.0.0.1"])]);
        names.say("rebinding.test", vec![Answer::of(&["45.79.7.3"]).ttl(0), Answer::of(&["169.254.169.254"]).ttl(0)]);
        names.say("inner.test", vec![Answer::of(&["10.0.0.1"])]);
        for carrier in SENDING {
            assert!(matches!(ask(&bed, carrier, "good.test", "good.test"), Told::Arrived(_)), "{carrier:?}");
            for host in ["bad.test", "127.0.0.1", "10.0.0.2", "[::1]", "[fd00::1]", "0x7f000001", "nowhere.test"] {
                assert!(matches!(ask(&bed, carrier, host, "a.test"), Told::Refused { .. }), "{host} by {carrier:?}");
            }
            for _ in 0..3 {
                let _told = ask(&bed, carrier, "rebinding.test", "rebinding.test");
            }
        }
        // The control: what is excepted is connected to, and seen.
        assert!(matches!(ask(&bed, Carrier::Plain, "inner.test", "inner.test"), Told::Arrived(_)));
        bed.publish("[[ask]]\nid = \"a\"\nhost = \"*\"\n");
        assert!(matches!(ask(&bed, Carrier::Plain, "good.test", "good.test"), Told::Refused { .. }));
        // Everything else that a server does: runs, keys, approvals, policies, reading the log.
        let mut owner = bed.owner();
        let input = json!({"runtime": {"egress": {"target_url": "https://never-looked-up.test/"}}});
        owner.post("/v1/runs", &json!({"input": input})).unwrap().expect(201).unwrap();
        owner.post("/v1/approvals", &json!({"action": "external.write"})).unwrap().expect(201).unwrap();
        bed.setup.run_json(&["events", "verify", "--json"]).unwrap();
        let (near, api, name_server) = (bed.way.proxy, bed.server.address(), bed.world.name_server());
        bed.server.sigterm().unwrap();

        let calls = Calls::read(&log);
        println!("connected to {calls:?}");
        let declared = [
            name_server,
            "45.79.7.1:80".parse().unwrap(),
            "45.79.7.1:443".parse().unwrap(),
            "[2600:3c00::7:1]:80".parse().unwrap(),
            "[2600:3c00::7:1]:443".parse().unwrap(),
            "45.79.7.3:80".parse().unwrap(),
            "45.79.7.3:443".parse().unwrap(),
            "10.0.0.1:80".parse().unwrap(),
        ];
        // The guard's self-test answers queries of its own jail there, which no machine outside has.
        let own = |to: &SocketAddr| matches!(to.ip(), std::net::IpAddr::V4(v4) if v4.octets()[..3] == [192, 0, 2]);
        let undeclared: Vec<_> = calls.addresses.iter().filter(|to| !declared.contains(to) && !own(to)).collect();
        assert!(undeclared.is_empty(), "connected to {undeclared:?}");
        for seen in [name_server, declared[7], "45.79.7.3:80".parse().unwrap()] {
            assert!(calls.addresses.contains(&seen), "the control: {seen} is seen in {calls:?}");
        }
        assert!(calls.paths.is_empty(), "no unix socket, so no helper program: {:?}", calls.paths);
        assert!(!calls.addresses.contains(&near) && !calls.addresses.contains(&api));
        assert!(!names.questions().iter().any(|(name, _)| name == "never-looked-up.test"));
    });
}
