//! The probes as programs: those in C are built here, each with the system's libraries and without any.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ground::{Ground, open};
use crate::table::{Language, Probe};

/// A probe as it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The name of the probe, and how it was built.
    pub name: String,
    pub probe: &'static Probe,
    /// The words that start it.
    pub words: Vec<String>,
}

/// All probes of a test, built.
pub struct Programs {
    pub folder: PathBuf,
}

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guard/probes");

impl Programs {
    /// Puts all of them where everybody may run them, in a guard too. Only on the ground of a test.
    pub fn build(_: &Ground) -> Self {
        let (built, folder) = (built(), PathBuf::from("/opt/exeat-probes"));
        fs::create_dir(&folder).unwrap();
        open(&folder);
        for entry in fs::read_dir(built).unwrap() {
            let program = entry.unwrap();
            let copy = folder.join(program.file_name());
            fs::copy(program.path(), &copy).unwrap();
            open(&copy);
        }
        Self { folder }
    }

    /// A probe as it is run: once for a script, twice for a program in C. None where its interpreter is missing, which
    /// leaves nothing to attack with.
    pub fn of(&self, probe: &'static Probe) -> Vec<Program> {
        let plain = |suffix: &str| self.folder.join(format!("{}{suffix}", probe.name)).to_str().unwrap().to_owned();
        let program = |variant: &str, words: Vec<String>| {
            let name = format!("{}{variant}", probe.name);
            Program { name, probe, words }
        };
        match probe.language {
            Language::C => vec![program("", vec![plain("")]), program("-static", vec![plain("-static")])],
            Language::Script { extension, interpreter } => {
                let interpreter = Path::new(interpreter);
                let words = vec![interpreter.to_str().unwrap().to_owned(), plain(extension)];
                interpreter.exists().then(|| program("", words)).into_iter().collect()
            }
        }
    }

    /// Every program of the table.
    pub fn all(&self) -> Vec<Program> {
        crate::table::ALL.iter().flat_map(|probe| self.of(probe)).collect()
    }
}

/// Builds what the sources are now, unless another test has; returns the folder.
fn built() -> PathBuf {
    let mut sources: Vec<(PathBuf, Vec<u8>)> = fs::read_dir(SOURCES)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    sources.sort();
    let mut hasher = DefaultHasher::new();
    sources.hash(&mut hasher);
    let all = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let done = all.join(format!("guard-probes-{:016x}", hasher.finish()));
    if done.is_dir() {
        return done;
    }
    let making = tempfile::tempdir_in(all).unwrap();
    let mut compilers = Vec::new();
    for (source, text) in &sources {
        let name = source.file_stem().unwrap().to_str().unwrap();
        match source.extension().and_then(|extension| extension.to_str()) {
            Some("c") => {
                for (suffix, arguments) in [("", &[][..]), ("-static", &["-static"][..])] {
                    let mut cc = Command::new("cc");
                    cc.args(["-O1", "-w", "-pthread"]).args(arguments).arg(source);
                    cc.arg("-o").arg(making.path().join(format!("{name}{suffix}"))).stderr(Stdio::piped());
                    compilers.push(cc);
                }
            }
            Some("h") => {}
            _ => fs::write(making.path().join(source.file_name().unwrap()), text).unwrap(),
        }
    }
    let together = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    for some in compilers.chunks_mut(together) {
        let children: Vec<_> =
            some.iter_mut().map(|cc| cc.spawn().expect("the test needs a C compiler (cc)")).collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    // Whoever comes second finds it done; his own goes with him.
    let _ = fs::rename(making.keep(), &done);
    done
}
