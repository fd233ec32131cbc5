//! Two networks that are gone with the test: the test and the binary live in the near one, whatever lies beyond its
//! only link is the far one, which answers for every address there is.
//!
//! So "nothing arrived" is not about a list of addresses that somebody thought of: a packet to any address either
//! stays in the near network, where [`crate::watch`] sees it, or reaches the far one, where a listener does.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The near end of the link: the machine that exeat runs on, seen from outside.
pub const NEAR: Ipv4Addr = Ipv4Addr::new(93, 184, 100, 2);
pub const NEAR_V6: Ipv6Addr = Ipv6Addr::new(0x2606, 0x4700, 0x100, 0, 0, 0, 0, 2);
/// The router, which is also where names are looked up.
pub const FAR: Ipv4Addr = Ipv4Addr::new(93, 184, 100, 1);
const FAR_V6: Ipv6Addr = Ipv6Addr::new(0x2606, 0x4700, 0x100, 0, 0, 0, 0, 1);

const INSIDE: &str = "EXEAT_TEST_INSIDE";

/// Runs the test named `name` of the calling module again in a network of its own; there, runs `body`.
///
/// Takes the place of the body of a test: `inside(module_path!(), "name_of_the_test", || …)`.
pub fn inside(module: &str, name: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let path = module.split_once("::").map_or(name.to_owned(), |(_, module)| format!("{module}::{name}"));
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "--"]).arg(std::env::current_exe().unwrap());
    command.args([&path, "--exact", "--nocapture", "--include-ignored"]).env(INSIDE, "1");
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| {
        panic!("the test needs `unshare` (package util-linux) to make a network of its own: {error}")
    });
    let (said, talked) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    eprintln!("{talked}");
    assert!(
        !talked.contains("unshare:"),
        "the test needs a network of its own: it must run as root, or where user namespaces are allowed \
         (kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)"
    );
    assert!(output.status.success(), "inside a network of its own: {}", output.status);
    assert!(said.contains("1 passed"), "`{path}` names a test");
}

/// The far network.
pub struct Far {
    namespace: File,
}

impl Far {
    /// Makes it, and the link to it.
    pub fn make() -> Self {
        assert!(std::env::var_os(INSIDE).is_some(), "only in a network of the test's own");
        // Lives for as long as it takes to open its network.
        let mut holder = Command::new("unshare")
            .args(["--net", "--", "sh", "-c", "echo made; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "made\n");
        let pid = holder.id();
        let far = Self { namespace: File::open(format!("/proc/{pid}/ns/net")).unwrap() };
        ip("link set lo up");
        ip(&format!("link add near type veth peer name far netns {pid}"));
        ip(&format!("address add {NEAR}/24 dev near"));
        ip(&format!("address add {NEAR_V6}/64 dev near nodad"));
        ip("link set near up");
        far.within(|| {
            ip("link set lo up");
            ip(&format!("address add {FAR}/24 dev far"));
            ip(&format!("address add {FAR_V6}/64 dev far nodad"));
            ip("link set far up");
            // Every address is its own but those of the link, which are known more exactly.
            ip("route add local 0.0.0.0/0 dev lo table main");
            ip("-6 route add local ::/0 dev lo table main");
        });
        ip(&format!("route add default via {FAR}"));
        ip(&format!("-6 route add default via {FAR_V6}"));
        drop(holder.stdin.take());
        holder.wait().unwrap();
        far
    }

    /// Runs something in the far network: sockets made there stay there, processes started there too.
    pub fn within<T: Send>(&self, run: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                move_into_link_name_space(self.namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                run()
            });
            thread.join().unwrap()
        })
    }
}

/// Runs `ip` in the network of the calling thread.
fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    let output = output.unwrap_or_else(|error| panic!("the test needs `ip` (package iproute2): {error}"));
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}
