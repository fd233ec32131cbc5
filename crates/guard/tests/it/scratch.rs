//! What a call of rung B has for its own: a folder that holds as much as it was given, and no memory with others.

use std::collections::BTreeSet;
use std::fs;

use super::*;

/// Writes, and keeps what it wrote one way or another: MiB after MiB, but no faster than it can be counted.
const FILLS: &str = r#"
import os, sys, time
how, mib = sys.argv[1], int(sys.argv[2])
os.chdir(os.environ["HOME"])
part = b"x" * (1 << 20)
def one(name):
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
if how == "deep":
    for level in range(100): os.mkdir("d"); os.chdir("d")
if how in ("closed", "blind", "moving"):
    os.mkdir("d")
if how == "moving":
    for place in "ab": os.mkdir(place)
    os.rename("d", "a/d")
    parent = os.getpid()
    if os.fork() == 0:
        while os.getppid() == parent:
            os.rename("a/d", "b/d"); os.rename("b/d", "a/d")
        os._exit(0)
    os.symlink("a/d", "in-a"); os.symlink("b/d", "in-b")
if how == "threads":
    import ctypes, threading
    ready = threading.Barrier(2)
    def hide():
        assert ctypes.CDLL(None).unshare(0x400) == 0
        hidden = one("hidden"); os.unlink("hidden")
        for _ in range(mib): os.write(hidden, part); time.sleep(0.005)
        ready.wait()
    threading.Thread(target=hide, daemon=True).start(); ready.wait(); mib = 0
for at in range(mib):
    if how == "one file":
        file = one("file") if at == 0 else file
    elif how in ("deleted", "fast"):
        file = one("file") if at == 0 else file
        if at == 0: os.unlink("file")
    elif how == "closed":
        os.mkdir(f"d/{at}"); file = one(f"d/{at}/file"); os.chmod(f"d/{at}", 0o000)
    elif how == "moving":
        while True:
            try: file = one(f"in-{'ab'[at % 2]}/{at}"); break
            except FileNotFoundError: pass
    elif how == "blind":
        file = one(f"d/{at}")
        if at == 0: os.chmod("d", 0o300)
    else:
        file = one(f"file-{at}")
    os.write(file, part)
    if how in ("many", "closed", "blind", "deep", "moving"): os.close(file)
    if how == "fast": os.write(2, b"%d\n" % at)
    else: time.sleep(0.005)
def mode(): return os.stat("d/0" if how == "closed" else "d").st_mode & 0o777
if how in ("closed", "blind"):
    # Who counts may look into it for a moment.
    assert any(time.sleep(0.01) or mode() == (0 if how == "closed" else 0o300) for _ in range(100))
print("written")
"#;

const WAYS: [&str; 9] = ["one file", "deleted", "many", "open", "deep", "closed", "blind", "moving", "threads"];

fn fills(mib: u32, how: &str, given: u64) -> Said {
    let mut plan = plan(Rung::B);
    plan.view.scratch_bytes = given;
    run(&plan, &command(&["/usr/bin/python3", "-c", FILLS, how, &mib.to_string()]))
}

#[test]
fn a_folder_of_its_own_holds_what_was_given() {
    for how in WAYS {
        let said = fills(6, how, 16 << 20);
        assert_eq!((said.exit, said.stdout.as_str()), (Exit::Code(0), "written\n"), "{how}: {}", said.stderr);
        let said = fills(200, how, 16 << 20);
        assert_eq!((said.exit, said.stdout.as_str()), (Exit::Signal(9), ""), "{how}: {}", said.stderr);
    }
}

/// As fast as the machine writes: what gets through between two looks is bounded.
#[test]
fn who_writes_fast_is_looked_at_often() {
    let said = fills(1024, "fast", 64 << 20);
    let written: u32 = said.stderr.lines().last().and_then(|line| line.parse().ok()).unwrap();
    assert_eq!((said.exit, said.stdout.as_str()), (Exit::Signal(9), ""), "{written} MiB of 64");
    assert!((63..1000).contains(&written), "{written} MiB of 64");
    println!("{written} MiB of 64");
}

#[test]
fn files_are_counted_even_when_nothing_is_in_them() {
    let script = "cd $HOME; i=0; while [ $i -lt 3000 ]; do : > $i; i=$((i+1)); done; sleep 2; echo made";
    let mut plan = plan(Rung::B);
    plan.view.scratch_bytes = 4 << 20;
    let said = run(&plan, &shell(script));
    assert_eq!((said.exit, said.stdout.as_str()), (Exit::Signal(9), ""), "{}", said.stderr);
    plan.view.scratch_bytes = 64 << 20;
    assert_eq!(prints(&plan, script), "made", "the control has room for them");
}

