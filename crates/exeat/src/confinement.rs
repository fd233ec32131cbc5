//! Tools that are processes: the guard of a server or a worker, what such tools may use, and what they never see.

use std::path::{Path, PathBuf};

use confine::{ConfineConfig, Confiner};
use egress::proxy::Proxy;
use gate::Gate;
use runs::{ProcessConfig, Processes, Toolbox};

use crate::config::Config;
use crate::failure::Failure;

/// The processes of this program's runs, with `proxy` as their only way out. Nothing is started yet: the first that
/// asks has every layer tried.
///
/// # Errors
/// The tools file cannot be used.
pub(crate) fn processes(gate: &Gate, proxy: &Proxy, config: &Config) -> Result<Processes, Failure> {
    let tools = match &config.exec.tools_file {
        Some(path) => Toolbox::load(path).map_err(|error| {
            Failure::usage("EXEAT_TOOLS_FILE cannot be used").why(error.to_string()).next("see docs/guide/runs.md")
        })?,
        None => Toolbox::default(),
    };
    let confiner = Confiner::new(gate.clone(), proxy.clone(), ConfineConfig::default());
    let how = ProcessConfig {
        tools,
        work_dir: config.exec.work_dir.clone(),
        kept_for: config.exec.work_kept,
        masked: own_files(config),
        path: config.exec.path.clone(),
    };
    Ok(Processes::new(confiner, how))
}

/// This program's own files. The data directory as a whole is none: the folders of runs are in it.
fn own_files(config: &Config) -> Vec<PathBuf> {
    let mut all = vec![config.hmac_key_file.clone(), PathBuf::from("/etc/exeat")];
    all.extend(std::env::current_exe().ok());
    all.extend(config.exec.tools_file.clone());
    all.extend(config.policies.as_ref().map(|policies| policies.dir.clone()));
    all.extend(config.egress.tls.as_ref().map(|files| files.key.clone()));
    all.extend(config.egress.unix.as_ref().map(|unix| unix.path.clone()));
    if let Some(file) = config.database_url.expose().strip_prefix("sqlite:") {
        let file = file.strip_prefix("//").unwrap_or(file);
        all.extend(["", "-wal", "-shm"].map(|end| PathBuf::from(format!("{file}{end}"))));
    }
    all.iter().filter_map(|path: &PathBuf| Path::canonicalize(path).ok()).collect()
}
