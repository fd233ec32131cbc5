use super::breaks::TOKEN;
use super::engine::Engine;
use super::{AHEAD, BACK};
use crate::class::Class;
use crate::rule::{OPEN, Part};

/// `ends_at_break` rests on this.
#[test]
fn no_piece_of_a_credential_holds_a_break() {
    let inside = |class: &Class| (0..=255).all(|byte| !class.has(byte) || TOKEN.has(byte));
    for wake in Engine::standard().wakes() {
        for part in wake.rule.parts().unwrap_or_default() {
            let fits = match part {
                Part::Lit(literal) => literal.bytes().all(|byte| TOKEN.has(byte)),
                Part::Run(class, ..) => inside(class),
            };
            assert!(fits, "{}", wake.kind);
        }
    }
}

#[test]
fn windows_are_wide_enough_for_every_shape() {
    for wake in Engine::standard().wakes() {
        assert!(wake.rule.lead_max() + 3 <= BACK, "{}", wake.kind);
        let least: usize = wake
            .rule
            .parts()
            .unwrap_or_default()
            .iter()
            .map(|part| match part {
                Part::Lit(literal) => literal.len(),
                Part::Run(_, least, OPEN) => *least,
                Part::Run(_, _, most) => *most,
            })
            .sum();
        assert!(wake.literal.len() + least < AHEAD, "{}", wake.kind);
    }
}
