//! Names whose values are secrets whatever they look like.

/// In lower case, without separators.
const SECRET_NAMES: [&[u8]; 12] = [
    b"authorization",
    b"proxyauthorization",
    b"cookie",
    b"setcookie",
    b"password",
    b"passwd",
    b"secret",
    b"token",
    b"apikey",
    b"xapikey",
    b"privatekey",
    b"clientsecret",
];

/// The longest normalised name.
const LONGEST: usize = 18;

/// Whether `name`, of a member, header or field, always holds a secret.
///
/// Letter case, `-`, `_` and spaces around do not matter (`Api-Key`, `apiKey` and `API_KEY` are
/// one name); otherwise only the whole name counts, so `token_id` and `max_tokens` are not secret.
pub fn is_secret_name(name: &str) -> bool {
    is_secret(name.trim().as_bytes())
}

/// [`is_secret_name`] for bytes that are already trimmed. Does not allocate.
pub(crate) fn is_secret(name: &[u8]) -> bool {
    // Even a separator between all letters does not make a name longer than twice the longest.
    if name.len() < 5 || name.len() > 2 * LONGEST {
        return false;
    }
    SECRET_NAMES.iter().any(|secret| {
        let letters = name.iter().filter(|byte| !matches!(byte, b'-' | b'_'));
        letters.map(u8::to_ascii_lowercase).eq(secret.iter().copied())
    })
}
