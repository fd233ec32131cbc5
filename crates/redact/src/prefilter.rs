//! One pass over the text that finds every literal of every rule.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// Reports every place where one of its literals occurs, in any ASCII case.
pub(crate) enum Prefilter {
    /// The automaton: about one table look-up per byte.
    Automaton(Box<AhoCorasick>),
    /// Compares everywhere: slow and obviously right. Takes over should the automaton ever
    /// outgrow its limits, and is what tests compare the automaton with.
    Everywhere(Vec<&'static str>),
}

impl Prefilter {
    pub(crate) fn new(literals: &[&'static str]) -> Self {
        // `Standard` is the only kind that reports overlapping literals.
        let built = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(literals);
        match built {
            Ok(automaton) => Self::Automaton(Box::new(automaton)),
            Err(_) => Self::Everywhere(literals.to_vec()),
        }
    }

    /// Calls `see(literal index, start)` for every occurrence, ordered by where it ends.
    pub(crate) fn each(&self, text: &str, mut see: impl FnMut(usize, usize)) {
        match self {
            Self::Automaton(automaton) => {
                for found in automaton.find_overlapping_iter(text) {
                    see(found.pattern().as_usize(), found.start());
                }
            }
            Self::Everywhere(literals) => {
                for end in 1..=text.len() {
                    for (index, literal) in literals.iter().enumerate() {
                        let Some(start) = end.checked_sub(literal.len()) else {
                            continue;
                        };
                        let part = text.as_bytes().get(start..end).unwrap_or_default();
                        if part.eq_ignore_ascii_case(literal.as_bytes()) {
                            see(index, start);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Prefilter;
    use crate::scanner::Scanner;

    fn scanners() -> (&'static Scanner, Scanner) {
        (
            Scanner::standard(),
            Scanner::with(|literals| Prefilter::Everywhere(literals.to_vec())),
        )
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
}
