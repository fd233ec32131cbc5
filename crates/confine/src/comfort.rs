//! What makes programs find their way without being told: variables that name the gate's proxy, and the few files
//! by which names are looked up.
//!
//! Nothing here holds anything back. Who ignores the variables is captured; who changes the files asks our
//! nameserver all the same.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use guard::plan::{Command, NAMESERVER, PROXY_PORT, Plan};
use guard::rung::Rung;

/// What is not asked by the proxy: the call's own loopback, and nothing else.
const OWN: &str = "localhost,127.0.0.1,::1";
/// Where programs keep the certificates they trust.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Variables by which they can be told of others.
const BUNDLE_VARIABLES: [&str; 10] = [
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "CARGO_HTTP_CAINFO",
    "PIP_CERT",
    "AWS_CA_BUNDLE",
    "DENO_CERT",
    "NIX_SSL_CERT_FILE",
];

/// Adds the variables, over any of the same name.
pub(crate) fn environment(command: &mut Command, rung: Rung, certificates: bool) {
    let proxy = format!("http://{NAMESERVER}:{PROXY_PORT}");
    let mut set = |name: &str, value: &str| {
        command.env.retain(|(known, _)| known != name.as_bytes());
        command.env.push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
    };
    for name in ["http_proxy", "https_proxy", "all_proxy", "npm_config_proxy", "npm_config_https_proxy"] {
        set(name, &proxy);
    }
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        set(name, &proxy);
    }
    for name in ["no_proxy", "NO_PROXY"] {
        set(name, OWN);
    }
    set("NODE_USE_ENV_PROXY", "1");
    if rung == Rung::B {
        // Datagrams reach nothing there; the C library's resolver can ask by TCP.
        set("RES_OPTIONS", "use-vc");
        set(
            "JAVA_TOOL_OPTIONS",
            &format!(
                "-Dhttp.proxyHost={NAMESERVER} -Dhttp.proxyPort={PROXY_PORT} \
                 -Dhttps.proxyHost={NAMESERVER} -Dhttps.proxyPort={PROXY_PORT}"
            ),
        );
    }
    if certificates && let Some(bundle) = BUNDLES.iter().find(|path| Path::new(path).exists()) {
        for name in BUNDLE_VARIABLES {
            set(name, bundle);
        }
    }
}

/// Adds the files: by whom names are resolved, which are known without, and the certificates that are trusted
/// where they are not the machine's.
pub(crate) fn files(plan: &mut Plan, certificates: Option<&[u8]>) {
    let host = &plan.host_name;
    let hosts = format!("127.0.0.1 localhost {host}\n::1 localhost ip6-localhost ip6-loopback\n");
    let mut files: Vec<(PathBuf, Vec<u8>)> = vec![
        ("/etc/resolv.conf".into(), format!("nameserver {NAMESERVER}\noptions ndots:1\n").into_bytes()),
        ("/etc/hosts".into(), hosts.into_bytes()),
        ("/etc/nsswitch.conf".into(), NAME_SERVICES.as_bytes().to_vec()),
    ];
    if let Some(certificates) = certificates {
        let there = BUNDLES.iter().filter(|path| Path::new(path).exists());
        files.extend(there.map(|path| (PathBuf::from(path), certificates.to_vec())));
    }
    files.retain(|(path, _)| !plan.view.files.iter().any(|(known, _)| known == path));
    plan.view.files.append(&mut files);
}

/// No service that would be a socket of the machine.
const NAME_SERVICES: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n\
                             protocols: files\nservices: files\nethers: files\nrpc: files\n";

/// The nameservers that the machine is set up with.
pub(crate) fn nameservers() -> Vec<IpAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let named = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    named.filter_map(|rest| rest.trim().parse().ok()).collect()
}
