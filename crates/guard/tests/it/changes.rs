//! What is said of files (modes, owners, times, attributes) can be changed where they were given to be written, and
//! nowhere else: also where Landlock alone holds them, which has no right for it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::process::Command as Outside;

use super::*;

/// Makes attempts and prints how each went. `given` and `other` are folders, `top` is the one of the two that it is about.
const ATTEMPTS: &str = r#"
import ctypes, errno, fcntl, os, struct, sys
top, given = sys.argv[1:3]
c = ctypes.CDLL(None, use_errno=True)
def call(number, *words):
    if c.syscall(number, *words) < 0: raise OSError(ctypes.get_errno(), "")
x86 = os.uname().machine == "x86_64"
f = os.path.join(top, "file"); b = f.encode(); me = (os.getuid(), os.getgid())
fd = os.open(f, os.O_RDONLY); held = os.open(f, os.O_PATH); folder = os.open(top, os.O_RDONLY)
old = struct.pack("qqqq", 1000, 1, 2000, 2); older = struct.pack("qq", 3000, 4000)
FILE_FLAGS = (0x80086601, 0x40086602)
def flags(fd):
    now = struct.unpack("i", fcntl.ioctl(fd, FILE_FLAGS[0], b"\0" * 4))[0]
    fcntl.ioctl(fd, FILE_FLAGS[1], struct.pack("i", now ^ 0x40))
def project(fd):
    now = fcntl.ioctl(fd, 0x801c581f, b"\0" * 28)
    fcntl.ioctl(fd, 0x401c5820, now)
def relative(path):
    os.chdir(top)
    try: os.chmod(path, 0o641)
    finally: os.chdir("/")
attempts = {
  "chmod": lambda: os.chmod(f, 0o642),
  "chmod relative": lambda: relative("file"),
  "chmod around": lambda: os.chmod(f"{given}/sub/../../{os.path.basename(top)}/file", 0o643),
  "chmod by a link": lambda: os.chmod(f"{given}/to-{os.path.basename(top)}", 0o644),
  "chmod by a folder that is a link": lambda: os.chmod(f"{given}/into-{os.path.basename(top)}/file", 0o645),
  "chmod a folder": lambda: os.chmod(os.path.join(top, "sub"), 0o751),
  "fchmod": lambda: os.fchmod(fd, 0o646),
  "fchmodat": lambda: os.chmod("file", 0o647, dir_fd=folder),
  "fchmodat2": lambda: call(452, folder, b"file", 0o650, 0),
  "fchmodat2 held": lambda: call(452, held, b"", 0o651, 0x1000),
  "chmod descriptor": lambda: os.chmod(f"/proc/self/fd/{fd}", 0o652),
  "chmod held descriptor": lambda: os.chmod(f"/dev/fd/{held}", 0o653),
  "chown": lambda: os.chown(f, *me),
  "chown nobody": lambda: os.chown(f, -1, -1),
  "lchown": lambda: os.lchown(os.path.join(top, "link"), *me),
  "fchown": lambda: os.fchown(fd, *me),
  "fchownat": lambda: os.chown("file", *me, dir_fd=folder),
  "fchownat held": lambda: call(260 if x86 else 54, held, b"", *me, 0x1000),
  "utimensat": lambda: os.utime(f, (10, 20)),
  "utimensat now": lambda: os.utime(f),
  "utimensat link": lambda: os.utime(os.path.join(top, "link"), (30, 40), follow_symlinks=False),
  "futimens": lambda: os.utime(fd, (50, 60)),
  "utimensat at": lambda: os.utime("file", (70, 80), dir_fd=folder),
  "setxattr": lambda: os.setxattr(f, "user.one", b"1"),
  "lsetxattr": lambda: os.setxattr(f, "user.two", b"2", follow_symlinks=False),
  "fsetxattr": lambda: os.setxattr(fd, "user.three", b"3"),
  "setxattr again": lambda: os.setxattr(f, "user.one", b"4", os.XATTR_REPLACE),
  "removexattr": lambda: os.removexattr(f, "user.one"),
  "lremovexattr": lambda: os.removexattr(f, "user.two", follow_symlinks=False),
  "fremovexattr": lambda: os.removexattr(fd, "user.three"),
  "flags": lambda: flags(fd),
  "flags of a folder": lambda: flags(folder),
  "project": lambda: project(fd),
}
if x86: attempts.update({
  "utime": lambda: call(132, b, older),
  "utimes": lambda: call(235, b, old),
  "futimesat": lambda: call(261, folder, b"file", old),
  "futimesat descriptor": lambda: call(261, fd, None, old),
})
for name, attempt in attempts.items():
    try: attempt(); went = "ok"
    except OSError as e: went = errno.errorcode[e.errno]
    print(f"{name}: {went}")
