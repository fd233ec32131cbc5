//! Taking a promise of the record away, to prove that tests notice. In a release this is the constant `false`.
//!
//! The process guard has its own of the same shape: it knows nothing of this product, and the store nothing of it.

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
