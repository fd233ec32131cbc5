//! The folder that a run's processes may write to: one of its own, kept for a while after the run has ended.
//!
//! ```text
//! <work dir>/<run id>/work       what the tools see, and may change
//! <work dir>/<run id>/workspace  whose run it is; no tool sees it
//! ```
//! What a tool left behind is never followed: links in it may lead anywhere.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use model::{RunId, WorkspaceId};
use store::Store;

use super::Processes;

/// LIMIT: how deep a folder is opened up that cannot be removed as it is.
const DEPTH_MAX: usize = 256;

/// The folder of a run, made when it is not there. Its path has no links.
pub(super) fn of(root: &Path, workspace: &WorkspaceId, run: &RunId) -> io::Result<PathBuf> {
    private(root)?;
    let own = root.canonicalize()?.join(run.as_str());
    private(&own)?;
    let note = own.join("workspace");
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&note) {
        Ok(mut file) => file.write_all(workspace.as_str().as_bytes())?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let work = own.join("work");
    private(&work)?;
    Ok(work)
}

/// A folder that nobody else reads.
fn private(path: &Path) -> io::Result<()> {
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Ok(()) if fs::symlink_metadata(path)?.is_dir() => Ok(()),
        Ok(()) => Err(ErrorKind::NotADirectory.into()),
        Err(error) => Err(error),
    }
}

impl Processes {
    /// Removes the folders of runs that ended long enough ago. What cannot be removed stays until the next
    /// time.
    pub async fn sweep(&self, store: &Store) {
        let config = self.config();
        let Ok(entries) = fs::read_dir(&config.work_dir) else { return };
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            let Some(run) = entry.file_name().to_str().and_then(|name| RunId::parse(name).ok()) else { continue };
            if is_over(store, &path, &run, config.kept_for).await
                && let Ok(Err(error)) = tokio::task::spawn_blocking(move || remove(&path)).await
            {
                tracing::warn!(run_id = %run, %error, "the folder of a run that has ended cannot be removed");
            }
        }
    }
}

/// Whether a run has ended, and long enough ago. One that nobody knows is over once its folder is old.
async fn is_over(store: &Store, folder: &Path, run: &RunId, kept_for: Duration) -> bool {
    let workspace = fs::read_to_string(folder.join("workspace")).ok().and_then(|text| WorkspaceId::parse(&text).ok());
    let row = match &workspace {
        Some(workspace) => match store.run(workspace, run).await {
            Ok(row) => row,
            Err(_) => return false,
        },
        None => None,
    };
    match row {
        Some(row) => {
            let ended = row.ended_at.filter(|_| row.status.is_ended());
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            ended.is_some_and(|at| {
                let at = Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or(0));
                now.saturating_sub(at) >= kept_for
            })
        }
        None => {
            let touched = fs::symlink_metadata(folder).and_then(|found| found.modified());
            touched.is_ok_and(|at| at.elapsed().unwrap_or_default() >= kept_for.max(Duration::from_secs(3_600)))
        }
    }
}

/// Removes a folder and all in it, also what was locked by taking its own permissions away.
fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            open_up(folder, 0);
            fs::remove_dir_all(folder)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// Gives folders back to their owner. Nothing of the run is alive any more, so what is looked at stays what it is.
fn open_up(folder: &Path, depth: usize) {
    let is_folder = fs::symlink_metadata(folder).is_ok_and(|found| found.is_dir());
    if !is_folder || depth > DEPTH_MAX {
        return;
    }
    let _ = fs::set_permissions(folder, Permissions::from_mode(0o700));
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        open_up(&entry.path(), depth + 1);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_run_has_one_folder_that_nobody_else_reads() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("a/b");
        let (workspace, run) = (WorkspaceId::parse("ws_test").unwrap(), RunId::new());
        let folder = of(&root, &workspace, &run).unwrap();
        assert_eq!(of(&root, &workspace, &run).unwrap(), folder);
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(folder, folder.canonicalize().unwrap());
        // A link in its place is none.
        let other = RunId::new();
        symlink(temp.path(), root.join(other.as_str())).unwrap();
        assert!(of(&root, &workspace, &other).is_err());
    }

    #[test]
    fn what_was_locked_is_removed_and_nothing_else() {
        let temp = tempfile::tempdir().unwrap();
        let (outside, folder) = (temp.path().join("outside"), temp.path().join("run"));
        fs::create_dir_all(folder.join("x/y")).unwrap();
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("kept"), "x").unwrap();
        symlink(&outside, folder.join("x/link")).unwrap();
        fs::set_permissions(folder.join("x"), Permissions::from_mode(0o000)).unwrap();
        remove(&folder).unwrap();
        assert!(!folder.exists() && outside.join("kept").exists());
        remove(&folder).unwrap();
    }
}
