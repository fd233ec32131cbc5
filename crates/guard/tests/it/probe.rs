//! The probe finds what holds and names what is missing: as root and as an ordinary user, and where layers are taken
//! away as containers and distributions do it.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use guard::Layer;
use guard::probe::{Finding, Report, State, layers};
use guard::rung::Rung;

const ORDINARY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/// The program, where an ordinary user can start it.
struct Program {
    folder: tempfile::TempDir,
}

impl Program {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::copy(env!("CARGO_BIN_EXE_guard-spawner"), folder.path().join("guard-spawner")).unwrap();
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("guard-spawner")
    }

    /// The report that is found behind this command, which starts the program that follows it.
    fn report(&self, before: &[&str]) -> Report {
        let mut words = before.iter().map(Path::new).collect::<Vec<_>>();
        let path = self.path();
        words.push(&path);
        let (first, rest) = words.split_first().unwrap();
        let mut command = Command::new(first);
        command.args(rest).arg("report").current_dir("/");
        read(command)
    }
}

fn read(mut command: Command) -> Report {
    let output = command.output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{command:?}: {error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn users() -> Vec<&'static [&'static str]> {
    // SAFETY: no pointers, never fails.
    if unsafe { libc::geteuid() } == 0 { vec![&[], &ORDINARY] } else { vec![&[]] }
}

fn of(report: &Report, rung: Rung, layer: Layer) -> &Finding {
    report.findings.iter().find(|finding| finding.rung == rung && finding.layer == layer).unwrap()
}

#[test]
fn every_layer_of_both_rungs_lives() {
    let program = Program::new();
    for user in users() {
        let report = program.report(user);
        let dead: Vec<_> = report.findings.iter().filter(|finding| finding.state != State::Live).collect();
        assert!(dead.is_empty(), "{user:?}: {dead:#?}");
        assert!(report.findings.iter().all(|finding| finding.reason.is_none()), "{report:#?}");
        assert_eq!(report.rungs, [Rung::A, Rung::B], "{user:?}");
        assert_eq!(report.findings.len(), layers(Rung::A).len() + layers(Rung::B).len());
        // The same machine is the same text.
        assert_eq!(report.canonical(), program.report(user).canonical());
    }
}

#[test]
fn without_user_namespaces_rung_b_remains() {
    let program = Program::new();
    let forbid = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
    let before = vec!["unshare", "--user", "--map-root-user", "sh", "-c", forbid, "sh"];
    for user in users() {
        let mut command = user.to_vec();
        command.extend(&before);
        let report = program.report(&command);
        assert_eq!(report.rungs, [Rung::B], "{user:?}: {report:#?}");
        let missing = report.obstacle(Rung::A).unwrap();
        assert_eq!((missing.layer, missing.state), (Layer::UserNamespace, State::Missing), "{missing:?}");
        assert_eq!(missing.fix.as_deref(), Some("sysctl -w user.max_user_namespaces=65536"));
        // What needs it was not tried, and says so.
        let rules = of(&report, Rung::A, Layer::NfTables);
        assert_eq!(rules.reason.as_deref(), Some("not tried: there is no user_namespace"));
    }
}

#[test]
fn a_masked_proc_is_no_hindrance() {
    let program = Program::new();
    // SAFETY: no pointers, never fails.
    let root = unsafe { libc::geteuid() } == 0;
    let mask = "mount -t tmpfs none /proc/acpi && exec \"$@\"";
    let mut before = vec!["unshare"];
    before.extend(if root { &["--mount"][..] } else { &["--user", "--map-current-user", "--keep-caps", "--mount"] });
    before.extend(["sh", "-c", mask, "sh"]);
    for user in users() {
        let mut command = before.clone();
        command.extend(user);
        let report = program.report(&command);
        // It cannot be mounted anew; the one that is there is shown instead, and everything else holds.
        assert_eq!(report.rungs, [Rung::A, Rung::B], "{user:?}: {report:#?}");
        let processes = of(&report, Rung::A, Layer::PidNamespace);
        assert_eq!(processes.state, State::Live, "{report:#?}");
        assert!(processes.reason.as_deref().is_some_and(|reason| reason.contains("listed")), "{processes:?}");
        assert_eq!(of(&report, Rung::A, Layer::TransparentProxy).state, State::Live);
    }
}

#[test]
fn root_by_name_has_both_rungs() {
    let program = Program::new();
    // SAFETY: no pointers, never fails.
    let root = unsafe { libc::geteuid() } == 0;
    // In a user namespace where nobody else is known; and without the capability that root is for.
    let alone = &["unshare", "--user", "--map-root-user"][..];
    let bare = &["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"][..];
    for before in [alone, bare].into_iter().take(if root { 2 } else { 1 }) {
        let report = program.report(before);
        assert_eq!(report.rungs, [Rung::A, Rung::B], "{before:?}: {report:#?}");
    }
}

/// A call that is refused to the program and all that it starts, by its number and bits of one or two arguments.
struct Refused {
    call: libc::c_long,
    /// Which argument, a mask, and the value that is refused. The lower half of it.
    when: &'static [(u32, u32, u32)],
    errno: i32,
}

const fn refused(call: libc::c_long, when: &'static [(u32, u32, u32)], errno: i32) -> Refused {
    Refused { call, when, errno }
}

fn filter(refused: &[Refused]) -> Vec<libc::sock_filter> {
    let step = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
    let load = |offset| step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset);
    let equal = |k: u32, jf| step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, jf, k);
    let and = |k: u32| step(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, 0, k);
    let answer = |k| step(libc::BPF_RET | libc::BPF_K, 0, 0, k);
    let mut program = Vec::new();
    for Refused { call, when, errno } in refused {
        let length = 1 + 3 * when.len() as u8;
        program.extend([load(0), equal(*call as u32, length)]);
        for (at, (argument, mask, value)) in when.iter().enumerate() {
            let after = length - 3 * (at as u8 + 1);
            program.extend([load(16 + 8 * argument), and(*mask), equal(*value, after)]);
        }
        program.push(answer(libc::SECCOMP_RET_ERRNO | *errno as u32));
    }
    program.push(answer(libc::SECCOMP_RET_ALLOW));
    program
}

