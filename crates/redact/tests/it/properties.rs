//! What holds for every text.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use redact::Scanner;

use crate::noise::alnum;
use crate::positives::{closing, rows};

/// Text in which the rules have something to do: their literals, values and separators, jumbled.
pub(crate) fn jumble() -> impl Strategy<Value = String> {
    let mut pieces: Vec<String> = rows().into_iter().flat_map(|row| row.2).collect();
    pieces.extend(rows().into_iter().map(|row| row.1.to_owned()));
    let more = [
        "Bearer ",
        "Basic ",
        "basic\t",
        "password",
        "token",
        "key",
        "secret",
        "\"",
        "'",
        "\\\"",
        "\\",
        "=",
        ":",
        "://",
        "@",
        ";",
        "&",
        "?",
        "--",
        " ",
        "\n",
        "\\n",
        "%20",
        "[redacted]",
        "[",
        "]",
        "[redacted",
        "<",
        ">",
        ".",
        ",",
        "-----",
        "-----END ",
        "é",
        "漢",
        "\u{1f600}",
        "\u{0}",
        "eyJ",
        "cookie: ",
        "a=b",
    ];
    pieces.extend(more.map(str::to_owned));
    pieces.push(alnum(21));
    prop::collection::vec(prop::sample::select(pieces), 0..12).prop_map(|parts| parts.concat())
}

fn settles(text: &str) -> Result<(), TestCaseError> {
    let scanner = Scanner::standard();
    let once = scanner.text(text);
    prop_assert_eq!(matches!(once, Cow::Borrowed(_)), scanner.findings(text).is_empty());
    let twice = scanner.text(&once);
    prop_assert_eq!(&twice, &once);
    prop_assert!(matches!(twice, Cow::Borrowed(_)));
    for finding in scanner.findings(text) {
        prop_assert!(text.get(finding.span.clone()).is_some_and(|part| !part.is_empty()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn settles_on_any_unicode(text in any::<String>()) {
        settles(&text)?;
    }

    #[test]
    fn settles_on_jumbled_secrets(text in jumble()) {
        settles(&text)?;
    }

    #[test]
    fn never_shows_a_planted_secret(
        before in "\\PC{0,40}", after in "\\PC{0,40}", which in prop::sample::select(rows()),
    ) {
        let (_, lead, pieces) = which;
        let secret = pieces.concat();
        // The surroundings may say the same by themselves when the secret is short.
        prop_assume!(secret.len() >= 14);
        let text = format!("{before}\n{lead}{secret}{}\n{after}", closing(lead));
        prop_assert!(!Scanner::standard().text(&text).contains(&secret), "{}", text);
    }

    #[test]
    fn json_settles(keys in prop::collection::vec(jumble(), 0..4), texts in prop::collection::vec(jumble(), 4)) {
        let members = keys.into_iter().zip(texts).map(|(key, text)| (key, text.into()));
        let mut value = serde_json::Value::Object(members.collect());
        let before = value.clone();
        let replaced = Scanner::standard().value(&mut value);
        prop_assert_eq!(replaced, value != before);
        prop_assert!(!Scanner::standard().value(&mut value));
    }
}

/// Twice the text must not cost four times the time. Text made to be slow, one kind per rule.
#[test]
fn time_grows_with_length_not_faster() {
    let pieces = [
        "eyJ",
        "eyJ.",
        "eyJ-a.",
        "sk-",
        "sk-a",
        "key=",
        "token:",
        "key-",
        "://a:",
        "://",
        "\"key\":\"",
        "Bearer ",
        "Bearer=",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nA:",
        "discord",
        "cookie:",
        "?token=",
        "\"token\":\\\"",
        "\"password\":'",
        "T3BlbkFJ",
        "xoxb-",
        "ghp_",
        "secret_",
        "{\"token\":\"\\",
        "ABSK/",
        "AccountKey=/",
        "?token=$(",
        "x-api-key:",
        "authorization:",
        "authorization: digest ",
        "cookie:$a=",
        "hvs.",
        "-us",
        "SG.aaaaaaaaaaaaaaaaa.",
        "basic:",
        "Bearer ]",
        "key='",
        "key=\"",
        "2/",
        "Q~",
        ":AA",
        "aws_secret_key=",
        "EAAA-",
        "sig=%",
        "'token':'$a",
        "sl.",
    ];
    let cost = |piece: &str, length: usize| {
        let text = piece.repeat(length / piece.len());
        let start = Instant::now();
        Scanner::standard().findings(&text);
        start.elapsed()
    };
    for piece in pieces {
        // Sixty-four times the text: linear is 64, quadratic is 4096. A busy machine slows the
        // longer run only, hence the wide margin and the second chances.
        let linear = |_| {
            let small = cost(piece, 1 << 13).min(cost(piece, 1 << 13));
            cost(piece, 1 << 19) < small * 1024 + Duration::from_millis(20)
        };
        assert!((0..3).any(linear), "{piece:?}");
    }
}
