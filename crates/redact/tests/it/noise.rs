//! Random-looking text made while the test runs, so that no file here holds anything that looks
//! like a live secret.

/// `count` letters and digits. Other counts give other strings, the same count the same one.
pub(crate) fn alnum(count: usize) -> String {
    of("abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", count)
}

pub(crate) fn hex(count: usize) -> String {
    of("0123456789abcdef", count)
}

pub(crate) fn lower(count: usize) -> String {
    of("abcdefghijklmnopqrstuvwxyz0123456789", count)
}

pub(crate) fn upper(count: usize) -> String {
    of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", count)
}

pub(crate) fn digits(count: usize) -> String {
    of("3141592657", count)
}

pub(crate) fn base64(count: usize) -> String {
    of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/", count)
}

pub(crate) fn bech32(count: usize) -> String {
    of("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", count)
}

pub(crate) fn uuid() -> String {
    [8, 4, 4, 4, 12].map(hex).join("-")
}

fn of(alphabet: &str, count: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ ((count as u64) << 7);
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        alphabet.chars().nth((state >> 33) as usize % alphabet.len())
    };
    (0..count).filter_map(next).collect()
}