"#;

/// Files of this test: some that are given, some that may only be read.
fn ground() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = folder();
    let top = folder.path().canonicalize().unwrap();
    let (given, other) = (top.join("given"), top.join("other"));
    for place in [&given, &other] {
        fs::create_dir_all(place.join("sub")).unwrap();
        fs::write(place.join("file"), "text").unwrap();
        symlink("file", place.join("link")).unwrap();
    }
    for place in ["given", "other"] {
        symlink(top.join(place).join("file"), given.join(format!("to-{place}"))).unwrap();
        symlink(top.join(place), given.join(format!("into-{place}"))).unwrap();
    }
    (folder, given, other)
}

/// B, where one folder is given and the other may be read.
fn between(given: &Path, other: &Path) -> Plan {
    let mut plan = writable(Rung::B, given);
    plan.view.read_only.push(other.to_owned());
    plan
}

fn python(script: &str, arguments: &[&Path]) -> Command {
    let mut words = vec!["/usr/bin/python3", "-c", script];
    words.extend(arguments.iter().map(|path| path.to_str().unwrap()));
    command(&words)
}

/// What each attempt came to.
fn attempts(said: &str) -> BTreeMap<&str, &str> {
    said.lines().map(|line| line.split_once(": ").unwrap()).collect()
}

/// All that is said of what lies in a folder, but when it was read.
fn said_of(folder: &Path) -> String {
    let script = "import os, sys
for name in ('.', 'file', 'link', 'sub'):
  path = os.path.join(sys.argv[1], name); s = os.lstat(path)
  print(name, oct(s.st_mode), s.st_uid, s.st_gid, s.st_mtime_ns, s.st_ctime_ns, s.st_nlink,
    [(x, os.getxattr(path, x, follow_symlinks=False)) for x in os.listxattr(path, follow_symlinks=False)])";
    let said = Outside::new("/usr/bin/python3").arg("-c").arg(script).arg(folder).output().unwrap();
    assert!(said.status.success(), "{said:?}");
    String::from_utf8(said.stdout).unwrap()
}

#[test]
fn what_is_said_of_a_file_is_changed_where_it_was_given() {
    let (_folder, given, other) = ground();
    let free = Outside::new("/usr/bin/python3").arg("-c").arg(ATTEMPTS).args([&other, &given]).output().unwrap();
    let free = String::from_utf8(free.stdout).unwrap();
    let free = attempts(&free);
    assert!(free.len() >= 32, "{free:?}");
    let sure = ["chmod", "fchmod", "lchown", "utimensat", "futimens", "chmod descriptor", "utimensat link"];
    assert!(sure.iter().all(|name| free.get(name) == Some(&"ok")), "the control changes what it likes: {free:?}");

    let plan = between(&given, &other);
    let before = said_of(&given);
    let inside = run(&plan, &python(ATTEMPTS, &[&given, &given]));
    assert_eq!(attempts(&inside.stdout), free, "in what was given all goes as ever: {}", inside.stderr);
    assert_ne!(said_of(&given), before);

    let before = said_of(&other);
    let outside = run(&plan, &python(ATTEMPTS, &[&other, &given]));
    let refused = attempts(&outside.stdout);
    assert_eq!(refused.len(), free.len(), "{}", outside.stderr);
    for (name, went) in refused {
        assert_eq!(went, "EPERM", "{name}");
    }
    assert_eq!(said_of(&other), before, "outside nothing changed");
}

#[test]
fn a_mode_is_the_one_that_was_asked_for() {
    let (_folder, given, other) = ground();
    let script =
        "cd $0 && chmod 751 file && chmod 700 sub && touch -d @1234 file && chmod u-x file && stat -c '%a %Y' file";
    let shell = command(&["sh", "-c", script, given.to_str().unwrap()]);
    assert_eq!(run(&between(&given, &other), &shell).stdout, "651 1234\n");
    let about = fs::metadata(given.join("file")).unwrap();
    assert_eq!((about.permissions().mode() & 0o7777, about.mtime()), (0o651, 1234));
    assert_eq!(fs::metadata(given.join("sub")).unwrap().mode() & 0o7777, 0o700);
}