impl Program {
    /// The report of a machine that refuses this.
    fn report_without(&self, user: &[&str], refused: &[Refused]) -> Report {
        let path = self.path();
        let mut words = user.to_vec();
        words.push(path.to_str().unwrap());
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg("report").current_dir("/");
        let filter = filter(refused);
        // SAFETY: between fork and exec; it calls nothing but the kernel, and the filter was made before.
        unsafe {
            command.pre_exec(move || {
                let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
                libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                if libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        read(command)
    }
}

/// What the default profile of the usual container engines refuses to whoever has no capability in the machine.
const LIKE_A_CONTAINER: &[Refused] = &[
    refused(libc::SYS_unshare, &[], libc::EPERM),
    refused(libc::SYS_setns, &[], libc::EPERM),
    refused(libc::SYS_mount, &[], libc::EPERM),
    refused(libc::SYS_umount2, &[], libc::EPERM),
    refused(libc::SYS_pivot_root, &[], libc::EPERM),
    refused(libc::SYS_open_tree, &[], libc::EPERM),
    refused(libc::SYS_move_mount, &[], libc::EPERM),
    refused(libc::SYS_mount_setattr, &[], libc::EPERM),
    refused(libc::SYS_bpf, &[], libc::EPERM),
    refused(libc::SYS_keyctl, &[], libc::EPERM),
    refused(libc::SYS_pidfd_getfd, &[], libc::EPERM),
    refused(libc::SYS_kcmp, &[], libc::EPERM),
    refused(libc::SYS_clone3, &[], libc::ENOSYS),
    refused(libc::SYS_clone, &[(0, libc::CLONE_NEWUSER as u32, libc::CLONE_NEWUSER as u32)], libc::EPERM),
    refused(libc::SYS_socket, &[(0, !0, libc::AF_VSOCK as u32)], libc::EPERM),
];

const NEWNET: u32 = libc::CLONE_NEWNET as u32;

#[test]
fn what_a_machine_lacks_is_named() {
    let program = Program::new();
    for (what, lacks, rungs, layer, fix) in [
        ("a container", LIKE_A_CONTAINER, &[Rung::B][..], Layer::UserNamespace, ""),
        (
            "network namespaces",
            &[
                refused(libc::SYS_clone, &[(0, NEWNET, NEWNET)], libc::EINVAL),
                refused(libc::SYS_unshare, &[(0, NEWNET, NEWNET)], libc::EINVAL),
            ],
            &[Rung::B],
            Layer::NetworkNamespace,
            "CONFIG_NET_NS",
        ),
        (
            "netfilter",
            &[refused(
                libc::SYS_socket,
                &[(0, !0, libc::AF_NETLINK as u32), (2, !0, libc::NETLINK_NETFILTER as u32)],
                libc::EPROTONOSUPPORT,
            )],
            &[Rung::B],
            Layer::NfTables,
            "modprobe nf_tables",
        ),
        (
            "transparent sockets",
            &[refused(
                libc::SYS_setsockopt,
                &[(1, !0, libc::SOL_IP as u32), (2, !0, libc::IP_TRANSPARENT as u32)],
                libc::ENOPROTOOPT,
            )],
            &[Rung::B],
            Layer::TransparentProxy,
            "modprobe nft_tproxy",
        ),
        ("new mounts", &[refused(libc::SYS_move_mount, &[], libc::ENOSYS)], &[Rung::B], Layer::MountView, ""),
        (
            "landlock",
            &[refused(libc::SYS_landlock_create_ruleset, &[], libc::ENOSYS)],
            &[],
            Layer::Landlock,
            "landlock",
        ),
        (
            "filters that ask",
            &[refused(libc::SYS_seccomp, &[(0, !0, 1), (1, 8, 8)], libc::EINVAL)],
            &[],
            Layer::Seccomp,
            "CONFIG_SECCOMP_FILTER",
        ),
    ] {
        for user in users() {
            let report = program.report_without(user, lacks);
            assert_eq!(report.rungs, rungs, "{what} {user:?}: {report:#?}");
            let missing = report.obstacle(Rung::A).unwrap();
            assert_eq!((missing.layer, missing.state), (layer, State::Missing), "{what} {user:?}: {report:#?}");
            assert!(missing.reason.is_some(), "{what}: {missing:?}");
            assert!(missing.fix.as_deref().unwrap_or_default().contains(fix), "{what}: {missing:?}");
        }
    }
}

/// Each weakness is found, and blamed on the layer that it takes away.
#[cfg(feature = "weaken")]
#[test]
fn a_layer_that_is_taken_away_is_missed() {
    let program = Program::new();
    for (weakness, rung, broken) in [
        ("skip_nft", Rung::A, &[Layer::NfTables, Layer::TransparentProxy, Layer::PacketLog][..]),
        ("skip_packet_log_drop", Rung::A, &[Layer::PacketLog]),
        ("skip_pid_namespace", Rung::A, &[Layer::PidNamespace]),
        ("keep_capabilities", Rung::A, &[Layer::Capabilities]),
        ("leave_fd_open", Rung::A, &[Layer::Descriptors]),
        ("drop_vsock_rule", Rung::A, &[Layer::Seccomp]),
        ("drop_ptrace_rule", Rung::B, &[Layer::Seccomp, Layer::Notify]),
        ("host_mount_view", Rung::A, &[Layer::MountView]),
        ("skip_landlock", Rung::A, &[Layer::Landlock]),
        ("skip_landlock", Rung::B, &[Layer::Landlock]),
    ] {
        for user in users() {
            let mut before = user.to_vec();
            let weak = format!("EXEAT_WEAKEN={weakness}");
            before.extend(["env", &weak]);
            let report = program.report(&before);
            let dead: Vec<_> = report
                .findings
                .iter()
                .filter(|finding| finding.rung == rung && finding.state != State::Live)
                .map(|finding| finding.layer)
                .collect();
            assert!(broken.iter().all(|layer| dead.contains(layer)), "{weakness} {user:?}: {report:#?}");
            assert!(!report.rungs.contains(&rung), "{weakness} {user:?}");
        }
    }
}
