//! What `exeat dev` prints: where everything is, and three lines to try.

use std::path::{Path, PathBuf};

use model::Mode;
use serde_json::{Value, json};

use crate::client::Key;
use crate::output::{BOLD, DIM};

/// What there is to tell.
#[derive(Debug, Clone)]
pub struct DevStarted {
    /// The API, without a slash at the end.
    pub api: String,
    /// The proxy, once there is one.
    pub proxy: Option<String>,
    /// The console with its key, once there is one.
    pub console: Option<String>,
    /// The owner key: yours.
    pub key: Key,
    /// The file with the header of the agent `demo`, for `curl -H @FILE`.
    pub demo_headers: PathBuf,
    /// The file with its header for the proxy, for `curl --proxy-header @FILE`.
    pub demo_proxy_headers: PathBuf,
    /// The mode it runs in.
    pub mode: Mode,
}

/// The one object of `--json`.
#[must_use]
pub fn to_json(dev: &DevStarted) -> Value {
    json!({
        "api": dev.api,
        "proxy": dev.proxy,
        "console": dev.console,
        "key": dev.key.expose(),
        "demo_headers": dev.demo_headers.display().to_string(),
        "demo_proxy_headers": dev.demo_proxy_headers.display().to_string(),
        "mode": dev.mode,
    })
}

/// The lines for a person.
///
/// Each `curl` line stands on its own, whole, so that it can be pasted into any shell; the key of
/// the demo agent stays in its file.
#[must_use]
pub fn to_text(dev: &DevStarted) -> String {
    let DevStarted { api, mode, .. } = dev;
    let mut lines = vec![format!(
        "{BOLD}exeat {}{BOLD:#} · dev server · data in memory, gone on exit · not for production",
        env!("CARGO_PKG_VERSION")
    )];
    let mut row = |name: &str, value: &str| lines.push(format!("  {DIM}{name:<9}{DIM:#} {value}"));
    if let Some(console) = &dev.console {
        row("console", console);
    }
    row("api", &format!("{api}/v1"));
    row("docs", &format!("{api}/docs"));
    row("openapi", &format!("{api}/openapi.json"));
    if let Some(proxy) = &dev.proxy {
        row("proxy", proxy);
    }
    let meaning = match mode {
        Mode::Enforce => "what is not allowed is blocked, and external.write asks a human",
        Mode::Shadow => "decisions are recorded and block nothing",
    };
    row("mode", &format!("{mode} · {meaning}"));
    row("key", "yours (owner) is found by the other exeat commands of this user");
    lines.push(String::new());
    lines.push("Try in a second terminal, as the agent `demo`:".to_owned());
    let write = curl(dev, "external.write");
    let step = |told: &str, line: &str| format!("  {DIM}# {told}{DIM:#}\n  {line}");
    lines.push(step("allowed: nothing leaves", &curl(dev, "internal.read")));
    lines.push(step("needs approval: the answer has an approval_id", &write));
    lines.push(step("say yes to it, as yourself", "exeat approvals approve APPROVAL_ID"));
    lines.push(step("the same again: allowed", &write));
    if let Some(proxy) = &dev.proxy {
        let through = format!("curl -sS -x {proxy} --proxy-header {}", quoted(&dev.demo_proxy_headers));
        lines.push(String::new());
        lines.push("Go out through the proxy, as the same agent:".to_owned());
        lines.push(step(
            "held for a human for 8 s, then refused with the reason",
            &format!("{through} http://hello.test/"),
        ));
        lines.push(step("let it pass from now on", "exeat policy allow hello.test --agent demo"));
        lines.push(step("the same again: allowed", &format!("{through} http://hello.test/")));
        lines.push(step("any program, for an hour", "eval \"$(exeat proxy env --agent demo --for 1h)\""));
    }
    lines.push(String::new());
    lines.push(format!("{DIM}Ctrl-C ends it.{DIM:#}"));
    lines.join("\n")
}

fn curl(dev: &DevStarted, action: &str) -> String {
    let body = json!({ "target_url": "http://hello.test/", "action": action });
    format!("curl -sS -H {} -d '{body}' {}/v1/egress/requests", quoted(&dev.demo_headers), dev.api)
}

/// `@FILE` for a shell; in quotes when the path needs them.
fn quoted(path: &Path) -> String {
    let text = format!("@{}", path.display());
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "@/._-+".contains(c));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started() -> DevStarted {
        DevStarted {
            api: "http://127.0.0.1:7070".to_owned(),
            proxy: Some("http://127.0.0.1:7071".to_owned()),
            console: None,
            key: Key::parse("exk_dev_secret").unwrap(),
            demo_headers: PathBuf::from("/run/user/1000/exeat/demo.headers"),
            demo_proxy_headers: PathBuf::from("/run/user/1000/exeat/demo.proxy-headers"),
            mode: Mode::Enforce,
        }
    }

    #[test]
    fn says_where_everything_is_and_what_to_try() {
        let text = anstream::adapter::strip_str(&to_text(&started())).to_string();
        insta::assert_snapshot!(text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }

    #[test]
    fn no_secret_is_printed_for_people() {
        assert!(!to_text(&started()).contains("secret"));
        assert_eq!(to_json(&started())["key"], "exk_dev_secret");
    }

    #[test]
    fn json_has_the_four_members_scripts_rely_on() {
        let object = to_json(&started());
        for name in ["api", "proxy", "console", "key"] {
            assert!(object.get(name).is_some(), "{name}");
        }
        assert!(object["console"].is_null());
    }

    #[test]
    fn a_path_with_blanks_or_quotes_survives_the_shell() {
        assert_eq!(quoted(Path::new("/run/x")), "@/run/x");
        assert_eq!(quoted(Path::new("/my dir/it's")), r"'@/my dir/it'\''s'");
    }
}
