//! What a command sees of the file system, and what it can change.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;

#[test]
fn what_was_not_named_is_not_there() {
    let folder = folder();
    fs::write(folder.path().join("secret"), "x").unwrap();
    let path = folder.path().join("secret");
    let script = format!(
        "for p in {} /root/.bashrc /var/lib /var/run/docker.sock /run/dbus /home/* /boot /sys/kernel /dev/mem /dev/kmsg; do \
         [ -e $p ] && [ $p != {} ] && echo $p; done; ls -A /tmp /run /dev/shm /mnt; true",
        path.display(),
        plan::HOME
    );
    assert_eq!(prints(&plan(Rung::A), &script), "/dev/shm:\n\n/mnt:\n\n/run:\n\n/tmp:");
    let said = run(&plan(Rung::B), &shell(&format!("cat {}; ls /root /home /tmp /run", path.display())));
    assert_eq!(said.stdout, "", "{said:?}");
    let mut seen = plan(Rung::B);
    seen.view.read_only.push(folder.path().canonicalize().unwrap());
    assert_eq!(prints(&seen, &format!("cat {}", path.display())), "x", "the control");
}

#[test]
fn a_writable_folder_is_its_callers() {
    let folder = folder();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let old = folder.path().join("old");
    fs::write(&old, "old").unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o600)).unwrap();
    for rung in [Rung::A, Rung::B] {
        let script = format!(
            "cd {} && cat old && echo more >> old && echo new > new-{rung} && mkdir d-{rung} && mv new-{rung} d-{rung}/ \
             && [ -O old ] && stat -c %U old >/dev/null && ln -s old l-{rung} && chmod 640 d-{rung}/new-{rung}",
            folder.path().display()
        );
        let said = run(&writable(rung, folder.path()), &shell(&script));
        assert_eq!(said.exit, Exit::Code(0), "{rung} {said:?}");
        let made = fs::metadata(folder.path().join(format!("d-{rung}/new-{rung}"))).unwrap();
        let me = rustix::process::geteuid().as_raw();
        assert_eq!((made.uid(), made.mode() & 0o777), (me, 0o640), "{rung}: it is its caller's outside");
    }
    assert_eq!(fs::read_to_string(&old).unwrap(), "oldmore\nmore\n");
}

