//! The files a running `exeat dev` leaves: its address and owner key for the other commands, and
//! the demo agent's headers for the printed examples. Mode 0600 in a 0700 directory; gone on exit.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::client::{DevFile, Key};

/// The name of the demo agent's header file.
pub const DEMO_HEADERS: &str = "demo.headers";
/// The name of the file with its header for the proxy.
pub const DEMO_PROXY_HEADERS: &str = "demo.proxy-headers";

/// The files, removed when this is dropped.
#[derive(Debug)]
pub struct DevFiles {
    dir: PathBuf,
    pid: u32,
}

impl DevFiles {
    /// Writes them into the first of `dirs` (see [`crate::config::Places::dev_dirs`]) that takes them.
    ///
    /// A file of an earlier `dev` is replaced whole, so a reader sees the one or the other.
    ///
    /// # Errors
    /// What the last directory said, or [`io::ErrorKind::NotFound`] when there is none.
    pub fn write(dirs: &[PathBuf], dev: &DevFile, demo: &Key) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "neither XDG_RUNTIME_DIR nor HOME is set");
        for dir in dirs {
            match write_in(dir, dev, demo) {
                Ok(()) => return Ok(Self { dir: dir.clone(), pid: dev.pid }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The demo agent's header file.
    #[must_use]
    pub fn demo_headers(&self) -> PathBuf {
        self.dir.join(DEMO_HEADERS)
    }

    /// The demo agent's header for the proxy.
    #[must_use]
    pub fn demo_proxy_headers(&self) -> PathBuf {
        self.dir.join(DEMO_PROXY_HEADERS)
    }
}

impl Drop for DevFiles {
    // Two unlinks; nothing is waited for. A later `dev` may have replaced them: then they are its own.
    fn drop(&mut self) {
        let own = matches!(DevFile::read(&self.dir), Ok(Some(note)) if note.pid == self.pid);
        if own {
            for name in [DevFile::NAME, DEMO_HEADERS, DEMO_PROXY_HEADERS] {
                std::fs::remove_file(self.dir.join(name)).ok();
            }
        }
    }
}

fn write_in(dir: &Path, dev: &DevFile, demo: &Key) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    replace(dir, DEMO_HEADERS, &format!("authorization: Bearer {}\ncontent-type: application/json\n", demo.expose()))?;
    replace(dir, DEMO_PROXY_HEADERS, &format!("proxy-authorization: Bearer {}\n", demo.expose()))?;
    replace(dir, DevFile::NAME, &serde_json::to_string(dev)?)
}

fn replace(dir: &Path, name: &str, text: &str) -> io::Result<()> {
    let mut file = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o600)).tempfile_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.persist(dir.join(name))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(pid: u32) -> DevFile {
        DevFile {
            url: "http://127.0.0.1:1".to_owned(),
            key: Key::parse("exk_owner").unwrap(),
            workspace_id: "ws_dev".to_owned(),
            proxy: None,
            pid,
        }
    }

    #[test]
    fn both_are_private_and_gone_afterwards() {
        let base = tempfile::tempdir().unwrap();
        let dir = base.path().join("exeat");
        let files = DevFiles::write(std::slice::from_ref(&dir), &note(1), &Key::parse("exk_demo").unwrap()).unwrap();
        for path in [dir.join(DevFile::NAME), files.demo_headers(), files.demo_proxy_headers()] {
            assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(
            std::fs::read_to_string(files.demo_headers()).unwrap(),
            "authorization: Bearer exk_demo\ncontent-type: application/json\n"
        );
        assert_eq!(DevFile::read(&dir).unwrap().unwrap().key.expose(), "exk_owner");
        drop(files);
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
    }

    #[test]
    fn the_files_of_a_later_dev_stay() {
        let base = tempfile::tempdir().unwrap();
        let dirs = [base.path().to_owned()];
        let demo = Key::parse("d").unwrap();
        let first = DevFiles::write(&dirs, &note(1), &demo).unwrap();
        let second = DevFiles::write(&dirs, &note(2), &demo).unwrap();
        drop(first);
        assert!(second.demo_headers().exists());
    }

    #[test]
    fn takes_the_next_directory_and_says_when_there_is_none() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("file");
        std::fs::write(&file, "").unwrap();
        let demo = Key::parse("d").unwrap();
        let files = DevFiles::write(&[file.join("under"), base.path().join("ok")], &note(1), &demo).unwrap();
        assert!(files.demo_headers().starts_with(base.path().join("ok")));
        assert!(DevFiles::write(&[], &note(1), &demo).is_err());
    }
}
