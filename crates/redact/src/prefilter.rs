//! One pass over the text that finds every literal of every rule.

use aho_corasick::automaton::Automaton;
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, MatchKind};

/// Reports every place where one of its literals occurs, in any ASCII case.
pub(crate) enum Prefilter {
    /// The automaton: one table look-up per byte. Driven by hand, as an iterator over overlapping
    /// matches takes longer to set up than most texts take to read.
    Automaton(Box<DFA>),
    /// Compares everywhere: slow and obviously right. Takes over should the automaton ever
    /// outgrow its limits, and is what tests compare the automaton with.
    Everywhere(Vec<&'static str>),
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
            Self::Everywhere(literals) => {
                for end in 1..=text.len() {
                    for (index, literal) in literals.iter().enumerate() {
                        let Some(start) = end.checked_sub(literal.len()) else {
                            continue;
                        };
                        let part = text.get(start..end).unwrap_or_default();
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
        (Scanner::standard(), Scanner::with(|literals| Prefilter::Everywhere(literals.to_vec())))
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
