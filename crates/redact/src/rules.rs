//! The tables of rules, by the kind of service that issues the secret.

mod ai;
mod build;
mod chat;
mod cloud;
mod forge;
mod money;
mod operations;
mod wire;
mod work;

use crate::rule::Rule;

/// Every rule. The order has no meaning: all rules are tried.
pub(crate) static RULES: [&[Rule]; 9] = [
    wire::RULES,
    cloud::RULES,
    forge::RULES,
    build::RULES,
    chat::RULES,
    ai::RULES,
    money::RULES,
    operations::RULES,
    work::RULES,
];
