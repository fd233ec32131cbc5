//! The decision, from the outside: every reason code, agreement with a naive reference, totality.

mod cases;
mod deltas;
mod reference;
mod reference_agrees;
mod total;
mod traces;
mod world;
