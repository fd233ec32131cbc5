//! The programs of the caller: their folders are seen, so that what works outside works inside.
//!
//! A folder of `PATH` that does not belong to the system is bound read-only. Where it is one of a version
//! manager, or of a virtual environment, what its programs need lies beside it: then that is bound, too.

use std::path::{Path, PathBuf};

use super::folders::is_system;
use super::place::Machine;

/// Version managers, which lie in some home folder: what of that is bound as soon as `PATH` leads there.
const MANAGERS: [(&str, &[&str]); 18] = [
    (".cargo/bin", &[".cargo/bin", ".cargo/env", ".rustup"]),
    (".rustup", &[".rustup"]),
    (".pyenv", &[".pyenv"]),
    (".nvm", &[".nvm"]),
    (".volta", &[".volta"]),
    (".asdf", &[".asdf"]),
    (".rbenv", &[".rbenv"]),
    (".sdkman", &[".sdkman"]),
    (".bun", &[".bun/bin"]),
    (".deno", &[".deno/bin"]),
    (".local/share/mise", &[".local/share/mise"]),
    (".local/share/fnm", &[".local/share/fnm"]),
    (".local/share/pnpm", &[".local/share/pnpm"]),
    (
        ".local/bin",
        &[
            ".local/bin",
            ".local/pipx/venvs",
            ".local/share/pipx/venvs",
            ".local/share/uv/tools",
            ".local/share/uv/python",
        ],
    ),
    ("go/bin", &["go/bin"]),
    (".npm-global", &[".npm-global"]),
    ("miniconda3", &["miniconda3"]),
    ("anaconda3", &["anaconda3"]),
];

/// Elsewhere: what is bound when a program is found there.
const STORES: [(&str, &str); 3] =
    [("/nix", "/nix/store"), ("/snap", "/snap"), ("/home/linuxbrew", "/home/linuxbrew/.linuxbrew")];

/// The folders that the programs of `PATH` need.
pub(super) fn folders(machine: &Machine) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for folder in machine.path.iter().filter(|folder| !is_system(folder)) {
        for needed in needed(folder, machine) {
            if let Ok(needed) = needed.canonicalize()
                && !is_system(&needed)
                && !all.contains(&needed)
            {
                all.push(needed);
            }
        }
    }
    all
}

fn needed(folder: &Path, machine: &Machine) -> Vec<PathBuf> {
    let mut all = vec![folder.to_owned()];
    if let Some((_, store)) = STORES.iter().find(|(under, _)| folder.starts_with(under)) {
        all.push(PathBuf::from(store));
    }
    for home in folder.ancestors() {
        for (under, needed) in MANAGERS {
            if folder.starts_with(home.join(under)) {
                all.extend(needed.iter().map(|path| home.join(path)));
                return all;
            }
        }
    }
    // A virtual environment, or a tree with its libraries beside its programs.
    if let Some(parent) = folder.parent().filter(|_| folder.ends_with("bin"))
        && machine.home.as_deref() != Some(parent)
        && parent.parent().is_some()
        && (parent.join("pyvenv.cfg").is_file() || parent.join("lib").is_dir() || parent.join("conda-meta").is_dir())
    {
        all.push(parent.to_owned());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_needs_comes_with_it_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let home = root.join("me");
        for folder in [
            "me/.cargo/bin",
            "me/.cargo/registry",
            "me/.rustup/toolchains",
            "me/.pyenv/shims",
            "me/.local/bin",
            "me/.local/share/keyrings",
            "me/bin",
            "me/lib",
            "me/p/.venv/bin",
            "tools/x/bin",
            "tools/x/lib",
            "plain/bin",
        ] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::fs::write(root.join("me/p/.venv/pyvenv.cfg"), "").unwrap();
        let check = |path: &str, want: &[&str]| {
            let machine = Machine { home: Some(home.clone()), path: vec![root.join(path)], ..Machine::default() };
            let found: Vec<String> =
                folders(&machine).iter().map(|path| path.strip_prefix(&root).unwrap().display().to_string()).collect();
            assert_eq!(found, want, "{path}");
        };
        check("me/.cargo/bin", &["me/.cargo/bin", "me/.rustup"]);
        check("me/.pyenv/shims", &["me/.pyenv/shims", "me/.pyenv"]);
        check("me/.local/bin", &["me/.local/bin"]);
        check("me/bin", &["me/bin"]);
        check("me/p/.venv/bin", &["me/p/.venv/bin", "me/p/.venv"]);
        check("tools/x/bin", &["tools/x/bin", "tools/x"]);
        check("plain/bin", &["plain/bin"]);
        let machine =
            Machine { path: vec![PathBuf::from("/usr/bin"), PathBuf::from("/opt/x/bin")], ..Machine::default() };
        assert!(folders(&machine).is_empty(), "the system's are seen anyway");
    }
}
