//! Sites with content: files as they lie in a directory, and repositories of git through its own server program.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// What a name serves.
#[derive(Debug, Clone)]
pub enum Site {
    /// Files below a directory; a directory is its `index.html`.
    Files(PathBuf),
    /// Bare repositories below a directory.
    Git(PathBuf),
}

/// Which names serve what.
#[derive(Debug, Clone, Default)]
pub struct Sites(Arc<Mutex<HashMap<String, Site>>>);

/// What a site answers.
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Page {
    fn plain(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), "text/html".to_owned())], body }
    }
}

/// What a site is asked.
pub(super) struct Ask<'a> {
    pub(super) host: &'a str,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) content_type: &'a str,
    pub(super) encoding: &'a str,
    pub(super) body: Vec<u8>,
}

impl Sites {
    pub fn add(&self, host: &str, site: Site) {
        self.0.lock().unwrap().insert(host.to_owned(), site);
    }

    pub(super) fn has(&self, host: &str) -> bool {
        self.0.lock().unwrap().contains_key(host)
    }

    pub(super) async fn answer(&self, ask: Ask<'_>) -> Page {
        let site = self.0.lock().unwrap().get(ask.host).cloned();
        match site {
            Some(Site::Files(dir)) => file(&dir, ask.path),
            Some(Site::Git(dir)) => git(&dir, ask).await,
            None => Page::plain(404, Vec::new()),
        }
    }
}

fn file(dir: &Path, path: &str) -> Page {
    let path = dir.join(path.trim_start_matches('/'));
    let path = if path.is_dir() { path.join("index.html") } else { path };
    match std::fs::read(path) {
        Ok(body) => Page::plain(200, body),
        Err(_) => Page::plain(404, Vec::new()),
    }
}

/// `git http-backend` as a CGI program.
async fn git(dir: &Path, ask: Ask<'_>) -> Page {
    let mut command = Command::new("git");
    command.arg("http-backend").env("GIT_PROJECT_ROOT", dir).env("GIT_HTTP_EXPORT_ALL", "1");
    // The repository may belong to another user in the test's own user namespace.
    command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "safe.directory").env("GIT_CONFIG_VALUE_0", "*");
    command.env("PATH_INFO", ask.path).env("QUERY_STRING", ask.query).env("REQUEST_METHOD", ask.method);
    command.env("CONTENT_TYPE", ask.content_type).env("CONTENT_LENGTH", ask.body.len().to_string());
    command.env("HTTP_CONTENT_ENCODING", ask.encoding).env("GIT_HTTP_MAX_REQUEST_BUFFER", "100M");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    tokio::spawn(async move { stdin.write_all(&ask.body).await });
    let output = child.wait_with_output().await.unwrap().stdout;
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(0);
    let (head, body) = (String::from_utf8_lossy(&output[..end]), output[(end + 4).min(output.len())..].to_vec());
    let mut page = Page { status: 200, headers: Vec::new(), body };
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        match name {
            "Status" => page.status = value.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(500),
            _ => page.headers.push((name.to_owned(), value.to_owned())),
        }
    }
    page
}
