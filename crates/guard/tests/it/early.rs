//! A spawner that is a copy of its supervisor knows no more than one that was executed.

use std::fs::{read, read_link, read_to_string};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::process::{Child, Command as Outside, Stdio as OutsideStdio};
use std::time::Instant;

use super::*;

const SECRET: &str = "a-word-that-only-the-supervisor-may-know";

fn hold(how: &str, folder: &Path) -> Child {
    let mut holder = Outside::new(spawner())
        .args([how, "A", folder.to_str().unwrap(), "sleep 60"])
        .env("EXEAT_KEY", SECRET)
        .stdin(OutsideStdio::piped())
        .stdout(OutsideStdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    holder
}

fn children(of: u32) -> Vec<u32> {
    let told = read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap();
    told.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Whether the secret is anywhere in what a process may write to: its stack and heap among it.
fn knows(pid: u32) -> std::io::Result<bool> {
    let maps = read_to_string(format!("/proc/{pid}/maps"))?;
    let mut memory = std::fs::File::open(format!("/proc/{pid}/mem"))?;
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        let (from, to) = range.split_once('-').unwrap();
        let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).unwrap());
        // The allocator's reserve is nearly all untouched.
        if !rights.starts_with("rw") || to - from > 256 << 20 {
            continue;
        }
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        memory.seek(SeekFrom::Start(from))?;
        if memory.read_exact(&mut bytes).is_ok() && bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[test]
fn it_has_forgotten_what_its_original_knows() {
    let mut open = Vec::new();
    for how in ["hold", "hold-early"] {
        let folder = folder();
        let mut holder = hold(how, &folder.path().canonicalize().unwrap());
        let pid = holder.id();
        let spawners = children(pid);
        let [spawner] = spawners[..] else { panic!("{how}: {spawners:?}") };
        if am_root() {
            assert!(knows(pid).unwrap(), "{how}: it is there to be found");
            let keepers = children(spawner);
            assert_eq!(keepers.len(), 1, "{how}");
            for other in [spawner, keepers[0]] {
                assert!(!knows(other).unwrap(), "{how}: {other}");
                let text = |name: &str| String::from_utf8(read(format!("/proc/{other}/{name}")).unwrap()).unwrap();
                assert_eq!(text("environ").replace('\0', ""), "", "{how}");
                assert!(text("cmdline").contains("__spawner") && !text("cmdline").contains("sleep"), "{how}");
            }
            for standard in 0..3 {
                let leads = read_link(format!("/proc/{spawner}/fd/{standard}")).unwrap();
                assert_eq!(leads, Path::new("/dev/null"), "{how}: {standard}");
            }
            open.push(std::fs::read_dir(format!("/proc/{spawner}/fd")).unwrap().count());
        } else {
            assert!(knows(spawner).is_err(), "{how}: nobody who is not root looks into it");
        }
        holder.kill().unwrap();
        holder.wait().unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        while Path::new(&format!("/proc/{spawner}")).exists() {
            assert!(Instant::now() < deadline, "{how}: it outlives its original");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    assert!(open.windows(2).all(|two| two[0] == two[1]), "the copy holds what the executed one does: {open:?}");
}
