//! Dimensions whose values are names in a tree: hosts, dotted names, paths.
//!
//! The classes are numbered in the order of a walk through the mentioned names, so that "this name
//! and all below it" is one range of them.

use std::collections::{BTreeMap, HashSet};

use super::classes::Classes;
use super::words::Words;

/// How a name is cut into segments, from the root down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// `api.example.com`: labels from the right.
    Host,
    /// `mail.send`: parts from the left.
    Dotted,
    /// `/repos/acme`: segments from the left.
    Path,
}

impl Spelling {
    fn segments(self, name: &str) -> Vec<&str> {
        match self {
            Self::Host => name.rsplit('.').collect(),
            Self::Dotted => name.split('.').collect(),
            Self::Path => name.split('/').collect(),
        }
    }

    fn child(self, name: &str, segment: &str) -> String {
        match self {
            Self::Host => format!("{segment}.{name}"),
            Self::Dotted => format!("{name}.{segment}"),
            Self::Path => format!("{name}/{segment}"),
        }
    }

    fn below(self, name: &str) -> String {
        match self {
            Self::Host => format!("*.{name}"),
            Self::Dotted => format!("{name}.*"),
            Self::Path if name.is_empty() => "/".to_owned(),
            Self::Path => name.to_owned(),
        }
    }
}

/// A mentioned name.
#[derive(Debug)]
struct Node {
    name: String,
    /// The class of the name alone, where it is told apart from what is below.
    itself: Option<u32>,
    /// The class of what is below and not mentioned (with the name, where that is not told apart).
    rest: Option<u32>,
    /// The classes of the name and of everything mentioned below it.
    span: (u32, u32),
    children: Vec<usize>,
}

/// One dimension of names.
#[derive(Debug)]
pub(crate) struct Tree {
    spelling: Spelling,
    nodes: Vec<Node>,
    roots: Vec<usize>,
    by_name: BTreeMap<String, usize>,
    /// The class of every name that is not mentioned and not below one that is.
    outside: Option<u32>,
    /// A name in that class.
    elsewhere: Option<String>,
    end: u32,
}

/// Names that are mentioned: exactly, with all below, or both.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<String, (bool, bool)>);

impl Names {
    pub(crate) fn exact(&mut self, name: &str) {
        self.entry(name).0 = true;
    }

    pub(crate) fn below(&mut self, name: &str) {
        self.entry(name).1 = true;
    }

    fn entry(&mut self, name: &str) -> &mut (bool, bool) {
        if !self.0.contains_key(name) {
            self.0.insert(name.to_owned(), (false, false));
        }
        self.0.entry(name.to_owned()).or_default()
    }
}

impl Tree {
    /// Numbers the classes from `first` on.
    pub(crate) fn new(spelling: Spelling, mut names: Names, first: u32) -> Self {
        if spelling == Spelling::Path {
            names.below("");
        }
        let mut sorted: Vec<(Vec<&str>, &str, bool, bool)> = names
            .0
            .iter()
            .map(|(name, (exact, below))| (spelling.segments(name), name.as_str(), *exact, *below))
            .collect();
        sorted.sort();
        let (mut nodes, mut roots, mut next) = (Vec::<Node>::with_capacity(sorted.len()), Vec::new(), first);
        let mut open: Vec<(usize, &[&str], bool)> = Vec::new();
        let close = |nodes: &mut Vec<Node>, (at, below): (usize, bool), next: &mut u32| {
            if let Some(node) = nodes.get_mut(at) {
                if below {
                    node.rest = Some(*next);
                    *next += 1;
                }
                node.span.1 = *next;
            }
        };
        for (segments, name, exact, below) in &sorted {
            while let Some((at, _, below)) = open.pop_if(|(_, above, _)| !segments.starts_with(above)) {
                close(&mut nodes, (at, below), &mut next);
            }
            let at = nodes.len();
            match open.last().and_then(|(parent, ..)| nodes.get_mut(*parent)) {
                Some(parent) => parent.children.push(at),
                None => roots.push(at),
            }
            let itself = exact.then_some(next);
            nodes.push(Node { name: (*name).to_owned(), itself, rest: None, span: (next, next), children: Vec::new() });
            next += u32::from(*exact);
            open.push((at, segments, *below));
        }
        while let Some((at, _, below)) = open.pop() {
            close(&mut nodes, (at, below), &mut next);
        }
        let outside = (spelling != Spelling::Path).then_some(next);
        next += u32::from(outside.is_some());
        let by_name = nodes.iter().enumerate().map(|(at, node)| (node.name.clone(), at)).collect();
        let elsewhere = elsewhere(spelling, &nodes);
        Self { spelling, nodes, roots, by_name, outside, elsewhere, end: next }
    }

