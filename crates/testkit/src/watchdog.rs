//! Cleaning up after a test process that was killed: `Drop` does not run then, and statics are never dropped.

use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use std::os::unix::process::CommandExt;

use anyhow::{Context, Result};

/// A small shell in a process group of its own that waits on a pipe.
///
/// The pipe closes when this value is dropped and when the process ends in any way, SIGKILL included. Then the shell
/// ends the process named in the pid file, waits for it and removes the directory.
#[derive(Debug)]
pub(crate) struct Watchdog {
    pipe: Option<ChildStdin>,
    shell: Child,
}

/// `$1`: directory to remove. `$2`: file whose first line is the pid to end.
///
/// A pid file may be stale and its number another process by now: only one that was started
/// on the directory, by its arguments or environment, is ended.
/// SIGQUIT makes PostgreSQL stop at once with all its children; SIGKILL follows after 5 s.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
read -r _
pid=
[ -r "$2" ] && read -r pid <"$2"
if [ -n "$pid" ] && [ -r "/proc/$pid/cmdline" ]; then
  case "$(cat "/proc/$pid/cmdline" "/proc/$pid/environ" | tr '\0' ' ')" in *"$1"*) ;; *) pid= ;; esac
fi
if [ -n "$pid" ]; then
  kill -QUIT "$pid" 2>/dev/null
  n=0
  while kill -0 "$pid" 2>/dev/null && [ "$n" -lt 100 ]; do sleep 0.05; n=$((n + 1)); done
  kill -KILL "$pid" 2>/dev/null
fi
rm -rf -- "$1"
"#;

impl Watchdog {
    pub(crate) fn start(dir: &Path, pid_file: &Path) -> Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "exeat-testkit-watchdog"])
            .args([dir, pid_file])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("starting the watchdog shell /bin/sh")?;
        Ok(Self { pipe: shell.stdin.take(), shell })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.pipe.take());
        // The shell ends by itself within seconds; its status has nothing to say.
        let _status = self.shell.wait();
    }
}
