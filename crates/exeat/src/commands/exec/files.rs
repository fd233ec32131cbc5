//! Files that are put over the system's, besides those that names need ([`confine`] adds them): who runs the
//! command has a name and a home inside, and nobody else's is told.
//!
//! When TLS is one day intercepted, the merged bundle of authorities goes here, over the system's own; the
//! variables that lead programs to one are in [`super::environment`].

use std::path::PathBuf;

use guard::plan::HOME;

use super::environment::USER;

/// Who runs the command, inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ids {
    /// The user.
    pub(super) uid: u32,
    /// Its group.
    pub(super) gid: u32,
}

/// Whom the kernel takes nobody for.
const NOBODY: u32 = 65_534;

impl Ids {
    /// As the guard maps them: root runs nothing inside, everybody else is itself.
    pub(super) fn inside(uid: u32, gid: u32) -> Self {
        if uid == 0 { Self { uid: NOBODY, gid: NOBODY } } else { Self { uid, gid } }
    }
}

/// The files, by their path inside.
pub(super) fn over(ids: Ids) -> Vec<(PathBuf, Vec<u8>)> {
    let Ids { uid, gid } = ids;
    let mut users = "root:x:0:0:root:/root:/bin/sh\n".to_owned();
    let mut groups = "root:x:0:\n".to_owned();
    users.push_str(&format!("{USER}:x:{uid}:{gid}:exeat:{HOME}:/bin/sh\n"));
    groups.push_str(&format!("{USER}:x:{gid}:\n"));
    if uid != NOBODY {
        users.push_str(&format!("nobody:x:{NOBODY}:{NOBODY}:nobody:/:/usr/sbin/nologin\n"));
        groups.push_str(&format!("nogroup:x:{NOBODY}:\n"));
    }
    [("/etc/passwd", users), ("/etc/group", groups)]
        .into_iter()
        .map(|(path, text)| (PathBuf::from(path), text.into_bytes()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_runs_it_has_a_name_and_each_number_is_one_name() {
        for (uid, want) in [(0, "exeat:x:65534:65534:"), (1000, "exeat:x:1000:100:"), (65_534, "exeat:x:65534:100:")] {
            let all = over(Ids::inside(uid, 100));
            let (_, users) = all.iter().find(|(path, _)| path.ends_with("passwd")).unwrap();
            let users = String::from_utf8(users.clone()).unwrap();
            assert!(users.contains(want) && users.contains(HOME), "{users}");
            let ids: Vec<&str> = users.lines().filter_map(|line| line.split(':').nth(2)).collect();
            assert_eq!(ids.iter().filter(|id| **id == "65534").count(), 1, "{users}");
        }
    }
}