    /// One past the last class.
    pub(crate) fn end(&self) -> u32 {
        self.end
    }

    fn node(&self, name: &str) -> Option<&Node> {
        self.by_name.get(name).and_then(|at| self.nodes.get(*at))
    }

    /// The class of a mentioned name alone.
    pub(crate) fn exact(&self, name: &str) -> Classes {
        self.node(name).and_then(|node| node.itself).map_or_else(Classes::none, Classes::one)
    }

    /// The classes of a mentioned name and of all below it.
    pub(crate) fn below(&self, name: &str) -> Classes {
        self.node(name).map_or_else(Classes::none, |node| Classes::range(node.span.0, node.span.1))
    }

    /// A name in the class.
    pub(crate) fn example(&self, class: u32) -> Option<String> {
        let fresh = |parent: &str| {
            (0_u32..)
                .map(|n| if n == 0 { "other".to_owned() } else { format!("other{n}") })
                .map(|segment| self.spelling.child(parent, &segment))
                .find(|name| !self.by_name.contains_key(name))
        };
        if self.outside == Some(class) {
            return self.elsewhere.clone();
        }
        let node = self.holder(class)?;
        match (node.itself, self.spelling) {
            (Some(itself), _) if itself == class => Some(node.name.clone()),
            (Some(_), _) => fresh(&node.name),
            (None, Spelling::Path) if node.name.is_empty() => Some("/".to_owned()),
            (None, _) => Some(node.name.clone()),
        }
    }

    /// The node one of whose own two classes it is.
    fn holder(&self, class: u32) -> Option<&Node> {
        let mut among = &self.roots;
        loop {
            // Those beside each other begin in order; only the last that begins here or before can hold it.
            let begins = |at: &usize| self.nodes.get(*at).is_some_and(|node| node.span.0 <= class);
            let at = *among.get(among.partition_point(begins).checked_sub(1)?)?;
            let node = self.nodes.get(at)?;
            if node.itself == Some(class) || node.rest == Some(class) {
                return Some(node);
            }
            among = &node.children;
        }
    }

    /// The set in words.
    pub(crate) fn words(&self, set: &Classes) -> Words {
        let (mut words, whole) = (Words::default(), self.outside.is_some_and(|outside| set.contains(outside)));
        if whole {
            words.all = true;
            let seen = Classes::range(0, self.end).minus(set);
            self.list(&self.roots, &seen, &mut words.except);
        } else {
            let mut some = Vec::new();
            self.list(&self.roots, set, &mut some);
            words.some = some;
        }
        words
    }

    fn list(&self, among: &[usize], set: &Classes, into: &mut Vec<String>) {
        for node in among.iter().filter_map(|at| self.nodes.get(*at)) {
            let span = Classes::range(node.span.0, node.span.1);
            let inside = set.clip(node.span.0, node.span.1);
            if inside.is_empty() {
                continue;
            }
            match node.rest {
                Some(rest) if inside.contains(rest) => {
                    let mut except = Vec::new();
                    let out = span.minus(&inside);
                    if node.itself.is_some_and(|itself| out.contains(itself)) {
                        except.push(format!("`{}` itself", node.name));
                    }
                    self.list(&node.children, &out, &mut except);
                    let below = self.spelling.below(&node.name);
                    into.push(if except.is_empty() {
                        format!("`{below}`")
                    } else {
                        format!("`{below}` except {}", super::words::listed(&except, "and"))
                    });
                }
                _ => {
                    if node.itself.is_some_and(|itself| inside.contains(itself)) {
                        into.push(format!("`{}`", node.name));
                    }
                    self.list(&node.children, &inside, into);
                }
            }
        }
    }
}

/// A name that is not mentioned, nor anything above it; none among paths, which are all below `/`.
fn elsewhere(spelling: Spelling, nodes: &[Node]) -> Option<String> {
    let mentioned: HashSet<Vec<&str>> = nodes.iter().map(|node| spelling.segments(&node.name)).collect();
    (0_u32..).map(|n| if n == 0 { String::new() } else { n.to_string() }).find_map(|n| {
        let name = match spelling {
            Spelling::Host => format!("elsewhere{n}.test{n}"),
            Spelling::Dotted => format!("other{n}.name"),
            Spelling::Path => return Some(None),
        };
        let segments = spelling.segments(&name);
        let free = (1..=segments.len()).all(|n| segments.get(..n).is_none_or(|above| !mentioned.contains(above)));
        free.then_some(Some(name))
    })?
}
