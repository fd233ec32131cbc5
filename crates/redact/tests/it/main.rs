//! What the scanner finds, what it leaves alone and how it behaves on anything else.

mod json;
mod negatives;
mod noise;
mod places;
mod positives;
mod properties;
mod stream;