#[test]
fn who_is_left_behind_is_counted_too() {
    let folder = folder();
    let top = folder.path().canonicalize().unwrap();
    let mut plan = writable(Rung::B, &top);
    plan.view.scratch_bytes = 8 << 20;
    let jail = LAUNCHER.launch(&plan).unwrap();
    let fills = "sleep 0.3; i=0; while [ $i -lt 300 ]; do head -c 1048576 /dev/zero > $HOME/$i; i=$((i+1)); sleep 0.005; \
                 echo >> $0/beat; done; : > $0/done";
    let script = format!("setsid sh -c '{fills}' \"$0\" > /dev/null 2>&1 & true");
    let said = start(&jail, &command(&["sh", "-c", &script, top.to_str().unwrap()])).unwrap().end();
    assert_eq!(said.exit, Exit::Code(0));
    let beats = || fs::metadata(top.join("beat")).map_or(0, |beats| beats.len());
    let mut before = 0;
    for _ in 0..20 {
        std::thread::sleep(Duration::from_secs(1));
        let now = beats();
        if now == before && now > 0 {
            break;
        }
        before = now;
    }
    assert!(before > 0 && !top.join("done").exists(), "it went on: {before} MiB of 8");
    drop(jail);
}

fn own_folders() -> BTreeSet<PathBuf> {
    let entries = fs::read_dir("/tmp").unwrap().flatten().map(|entry| entry.path());
    entries.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("exeat-"))).collect()
}

#[test]
fn a_folder_of_its_own_goes_with_it() {
    let jail = LAUNCHER.launch(&plan(Rung::B)).unwrap();
    let script = "cd $HOME && pwd && mkdir -p a/b && echo x > a/b/c && chmod 000 a/b a";
    let said = start(&jail, &shell(script)).unwrap().end();
    let own = PathBuf::from(said.stdout.trim_end());
    assert!(own_folders().contains(&own), "{said:?}");
    drop(jail);
    let gone = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        !own_folders().contains(&own)
    });
    assert!(gone, "{} was left", own.display());
}

/// Memory that others have by its name, in the file system or in the kernel.
#[test]
fn no_memory_is_shared_with_others() {
    let name = format!("guard-shared-{}", std::process::id());
    let there = Path::new("/dev/shm").join(&name);
    fs::write(&there, "others'").unwrap();
    fs::set_permissions(&there, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let script = format!(
        "import ctypes, errno, mmap, os
from multiprocessing import shared_memory
c = ctypes.CDLL(None, use_errno=True)
def call(f, *words):
  if f(*words) == -1: raise OSError(ctypes.get_errno(), '')
for attempt in [
  lambda: open('/dev/shm/{name}').read(),
  lambda: open('/dev/shm/{name}', 'r+'),
  lambda: open('/dev/shm/{name}-more', 'w').close(),
  lambda: os.mkdir('/dev/shm/{name}-folder'),
  lambda: os.listdir('/dev/shm'),
  lambda: os.unlink('/dev/shm/{name}'),
  lambda: os.chmod('/dev/shm/{name}', 0o600),
  lambda: call(c.shm_open, b'/{name}', os.O_RDWR, 0o600),
  lambda: call(c.shm_open, b'/{name}-new', os.O_RDWR | os.O_CREAT, 0o600),
  lambda: call(c.shmget, 4711, 4096, 0o1600),
  lambda: call(c.msgget, 4711, 0o1600),
  lambda: call(c.semget, 4711, 1, 0o1600),
]:
  try: attempt(); print('ok')
  except OSError as e: print(errno.errorcode[e.errno])
m = mmap.mmap(-1, 4096); m[0] = 7
if os.fork() == 0: m[1] = m[0]; os._exit(0)
os.wait(); print(m[1])"
    );
    let said = run(&plan(Rung::B), &command(&["/usr/bin/python3", "-c", &script]));
    let want = [
        "EACCES", "EACCES", "EACCES", "EACCES", "EACCES", "EACCES", "EPERM", "EACCES", "EACCES", "ENOSYS", "ENOSYS",
        "ENOSYS", "7",
    ];
    assert_eq!(said.stdout.lines().collect::<Vec<_>>(), want, "{}", said.stderr);
    assert_eq!(fs::read_to_string(&there).unwrap(), "others'");
    let free = format!("import os\nprint(open('/dev/shm/{name}').read())\nos.unlink('/dev/shm/{name}')");
    let free = std::process::Command::new("/usr/bin/python3").args(["-c", &free]).output().unwrap();
    assert_eq!((free.stdout.as_slice(), there.exists()), (&b"others'\n"[..], false), "the control may");
}