/// Each line is tried where it was given; what it comes to.
#[test]
fn the_kernel_says_what_is_wrong_with_it() {
    let (_folder, given, other) = ground();
    let mut rows = vec![
        ("os.chmod('missing', 0o600)", "ENOENT"),
        ("os.chmod('', 0o600)", "ENOENT"),
        ("os.chmod('file/x', 0o600)", "ENOTDIR"),
        ("os.chmod('x' * 300, 0o600)", "ENAMETOOLONG"),
        ("os.chmod('x/' * 3000, 0o600)", "ENAMETOOLONG"),
        ("os.chmod('round', 0o600)", "ELOOP"),
        ("os.chmod('/proc/self/root' + os.getcwd() + '/file', 0o600)", "ELOOP"),
        ("os.chmod('/proc/self/cwd/file', 0o600)", "ELOOP"),
        ("os.chmod('/proc/self/status', 0o600)", "EPERM"),
        ("os.chmod('/dev/null', 0o600)", "EPERM"),
        ("os.chmod('/etc/passwd', 0o600)", "EPERM"),
        ("os.chmod('/', 0o600)", "EPERM"),
        ("os.chmod('..', 0o755)", "EPERM"),
        ("os.chmod('.', 0o755)", "ok"),
        ("os.chmod('kept', 0o700)", "EROFS"),
        ("os.utime('kept/file', (1, 2))", "EROFS"),
        ("os.chmod('kept/../file', 0o700)", "ok"),
        ("os.fchmod(99, 0o600)", "EBADF"),
        ("os.fchmod(-1, 0o600)", "EBADF"),
        ("os.fchmod(os.open('file', os.O_PATH), 0o600)", "EBADF"),
        ("os.fchmod(os.memfd_create('memory'), 0o600)", "ok"),
        ("os.fchmod(os.pipe()[0], 0o600)", "EPERM"),
        ("os.chmod('file', 0o4700)", "EPERM"),
        ("os.fchmod(os.open('file', os.O_RDONLY), 0o2700)", "EPERM"),
        ("os.chmod('file', 0o1700)", "ok"),
        ("call(452, -100, b'file', 0o600, 0x8000)", "EINVAL"),
        ("call(452, -100, b'link', 0o600, 0x100)", "ENOTSUP"),
        ("call(280 if x86 else 88, -100, None, None, 0)", "EFAULT"),
        ("call(280 if x86 else 88, -100, b'file', 8, 0)", "EFAULT"),
        ("call(280 if x86 else 88, -100, 8, None, 0)", "EFAULT"),
        ("call(463, -100, b'file', 0, b'user.x', 0, 0)", "ENOSYS"),
        ("call(469, -100, b'file', 0, 0, 0)", "ENOSYS"),
        ("os.setxattr('file', 'x' * 256, b'')", "ERANGE"),
        ("os.setxattr('file', 'user.x', b'x' * 65537)", "E2BIG"),
        ("fcntl.ioctl(os.open('.', os.O_RDONLY), 0x50009401, b'x' * 1000)", "ENOTTY"),
    ];
    if am_root() {
        // Root inside is nobody special, although its supervisor may be.
        rows.extend([
            ("os.chmod('others', 0o600)", "EPERM"),
            ("os.utime('others', (1, 2))", "EPERM"),
            ("os.chmod('closed/file', 0o600)", "EACCES"),
            ("os.chown('file', 1, 1)", "EPERM"),
            ("os.chown('file', -1, 7)", "EPERM"),
            ("os.setxattr('file', 'trusted.x', b'')", "EPERM"),
            ("os.setxattr('file', 'security.capability', bytes([1,0,0,2,1]) + bytes(15))", "EPERM"),
            ("os.setxattr('file', 'security.x', b'')", "EPERM"),
            ("fcntl.ioctl(os.open('file', os.O_RDONLY), 0x40086602, struct.pack('i', 0x10))", "EPERM"),
        ]);
        fs::write(given.join("others"), "").unwrap();
        std::os::unix::fs::chown(given.join("others"), Some(65534), Some(65534)).unwrap();
        fs::create_dir(given.join("closed")).unwrap();
        fs::write(given.join("closed/file"), "").unwrap();
        fs::set_permissions(given.join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::chown(given.join("closed"), Some(65534), Some(65534)).unwrap();
    }
    symlink("round", given.join("round")).unwrap();
    fs::create_dir(given.join("kept")).unwrap();
    fs::write(given.join("kept/file"), "").unwrap();
    let lines: Vec<_> = rows.iter().map(|(line, _)| format!("(lambda: {line})")).collect();
    let script = format!(
        "import ctypes, errno, fcntl, os, struct, sys\nc = ctypes.CDLL(None, use_errno=True)\nx86 = os.uname().machine == 'x86_64'\n\
         def call(number, *words):\n  if c.syscall(number, *words) < 0: raise OSError(ctypes.get_errno(), '')\n\
         os.chdir(sys.argv[1])\nfor attempt in [{}]:\n  try: attempt(); print('ok')\n  except OSError as e: print(errno.errorcode[e.errno])",
        lines.join(",\n")
    );
    let mut plan = between(&given, &other);
    plan.view.protected.push(given.join("kept"));
    let said = run(&plan, &python(&script, &[&given]));
    let went: Vec<_> = said.stdout.lines().collect();
    assert_eq!(went.len(), rows.len(), "{}", said.stderr);
    for ((line, want), went) in rows.iter().zip(went) {
        assert_eq!(went, *want, "{line}");
    }
}

/// While one process makes the name mean one file and the other by turns, another changes what it finds there.
#[test]
fn a_name_that_changes_its_meaning_leads_nowhere_else() {
    const RACE: &str = r#"
import os, sys
given, other, how = sys.argv[1:4]
os.chdir(given)
pairs = {
  "link": ("swap", ["file", other + "/file"], "swap"),
  "folder": ("swap", ["sub", other], "swap/file"),
}
open("sub/file", "w").close()
name, targets, path = pairs[how]
for at, target in enumerate(targets): os.symlink(target, f"to-{at}-{how}")
os.symlink(targets[0], name)
swapper = os.fork()
if swapper == 0:
    while True:
        for target in targets:
            os.symlink(target, name + how); os.rename(name + how, name)
changed = refused = 0
for turn in range(2000):
    try: os.chmod(path, 0o640 + turn % 8); changed += 1
    except PermissionError: refused += 1
os.kill(swapper, 9); os.waitpid(swapper, 0); os.unlink(name)
print(changed > 0, refused > 0, changed + refused)
"#;
    let (_folder, given, other) = ground();
    let before = said_of(&other);
    for how in ["link", "folder"] {
        let said = run(&between(&given, &other), &python(RACE, &[&given, &other, Path::new(how)]));
        assert_eq!(said.stdout, "True True 2000\n", "{how}: both were met: {}", said.stderr);
        assert_eq!(said_of(&other), before, "{how}");
    }
}

#[test]
fn a_descriptor_that_changes_its_meaning_leads_nowhere_else() {
    const RACE: &str = r#"
import os, sys, threading
given, other = sys.argv[1:3]
files = [os.open(f"{place}/file", os.O_RDONLY) for place in (given, other)]
one = os.dup(files[0]); over = False
def swap():
    while not over:
        for file in files: os.dup2(file, one)
swapper = threading.Thread(target=swap); swapper.start()
changed = refused = 0
for turn in range(2000):
    try: os.fchmod(one, 0o640 + turn % 8); changed += 1
    except PermissionError: refused += 1
over = True; swapper.join()
print(changed > 0, refused > 0, changed + refused)
"#;
    let (_folder, given, other) = ground();
    let before = said_of(&other);
    let said = run(&between(&given, &other), &python(RACE, &[&given, &other]));
    assert_eq!(said.stdout, "True True 2000\n", "both were met: {}", said.stderr);
    assert_eq!(said_of(&other), before);
}

#[test]
fn what_programs_do_to_files_all_the_time_works() {
    let (_folder, given, other) = ground();
    let script = r#"
set -e
cd "$0"
umask 022
echo one > a; chmod 4640 a 2>/dev/null || chmod 640 a; touch -d @1000 a
cp -p a b; [ "$(stat -c '%a %Y' b)" = "640 1000" ]; echo cp
mkdir -p tree/deep; echo x > tree/deep/x; chmod 750 tree/deep; touch -d @2000 tree/deep/x; ln -s x tree/deep/l
cp -a tree copy; [ "$(stat -c '%a' copy/deep) $(stat -c '%Y' copy/deep/x)" = "750 2000" ]; echo cp -a
tar cf t.tar tree; mkdir out; tar xpf t.tar -C out; [ "$(stat -c '%a' out/tree/deep) $(stat -c '%Y' out/tree/deep/x)" = "750 2000" ]; echo tar
install -m 751 -D a bin/a; [ "$(stat -c '%a' bin/a)" = 751 ]; echo install
mv a moved; touch moved; gzip -k b; [ "$(stat -c '%Y' b.gz)" = 1000 ]; echo gzip
chmod -R u+rwX,go-w tree; touch -h -d @3000 tree/deep/l; [ "$(stat -c '%Y' tree/deep/l)" = 3000 ]; echo touch -h
chown "$(id -u):$(id -g)" moved; chown -h "$(id -u)" tree/deep/l; echo chown
/usr/bin/python3 -c 'import shutil, os, tempfile
shutil.copystat("b", "moved"); shutil.copytree("tree", "copied", symlinks=True); shutil.copy2("b", "c")
assert os.stat("c").st_mtime == 1000 and os.stat("moved").st_mode & 0o777 == 0o640
with tempfile.NamedTemporaryFile() as f: os.fchmod(f.fileno(), 0o600)
with tempfile.TemporaryDirectory() as d: open(d + "/x", "w").close(); os.chmod(d + "/x", 0o400); os.chmod(d, 0o500)'
echo python
git -c init.defaultBranch=main init -q repo; cd repo; git config user.email a@b.c; git config user.name n
echo x > f; chmod +x f; git add f; git commit -qm one; [ "$(git ls-files -s f | cut -c1-6)" = 100755 ]; git clone -q . ../clone; git gc -q; echo git
"#;
    let wants = ["cp", "cp -a", "tar", "install", "gzip", "touch -h", "chown", "python", "git"];
    let jail = LAUNCHER.launch(&between(&given, &other)).unwrap();
    let seen = Arc::new(Remembers::default());
    let said = start_told(&jail, &command(&["sh", "-c", script, given.to_str().unwrap()]), Arc::clone(&seen) as _);
    let said = said.unwrap().end();
    assert_eq!(said.stdout.lines().collect::<Vec<_>>(), wants, "{}", said.stderr);
    assert_eq!((said.exit, said.stderr.as_str()), (Exit::Code(0), ""));
    // Who looks for a name's owner asks a server of the machine; that is not about files.
    let about_files = |seen: &Seen| !["connect", "socket"].contains(&seen.attempt.op);
    let seen = seen.0.lock().unwrap();
    let seen: Vec<_> = seen.iter().filter(|seen| about_files(seen)).map(|seen| seen.attempt.op).collect();
    // The one time that the script wants rights that are lent.
    assert!(matches!(seen[..], ["fchmodat" | "chmod"]), "nothing else is worth telling: {seen:?}");
}

/// A program that lets nobody look into it is not asked what it means: it changes nothing outside, whoever holds it.
#[test]
fn a_program_that_keeps_its_memory_to_itself_changes_nothing_outside() {
    const HIDDEN: &str = r#"
import ctypes, os, sys
assert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0
for place in sys.argv[1:]:
    for attempt in (lambda: os.chmod(place + "/file", 0o601), lambda: os.fchmod(os.open(place + "/file", os.O_RDONLY), 0o602)):
        try: attempt(); print("ok")
        except OSError as e: print(type(e).__name__)
"#;
    let (_folder, given, other) = ground();
    let before = said_of(&other);
    let said = run(&between(&given, &other), &python(HIDDEN, &[&given, &other]));
    let own = if am_root() { "ok" } else { "PermissionError" };
    let want = [own, own, "PermissionError", "PermissionError"];
    assert_eq!(said.stdout.lines().collect::<Vec<_>>(), want, "{}", said.stderr);
    assert_eq!(said_of(&other), before);
}

/// Prints what is and what can be changed of a process.
const SCHEDULES: &str = r#"
import ctypes, os, resource as r, sys, threading
c = ctypes.CDLL(None, use_errno=True)
def call(number, *words):
    if c.syscall(number, *words) < 0: raise OSError(ctypes.get_errno(), "")
io = 251 if os.uname().machine == "x86_64" else 30
def changes(pid):
    cpus = os.sched_getaffinity(pid)
    return {
      "limit": lambda: r.prlimit(pid, r.RLIMIT_CORE, (0, 0)),
      "priority": lambda: os.setpriority(os.PRIO_PROCESS, pid, 5),
      "processors": lambda: os.sched_setaffinity(pid, cpus),
      "policy": lambda: os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0)),
      "parameters": lambda: os.sched_setparam(pid, os.sched_param(0)),
      "disk": lambda: call(io, 1, pid, 3 << 13),
    }
