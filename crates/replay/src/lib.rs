//! The log of decisions: what every decision rested on, in columns, so that other rules can be tried
//! on what really happened.
