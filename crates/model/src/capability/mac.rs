//! The chain: each link's HMAC is the key of the next, so that a link can be added and none removed.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::KEY_BYTES;

/// Keeps the first link apart from every other use of the secret.
const LABEL: &[u8] = b"exeat capability chain v1\0";

pub(super) type Key = [u8; KEY_BYTES];

/// The key that the first caveat is tied to.
pub(super) fn start(secret: &Key, token_id: &str) -> Key {
    let mut mac = keyed(secret);
    mac.update(LABEL);
    mac.update(token_id.as_bytes());
    mac.finalize().into_bytes().into()
}

/// The HMAC of one more caveat.
pub(super) fn next(key: &Key, caveat: &[u8]) -> Key {
    let mut mac = keyed(key);
    mac.update(caveat);
    mac.finalize().into_bytes().into()
}

/// Whether `shown` is the HMAC of one more caveat, in constant time.
pub(super) fn next_is(key: &Key, caveat: &[u8], shown: &Key) -> bool {
    let mut mac = keyed(key);
    mac.update(caveat);
    mac.verify_slice(shown).is_ok()
}

/// Whether two keys are the same, in constant time: as the keys that the first caveat would be tied to.
pub(super) fn same(secret: &Key, shown: &Key) -> bool {
    let mut mac = keyed(secret);
    mac.update(LABEL);
    mac.verify_slice(&start(shown, "")).is_ok()
}

fn keyed(key: &Key) -> Hmac<Sha256> {
    // HMAC pads a short key with zeros to its block of 64 bytes; done here, it cannot fail.
    let mut block = [0_u8; 64];
    for (place, byte) in block.iter_mut().zip(key) {
        *place = *byte;
    }
    Hmac::new(&block.into())
}