#[test]
fn what_is_only_to_be_read_cannot_be_changed() {
    let folder = folder();
    fs::write(folder.path().join("file"), "data").unwrap();
    for rung in [Rung::A, Rung::B] {
        let mut plan = plan(rung);
        plan.view.read_only.push(folder.path().canonicalize().unwrap());
        let file = folder.path().join("file");
        let script = format!(
            "cat {0}; for p in {0} /etc/passwd /etc/new /usr/new /usr/bin/env /bin/new /new /proc/sys/kernel/core_pattern \
             /proc/sys/kernel/hostname /proc/sys/vm/drop_caches /proc/sysrq-trigger /proc/sys/net/ipv4/ip_forward; do \
             (echo x >> $p) 2>/dev/null && echo changed $p; done; rm -f {0} 2>/dev/null; true",
            file.display()
        );
        assert_eq!(prints(&plan, &script), "data", "{rung}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "data");
    }
}

#[test]
fn masked_paths_are_empty() {
    let folder = folder();
    let top = folder.path().canonicalize().unwrap();
    fs::create_dir_all(top.join("keys/deep")).unwrap();
    fs::write(top.join("keys/deep/secret"), "s3cret").unwrap();
    fs::write(top.join("credentials"), "s3cret").unwrap();
    fs::write(top.join("elsewhere"), "s3cret").unwrap();
    symlink("elsewhere", top.join("link")).unwrap();
    let mut plan = writable(Rung::A, &top);
    plan.view.masked = ["keys", "credentials", "link", "absent", "credentials/below"].map(|path| top.join(path)).into();
    let script = format!(
        "cd {} && cat credentials link elsewhere /etc/shadow /etc/gshadow; ls -A keys; grep -r s3cret . ; \
         rm -rf credentials keys; mv keys other; echo x > credentials; umount keys; true",
        top.display()
    );
    let said = run(&plan, &shell(&script));
    assert_eq!(said.stdout, "", "{said:?}");
    assert_eq!(fs::read_to_string(top.join("credentials")).unwrap(), "s3cret");
    assert_eq!(fs::read_to_string(top.join("keys/deep/secret")).unwrap(), "s3cret");
    plan.rung = Rung::B;
    let refused = LAUNCHER.launch(&plan);
    assert!(matches!(refused, Err(LaunchError::Plan(_))), "B cannot hide it, so it does not start: {refused:?}");
}

#[test]
fn protected_paths_stay_as_they_are() {
    let folder = folder();
    let top = folder.path().canonicalize().unwrap();
    fs::create_dir_all(top.join(".git/info")).unwrap();
    fs::create_dir_all(top.join("real-hooks")).unwrap();
    fs::write(top.join("real-hooks/pre-push"), "mine").unwrap();
    symlink("../real-hooks", top.join(".git/linked")).unwrap();
    fs::write(top.join(".git/config"), "mine").unwrap();
    let mut plan = writable(Rung::A, &top);
    plan.view.protected =
        [".git/hooks", ".git/config", ".git/linked", ".envrc", "no/such"].map(|path| top.join(path)).into();
    let script = "echo x >> .git/config; echo x > .git/new && mv .git/new .git/config; rm .git/config; echo x > .git/hooks/a; \
         mkdir .git/hooks; rm -rf .git/hooks; mv .git .git2; rm -rf .git; echo x > .envrc; rm .envrc; mv .envrc copy; \
         echo x > .git/linked/pre-push; rm .git/linked; mv .git/linked .git/l; ln -sfn /tmp .git/linked; echo x > real-hooks/pre-push; \
         touch .git/index && echo worked";
    let mut command = shell(script);
    command.cwd.clone_from(&top);
    let said = run(&plan, &command);
    assert_eq!(said.stdout, "worked\n", "the rest of the folder is writable: {said:?}");
    assert_eq!(fs::read_to_string(top.join(".git/config")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(top.join("real-hooks/pre-push")).unwrap(), "mine");
    assert_eq!(fs::read_link(top.join(".git/linked")).unwrap(), Path::new("../real-hooks"));
    assert!(top.join(".git/index").exists(), "{said:?}");
    for path in [".git/hooks", ".envrc", ".git2", ".git/l"] {
        assert!(fs::symlink_metadata(top.join(path)).is_err(), "{path} was made or left behind");
    }
    plan.view.protected.clear();
    let free = Command { cwd: top.clone(), ..shell("mkdir .git/hooks && echo x > .git/hooks/a && echo x > .envrc") };
    assert_eq!(run(&plan, &free).exit, Exit::Code(0), "the control changes them");
    assert!(top.join(".git/hooks/a").exists() && top.join(".envrc").exists());
}

#[test]
fn files_of_ours_lie_over_what_is_there() {
    let folder = folder();
    let top = folder.path().canonicalize().unwrap();
    symlink("/run/nowhere/target", top.join("dangling")).unwrap();
    fs::write(top.join("there"), "host").unwrap();
    let mut plan = writable(Rung::A, &top);
    plan.view.files = vec![
        ("/etc/resolv.conf".into(), b"nameserver 127.0.0.1\n".to_vec()),
        (top.join("dangling"), b"covered".to_vec()),
        (top.join("there"), vec![b'y'; 300_000]),
        ("/run/added/file".into(), b"added".to_vec()),
    ];
    let script = format!(
        "cat /etc/resolv.conf {0}/dangling /run/added/file; wc -c < {0}/there; echo x >> {0}/there; echo x >> /etc/resolv.conf; true",
        top.display()
    );
    assert_eq!(prints(&plan, &script), "nameserver 127.0.0.1\ncoveredadded300000");
    assert_eq!(fs::read_to_string(top.join("there")).unwrap(), "host");
}

#[test]
fn the_disk_cannot_be_filled() {
    let mut plan = plan(Rung::A);
    plan.view.scratch_bytes = 2 << 20;
    let script = "df -k /tmp /dev/shm $HOME | awk 'NR>1{print $2}' | sort -u; \
         for d in /tmp /dev/shm $HOME /run; do head -c 4000000 /dev/zero > $d/big 2>/dev/null && echo filled; done; \
         head -c 1 /dev/zero > /dev/shm/more 2>/dev/null && echo room; \
         i=0; rm -f /tmp/big; while [ $i -lt 3000 ] && true > /tmp/$i; do i=$((i+1)); done 2>/dev/null; [ $i -lt 1000 ] && echo bounded";
    assert_eq!(prints(&plan, script), "2048\nbounded");
}

#[test]
fn given_paths_lie_within_each_other() {
    let folder = folder();
    let top = folder.path().canonicalize().unwrap();
    fs::create_dir_all(top.join("a/b/c")).unwrap();
    fs::write(top.join("a/single"), "file").unwrap();
    let mut plan = plan(Rung::A);
    plan.view.read_only = vec![top.clone(), top.join("a/b/c")];
    plan.view.writable = vec![top.join("a/b")];
    let script = format!(
        "cd {}; true > a/b/yes && echo b; true > a/no || echo no a; true > a/b/c/no || echo no c; cat a/single",
        top.display()
    );
    assert_eq!(prints(&plan, &script), "b\nno a\nno c\nfile");
    let mut single = super::plan(Rung::A);
    single.view.read_only = vec![top.join("a/single")];
    assert_eq!(prints(&single, &format!("ls {}", top.join("a").display())), "single");
}

#[test]
fn what_cannot_be_given_is_said() {
    for path in ["/no/such/folder", "/", "relative"] {
        for rung in [Rung::A, Rung::B] {
            let mut plan = plan(rung);
            plan.view.writable.push(path.into());
            let refused = LAUNCHER.launch(&plan);
            assert!(matches!(refused, Err(LaunchError::Plan(_))), "{path}: {refused:?}");
        }
    }
}
