//! The hosts file.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use smallvec::SmallVec;

use super::config::HostsFile;
use super::file::Watched;

type Names = HashMap<Box<str>, SmallVec<[IpAddr; 2]>>;

#[derive(Debug)]
pub(super) struct Hosts {
    file: Option<Watched>,
    names: ArcSwap<Names>,
}

impl Hosts {
    pub(super) fn new(file: HostsFile) -> Self {
        let file = match file {
            HostsFile::Ignore => None,
            HostsFile::At(path) => Some(Watched::new(path)),
        };
        let hosts = Self { file, names: ArcSwap::default() };
        // Before anybody asks: two who asked first at once would find it read by neither.
        hosts.refresh();
        hosts
    }

    fn refresh(&self) {
        if let Some(content) = self.file.as_ref().and_then(Watched::changed) {
            self.names.store(Arc::new(parse(&String::from_utf8_lossy(&content))));
        }
    }

    /// Every address of a name that has an entry.
    pub(super) fn addresses(&self, name: &str) -> Option<SmallVec<[IpAddr; 2]>> {
        self.file.as_ref()?;
        self.refresh();
        self.names.load().get(name).cloned()
    }
}

/// `address name…` per line; `#` begins a comment. A line whose address cannot be read is passed over.
fn parse(content: &str) -> Names {
    let mut names = Names::new();
    for line in content.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(Ok(address)) = words.next().map(str::parse::<IpAddr>) else { continue };
        for name in words {
            let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
            let addresses = names.entry(name.into()).or_default();
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn lines_are_read_as_other_resolvers_read_them() {
        let names = parse(
            "# a comment\n\n127.0.0.1\tlocalhost\n10.0.0.1 Db.Corp db # the database\n::1 db.corp\nfe80::1%lo0 zone\nnonsense here\n10.0.0.1 db\n",
        );
        assert_eq!(names["db.corp"].as_slice(), [ip("10.0.0.1"), ip("::1")]);
        assert_eq!(names["db"].as_slice(), [ip("10.0.0.1")]);
        assert!(!names.contains_key("zone") && !names.contains_key("here"));
    }

    #[test]
    fn a_change_of_the_file_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        std::fs::write(&path, "10.0.0.1 one\n").unwrap();
        let hosts = Hosts::new(HostsFile::At(path.clone()));
        assert_eq!(hosts.addresses("one").as_deref(), Some([ip("10.0.0.1")].as_slice()));
        std::fs::write(&path, "10.0.0.1 one\n10.0.0.2 two\n").unwrap();
        hosts.file.as_ref().unwrap().look_now();
        assert_eq!(hosts.addresses("two").as_deref(), Some([ip("10.0.0.2")].as_slice()));
        std::fs::remove_file(&path).unwrap();
        hosts.file.as_ref().unwrap().look_now();
        assert_eq!(hosts.addresses("two"), None);
    }
}
