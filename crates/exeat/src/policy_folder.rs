//! The folder that a workspace's policies come from: read by content once a second, so that files
//! swapped by symlink (as mounted configuration is) count as well as edited ones.
//!
//! What cannot be published leaves the set before in force, and is said once for each change.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::Path;
use std::time::Duration;

use gate::policies::{BYTES_MAX, FILES_MAX};
use gate::{Gate, GateError};
use rules::Source;
use tokio_util::sync::CancellationToken;

use crate::config::PoliciesConfig;

/// How often it looks.
const PAUSE: Duration = Duration::from_secs(1);

/// Publishes a folder whenever what lies in it has changed.
pub(crate) struct PolicyFolder {
    gate: Gate,
    config: PoliciesConfig,
    /// What was seen last, once it has been dealt with.
    seen: Option<u64>,
}

impl PolicyFolder {
    pub(crate) fn new(gate: Gate, config: PoliciesConfig) -> Self {
        Self { gate, config, seen: None }
    }

    /// Looks again and again until `stop`.
    pub(crate) async fn watch(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => self.look().await,
            }
        }
    }

    /// Looks once, and publishes what is new.
    pub(crate) async fn look(&mut self) {
        let dir = self.config.dir.clone();
        let read = tokio::task::spawn_blocking(move || read(&dir)).await;
        let found = read.unwrap_or_else(|error| Err(error.to_string()));
        let fingerprint = fingerprint(&found);
        if self.seen == Some(fingerprint) {
            return;
        }
        let (workspace, dir) = (&self.config.workspace_id, self.config.dir.display());
        match found {
            Ok(files) => match self.gate.publish_folder(workspace, files).await {
                Ok(set) => {
                    let (version, rules) = (set.version, set.rules);
                    tracing::info!(%dir, %workspace, version, rules, unchanged = set.unchanged, "the folder's policies hold");
                }
                // Perhaps the next look gets through.
                Err(error @ (GateError::Unavailable(_) | GateError::Failed(_))) => {
                    tracing::error!(%dir, %workspace, %error, "the folder's policies cannot be published now");
                    return;
                }
                Err(error) => {
                    tracing::error!(%dir, %workspace, %error, "the folder's policies are not good: the set before still holds");
                }
            },
            Err(why) => {
                self.gate.folder_is_unreadable(workspace, &why);
                tracing::error!(%dir, %workspace, why, "the folder of policies cannot be read: the set before still holds");
            }
        }
        self.seen = Some(fingerprint);
    }
}

fn fingerprint(found: &Result<Vec<Source>, String>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match found {
        Ok(files) => files.iter().for_each(|file| (&file.name, &file.text).hash(&mut hasher)),
        Err(why) => why.hash(&mut hasher),
    }
    found.is_ok().hash(&mut hasher);
    hasher.finish()
}

/// The policy files of a folder, by name. Others, hidden ones and folders in it are left out.
fn read(dir: &Path) -> Result<Vec<Source>, String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .map_err(|error| error.to_string())?
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()
        .map_err(|error| error.to_string())?;
    names.retain(|name| name.ends_with(".toml") && !name.starts_with('.'));
    names.sort();
    if names.len() > FILES_MAX {
        return Err(format!("there are more than {FILES_MAX} files"));
    }
    let (mut files, mut bytes) = (Vec::with_capacity(names.len()), 0);
    for name in names {
        let path = dir.join(&name);
        let about = |error: io::Error| format!("{name}: {error}");
        let length = fs::metadata(&path).map_err(about)?.len();
        bytes += usize::try_from(length).unwrap_or(usize::MAX).min(BYTES_MAX + 1);
        if bytes > BYTES_MAX {
            return Err(format!("the files have more than {} MiB", BYTES_MAX >> 20));
        }
        let text = fs::read(&path).map_err(about)?;
        let text = String::from_utf8(text).map_err(|error| {
            let (good, _) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
            format!("{name}: line {} is not UTF-8", good.iter().filter(|&&byte| byte == b'\n').count() + 1)
        })?;
        files.push(Source { name, text });
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_policy_files_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
        write("b.toml", b"# b\n");
        write("a.test.toml", b"# tests\n");
        write("notes.txt", b"\xff");
        write(".hidden.toml", b"\xff");
        let files = read(dir.path()).unwrap();
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["a.test.toml", "b.toml"]);
        let before = fingerprint(&read(dir.path()));
        write("b.toml", b"# c\n");
        assert_ne!(fingerprint(&read(dir.path())), before);
        write("b.toml", b"# b\n");
        assert_eq!(fingerprint(&read(dir.path())), before, "what counts is the content");
        write("c.toml", b"# c\n\xff\n");
        assert_eq!(read(dir.path()), Err("c.toml: line 2 is not UTF-8".to_owned()));
        write("c.toml", &vec![b'#'; BYTES_MAX + 1]);
        assert!(read(dir.path()).unwrap_err().contains("MiB"));
        assert!(read(&dir.path().join("no-such-folder")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn follows_files_that_are_swapped_by_symlink() {
        let dir = tempfile::tempdir().unwrap();
        for (version, text) in [("..one", "# one\n"), ("..two", "# two\n")] {
            fs::create_dir(dir.path().join(version)).unwrap();
            fs::write(dir.path().join(version).join("a.toml"), text).unwrap();
        }
        let point = |version: &str| {
            let _ = fs::remove_file(dir.path().join("..data"));
            std::os::unix::fs::symlink(version, dir.path().join("..data")).unwrap();
        };
        point("..one");
        std::os::unix::fs::symlink("..data/a.toml", dir.path().join("a.toml")).unwrap();
        assert_eq!(read(dir.path()).unwrap()[0].text, "# one\n");
        point("..two");
        assert_eq!(read(dir.path()).unwrap()[0].text, "# two\n");
    }
}
