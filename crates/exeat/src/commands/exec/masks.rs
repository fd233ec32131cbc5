//! What a command does not see or cannot change although it lies in a folder that it is given.

use std::path::{Path, PathBuf};

use super::folders::{Given, covers, is_system};
use super::place::Machine;

/// Where programs keep credentials, in a home folder.
const CREDENTIALS: [&str; 32] = [
    ".ssh",
    ".aws",
    ".azure",
    ".config/gcloud",
    ".config/gh",
    ".config/glab-cli",
    ".config/hub",
    ".config/op",
    ".config/sops",
    ".config/rclone",
    ".config/doctl",
    ".config/containers/auth.json",
    ".docker/config.json",
    ".kube",
    ".gnupg",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".yarnrc.yml",
    ".pypirc",
    ".pgpass",
    ".my.cnf",
    ".git-credentials",
    ".config/git/credentials",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".gem/credentials",
    ".m2/settings.xml",
    ".gradle/gradle.properties",
    ".terraform.d/credentials.tfrc.json",
    ".vault-token",
    ".password-store",
];

/// What runs later and outside when it is written now, in any folder.
const RUN_LATER: [&str; 4] = [".git/hooks", ".git/config", ".envrc", ".vscode"];

/// What of exeat's and of the caller's credentials lies where the command could see it.
pub(super) fn masked(given: &Given, read_only: &[PathBuf], machine: &Machine) -> Vec<PathBuf> {
    let credentials = machine.home.iter().flat_map(|home| CREDENTIALS.map(|name| home.join(name)));
    let known = credentials.filter_map(|path| path.canonicalize().ok());
    let seen = |path: &PathBuf| covers(&given.writable, path) || covers(read_only, path) || is_system(path);
    // A folder that was named itself, with force, is meant.
    let meant = |path: &PathBuf| covers_exactly(&given.writable, path) || covers_exactly(&given.read_only, path);
    let mut all: Vec<PathBuf> =
        known.chain(machine.own.iter().cloned()).filter(|path| seen(path) && !meant(path)).collect();
    all.sort();
    all.dedup();
    // What lies in a masked folder is gone with it.
    let folders = all.clone();
    all.retain(|path| !folders.iter().any(|other| other != path && path.starts_with(other)));
    all
}

fn covers_exactly(folders: &[PathBuf], path: &Path) -> bool {
    folders.iter().any(|folder| folder.starts_with(path))
}

/// What of the folders that may be changed cannot be.
pub(super) fn protected(given: &Given) -> Vec<PathBuf> {
    given.writable.iter().flat_map(|folder| RUN_LATER.map(|name| folder.join(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_seen_and_is_nobodys_business_is_masked() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().canonicalize().unwrap();
        for folder in [".ssh", ".local/share/exeat/store", "project/data", ".cargo/bin"] {
            std::fs::create_dir_all(home.join(folder)).unwrap();
        }
        for file in [".netrc", ".cargo/credentials.toml", "project/exeat.db"] {
            std::fs::write(home.join(file), "").unwrap();
        }
        let own =
            vec![home.join(".local/share/exeat"), home.join(".local/share/exeat/store"), home.join("project/exeat.db")];
        let machine = Machine { home: Some(home.clone()), own, ..Machine::default() };
        let masked = |writable: &[&str], read_only: &[&str]| {
            let paths = |all: &[&str]| all.iter().map(|path| home.join(path)).collect::<Vec<_>>();
            let given = Given { writable: paths(writable), read_only: paths(read_only), cwd: home.clone() };
            let all = masked(&given, &paths(read_only), &machine);
            all.iter().map(|path| path.strip_prefix(&home).unwrap().display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(masked(&["project"], &[]), ["project/exeat.db"]);
        assert_eq!(masked(&["project/data"], &[]), [""; 0]);
        assert_eq!(
            masked(&[""], &[]),
            [".cargo/credentials.toml", ".local/share/exeat", ".netrc", ".ssh", "project/exeat.db"],
            "a home that was forced shows no credentials all the same"
        );
        assert_eq!(masked(&["project"], &[".cargo"]), [".cargo/credentials.toml", "project/exeat.db"]);
        assert_eq!(masked(&[".ssh"], &[]), [""; 0], "what was named itself is meant");
    }

    #[test]
    fn what_runs_later_stays_as_it_is() {
        let given = Given { writable: vec![PathBuf::from("/w")], ..Given::default() };
        let names = ["/w/.git/hooks", "/w/.git/config", "/w/.envrc", "/w/.vscode"];
        assert_eq!(protected(&given), names.map(PathBuf::from));
    }
}