def tried(who, attempts):
    for name, attempt in attempts.items():
        try: attempt(); went = "ok"
        except OSError as e: went = type(e).__name__
        print(who, name, went)
other = int(sys.argv[1])
print(r.prlimit(other, r.RLIMIT_CORE)[0])
tried("other", changes(other))
tried("self", changes(0))
tried("process", changes(os.getpid()))
waits = threading.Event(); thread = threading.Thread(target=waits.wait); thread.start()
tried("thread", changes(thread.native_id)); waits.set()
tried("user", {"priority": lambda: os.setpriority(os.PRIO_USER, os.getuid() + 7777, 5), "group": lambda: os.setpriority(os.PRIO_PGRP, 0, 6)})
"#;

#[test]
fn limits_and_priorities_of_others_stay_as_they_are() {
    let mut other = Outside::new("sleep").arg("60").spawn().unwrap();
    let pid = other.id().to_string();
    Outside::new("prlimit").args(["--core=5:5", "--pid", &pid]).status().unwrap();
    let said_of = || {
        let about = |what: &str| fs::read_to_string(format!("/proc/{pid}/{what}")).unwrap();
        let stat = about("stat");
        let stat: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        // Its priority, nice value and policy.
        (about("limits"), stat[15].clone(), stat[16].clone(), stat[38].clone())
    };
    let before = said_of();
    let script = |pid: &str| command(&["/usr/bin/python3", "-c", SCHEDULES, pid]);
    let said = run(&plan(Rung::B), &script(&pid));
    let mut lines = said.stdout.lines();
    assert_eq!(lines.next(), Some("5"), "it may be looked at: {}", said.stderr);
    let went: Vec<_> = lines.collect();
    assert_eq!(went.len(), 26, "{}", said.stderr);
    for line in went {
        let refused = line.starts_with("other ") || line == "user priority PermissionError";
        let want = if refused { " PermissionError" } else { " ok" };
        assert!(line.ends_with(want), "{line}");
    }
    assert_eq!(said_of(), before);
    let free = Outside::new("/usr/bin/python3").args(["-c", SCHEDULES, &pid]).output().unwrap();
    let free = String::from_utf8(free.stdout).unwrap();
    assert!(
        free.lines().filter(|line| line.starts_with("other ")).all(|line| line.ends_with(" ok")),
        "the control: {free}"
    );
    assert_ne!(said_of(), before);
    other.kill().unwrap();
    other.wait().unwrap();
}

