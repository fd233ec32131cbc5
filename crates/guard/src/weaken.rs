//! Taking a layer away, to prove that it is what holds. In a release this is the constant `false`.

/// Whether this weakness was asked for: tests name it in `EXEAT_WEAKEN`, several with commas.
#[cfg(feature = "weaken")]
#[must_use]
pub fn asked(name: &str) -> bool {
    std::env::var("EXEAT_WEAKEN").is_ok_and(|names| names.split(',').any(|known| known == name))
}

/// Never: this build has no weaknesses to ask for.
#[cfg(not(feature = "weaken"))]
#[must_use]
pub const fn asked(_name: &str) -> bool {
    false
}
