//! One pass over the text that finds every literal of every rule.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use aho_corasick::automaton::Automaton;
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, MatchKind};

/// LIMIT: bytes of text that are searched before the automaton is built. To search them takes a fraction of that, and
/// a process that ends soon has no more.
const FEW_BYTES: usize = 1024;

/// Reports every place where one of its literals occurs, in any ASCII case.
pub(crate) enum Prefilter {
    /// The automaton: one table look-up per byte. Driven by hand, as an iterator over overlapping
    /// matches takes longer to set up than most texts take to read.
    Automaton(Box<DFA>),
    /// Compares everywhere: slow and obviously right. Takes over should the automaton ever
    /// outgrow its limits, and is what tests compare the automaton with.
    Everywhere(Vec<&'static str>),
    /// Everywhere while there was little text, then the automaton.
    Later(Box<Later>),
}

/// What becomes an automaton once that is worth it.
pub(crate) struct Later {
    literals: Vec<&'static str>,
    /// How many bytes were searched without.
    searched: AtomicUsize,
    built: OnceLock<Prefilter>,
}

impl Prefilter {
    pub(crate) fn new(literals: &[&'static str]) -> Self {
        // `Standard` is the only kind that reports overlapping literals.
        let built = DFA::builder().match_kind(MatchKind::Standard).ascii_case_insensitive(true).build(literals);
        match built {
            Ok(automaton) => Self::Automaton(Box::new(automaton)),
            Err(_) => Self::Everywhere(literals.to_vec()),
        }
    }

    /// The same, built when there is enough to search.
    pub(crate) fn later(literals: &[&'static str]) -> Self {
        let (literals, searched) = (literals.to_vec(), AtomicUsize::new(0));
        Self::Later(Box::new(Later { literals, searched, built: OnceLock::new() }))
    }

    /// Calls `see(literal index, start)` for every occurrence, ordered by where it ends.
    pub(crate) fn each(&self, text: &[u8], mut see: impl FnMut(usize, usize)) {
        match self {
            Self::Automaton(dfa) => {
                // Unanchored searches always have a start state; without one nothing could be seen.
                let Ok(mut state) = dfa.start_state(Anchored::No) else { return };
                for (index, byte) in text.iter().enumerate() {
                    state = dfa.next_state(Anchored::No, state, *byte);
                    if dfa.is_special(state) && dfa.is_match(state) {
                        for nth in 0..dfa.match_len(state) {
                            let literal = dfa.match_pattern(state, nth);
                            see(literal.as_usize(), index + 1 - dfa.pattern_len(literal));
                        }
                    }
                }
            }
            Self::Everywhere(literals) => everywhere(literals, text, see),
            Self::Later(later) => match later.built.get() {
                Some(built) => built.each(text, see),
                None if later.searched.fetch_add(text.len(), Ordering::Relaxed) + text.len() <= FEW_BYTES => {
                    everywhere(&later.literals, text, see);
                }
                None => later.built.get_or_init(|| Self::new(&later.literals)).each(text, see),
            },
        }
    }
}

fn everywhere(literals: &[&'static str], text: &[u8], mut see: impl FnMut(usize, usize)) {
    for end in 1..=text.len() {
        let last = text.get(end - 1).map(u8::to_ascii_lowercase);
        for (index, literal) in literals.iter().enumerate() {
            let literal = literal.as_bytes();
            let Some(start) = end.checked_sub(literal.len()) else {
                continue;
            };
            // Most are told apart by the byte that they end with.
            if literal.last().map(u8::to_ascii_lowercase) != last {
                continue;
            }
            if text.get(start..end).unwrap_or_default().eq_ignore_ascii_case(literal) {
                see(index, start);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::Prefilter;
    use crate::scanner::Scanner;

    fn scanners() -> (&'static Scanner, Scanner) {
        static AUTOMATON: LazyLock<Scanner> = LazyLock::new(|| Scanner::with(Prefilter::new));
        (&AUTOMATON, Scanner::with(|literals| Prefilter::Everywhere(literals.to_vec())))
    }

    #[test]
    fn little_text_builds_nothing_and_much_does() {
        let wakes = ["token", "key="];
        let Prefilter::Later(later) = Prefilter::later(&wakes) else { unreachable!("it is made so") };
        let all = Prefilter::Later(later);
        let built = |all: &Prefilter| matches!(all, Prefilter::Later(later) if later.built.get().is_some());
        let count = |text: &str| {
            let mut count = 0;
            all.each(text.as_bytes(), |_, _| count += 1);
            count
        };
        assert_eq!(count("a TOKEN and key=1"), 2);
        assert!(!built(&all));
        assert_eq!(count(&"token ".repeat(super::FEW_BYTES / 6)), super::FEW_BYTES / 6);
        assert!(built(&all), "many short texts are as much as a long one");
        assert_eq!(count("a TOKEN and key=1"), 2);
    }

    #[test]
    fn all_literals_fit_the_automaton() {
        Scanner::with(|literals| {
            let built = Prefilter::new(literals);
            assert!(matches!(built, Prefilter::Automaton(_)));
            built
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn automaton_sees_what_the_naive_search_sees(
            parts in prop::collection::vec("(Bearer|Basic|token|KEY|[:=\"@ ]|://|a1B2c3D4e5F6g7H8i9|\\PC)", 0..12),
        ) {
            let (automaton, everywhere) = scanners();
            let text = parts.concat();
            prop_assert_eq!(automaton.findings(&text), everywhere.findings(&text));
        }
    }
    proptest! {
        // Each case builds an automaton of its own.
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn what_builds_it_later_sees_the_same_before_and_after(
            parts in prop::collection::vec("(Bearer|Basic|token|KEY|[:=\"@ ]|://|a1B2c3D4e5F6g7H8i9|\\PC)", 0..12),
        ) {
            let (automaton, later) = (scanners().0, Scanner::with(Prefilter::later));
            let text = parts.concat();
            let want = automaton.findings(&text);
            prop_assert_eq!(&later.findings(&text), &want);
            later.findings(&"x".repeat(super::FEW_BYTES + 1));
            prop_assert_eq!(&later.findings(&text), &want);
        }
    }
}
