//! What of this machine a command's view is made from: where it begins, where home is, what is exeat's own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::config::{Environment, Key, Layers, Places};

/// The machine, as far as it matters. Every path is absolute and without links.
#[derive(Debug, Clone, Default)]
pub(super) struct Machine {
    /// Where the command was asked for.
    pub(super) here: PathBuf,
    /// The caller's home.
    pub(super) home: Option<PathBuf>,
    /// What the kernel knows the caller as.
    pub(super) uid: u32,
    /// The same of its group.
    pub(super) gid: u32,
    /// Everything that is exeat's own: its program, its store, its settings, its keys.
    pub(super) own: Vec<PathBuf>,
    /// The folders where programs are looked for, in order.
    pub(super) path: Vec<PathBuf>,
}

impl Machine {
    /// This one. What is not there is left out.
    pub(super) fn of_process(
        environment: &Environment,
        layers: &Layers,
        named: Option<&Path>,
    ) -> std::io::Result<Self> {
        let home = environment.absolute_path("HOME").and_then(|home| home.canonicalize().ok());
        let path = environment.raw("PATH").map_or_else(|| OsString::from(USUAL_PATH), ToOwned::to_owned);
        Ok(Self {
            here: std::env::current_dir()?.canonicalize()?,
            home,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            own: own(environment, layers, named),
            path: folders(&path),
        })
    }
}

/// Where programs are when nobody says.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The folders of a `PATH` that are there, without links, each once.
fn folders(path: &std::ffi::OsStr) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = Vec::new();
    for folder in std::env::split_paths(path).filter(|folder| folder.is_absolute()) {
        if let Ok(folder) = folder.canonicalize()
            && folder.is_dir()
            && !all.contains(&folder)
        {
            all.push(folder);
        }
    }
    all
}

/// Everything of exeat's that is there.
fn own(environment: &Environment, layers: &Layers, named: Option<&Path>) -> Vec<PathBuf> {
    let places = Places::from_environment(environment);
    let mut all: Vec<PathBuf> = Vec::new();
    all.extend(std::env::current_exe().ok());
    all.extend(named.map(Path::to_owned));
    all.extend(environment.absolute_path("EXEAT_CONFIG"));
    all.extend(places.user_config().and_then(|file| file.parent().map(Path::to_owned)));
    all.extend(places.data_dir());
    all.extend(places.dev_dirs());
    all.push(PathBuf::from("/etc/exeat"));
    let files =
        [Key::DataDir, Key::HmacKeyFile, Key::ClientKeyFile, Key::ProxyTlsKey, Key::ProxyUnix, Key::PoliciesDir];
    all.extend(files.into_iter().filter_map(|key| layers.required(key).ok()).map(|found| PathBuf::from(found.text)));
    if let Some(file) = layers.required(Key::DatabaseUrl).ok().as_ref().and_then(|url| url.text.strip_prefix("sqlite:"))
    {
        let file = file.strip_prefix("//").unwrap_or(file);
        all.extend(["", "-wal", "-shm"].map(|end| PathBuf::from(format!("{file}{end}"))));
    }
    let mut found: Vec<PathBuf> = all.into_iter().filter_map(|path| path.canonicalize().ok()).collect();
    found.sort();
    found.dedup();
    found
}