/// A service has its files locked by its process: whoever closes one of them anywhere in it gives up its locks.
#[test]
fn locks_of_who_supervises_stay() {
    use std::os::fd::AsRawFd as _;
    const USES: &str = r#"
import ctypes, fcntl, os, struct, sys
c = ctypes.CDLL(None, use_errno=True)
fd = os.open(sys.argv[1] + "/file", os.O_RDWR); nowhere = struct.pack("HH12x", 2, 0)
os.fchmod(fd, 0o600); os.utime(fd); os.fchown(fd, -1, -1)
for call in (c.connect, c.bind): print(call(fd, nowhere, 16), ctypes.get_errno())
print(c.listen(fd, 1), ctypes.get_errno())
"#;
    let (_folder, given, other) = ground();
    let file = fs::File::options().read(true).write(true).open(given.join("file")).unwrap();
    // SAFETY: all zeroes is a valid value.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    // SAFETY: the kernel reads one such structure.
    assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &raw const lock) }, 0);
    let is_locked = || {
        let script = "import fcntl, sys\ntry: fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB); print('free')\nexcept OSError: print('locked')";
        let said = Outside::new("/usr/bin/python3").args(["-c", script]).arg(given.join("file")).output().unwrap();
        String::from_utf8(said.stdout).unwrap()
    };
    assert_eq!(is_locked(), "locked\n");
    let said = run(&between(&given, &other), &python(USES, &[&given]));
    assert_eq!(said.stdout, "-1 88\n-1 88\n-1 88\n", "no socket: {}", said.stderr);
    assert_eq!(is_locked(), "locked\n", "it still is");
    drop(file);
    assert_eq!(is_locked(), "free\n", "the control");
}
