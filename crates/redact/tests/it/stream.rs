//! Bytes on their way out: the same findings however they are cut, as in the text as a whole.

use std::collections::BTreeSet;

use proptest::prelude::*;
use redact::Scanner;
use redact::credential::kinds;
use redact::stream::{AHEAD, Exposure, MEMORY_MAX, Stream, in_header_value, scan};

use crate::noise::{alnum, hex, upper};
use crate::positives::{Row, closing, rows};
use crate::properties::jumble;

type Found = BTreeSet<(String, u64)>;

fn as_set(found: Vec<Exposure>) -> Found {
    found.into_iter().map(|one| (one.kind.to_owned(), one.offset)).collect()
}

/// Pushes `bytes` cut after each of `cuts` bytes, over and over.
fn cut(bytes: &[u8], cuts: &[usize]) -> Found {
    let mut stream = Stream::new();
    let mut found = Vec::new();
    let mut rest = bytes;
    for length in cuts.iter().cycle() {
        let (chunk, behind) = rest.split_at((*length).min(rest.len()));
        found.extend(stream.push(chunk));
        assert!(stream.held() <= MEMORY_MAX);
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    found.extend(stream.finish());
    as_set(found)
}

/// What the scanner of whole texts says of the listed kinds, less what stands behind a dash.
fn reference(text: &str) -> Found {
    let listed: BTreeSet<_> = kinds().collect();
    let all = Scanner::standard().findings(text).into_iter();
    all.filter_map(|finding| {
        let kind = finding.rule.replace('-', "_");
        let behind_dash = text.as_bytes().get(finding.span.start.wrapping_sub(1)) == Some(&b'-');
        (listed.contains(kind.as_str()) && !behind_dash).then_some((kind, finding.span.start as u64))
    })
    .collect()
}

fn listed_rows() -> Vec<Row> {
    let listed: BTreeSet<_> = kinds().map(|kind| kind.replace('_', "-")).collect();
    rows().into_iter().filter(|row| listed.contains(row.0)).collect()
}

#[test]
fn finds_every_kind_wherever_the_cut_is() {
    let mut shown = BTreeSet::new();
    for (rule, before, pieces) in listed_rows() {
        let text = format!("{}{before}{}{}", "lead in ".repeat(40), pieces.concat(), closing(before));
        let whole = as_set(scan(text.as_bytes()));
        let kind = rule.replace('-', "_");
        let at = text.len() - pieces.concat().len() - closing(before).len();
        assert!(whole.contains(&(kind.clone(), at as u64)), "{kind} in {text:?}: {whole:?}");
        assert_eq!(whole, reference(&text), "{text:?}");
        for at in 1..text.len() {
            assert_eq!(cut(text.as_bytes(), &[at, text.len()]), whole, "{kind} cut at {at}");
        }
        assert_eq!(cut(text.as_bytes(), &[1]), whole, "{kind} byte by byte");
        shown.insert(kind);
    }
    assert_eq!(shown, kinds().map(str::to_owned).collect());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn cuts_make_no_difference(text in jumble(), cuts in prop::collection::vec(1_usize..200, 1..20)) {
        let expected = reference(&text);
        prop_assert_eq!(&as_set(scan(text.as_bytes())), &expected);
        prop_assert_eq!(&cut(text.as_bytes(), &cuts), &expected);
    }

    #[test]
    fn cuts_make_no_difference_in_long_streams(
        parts in prop::collection::vec((jumble(), 0_usize..3_000), 1..6),
        cuts in prop::collection::vec(1_usize..5_000, 1..8),
    ) {
        let mut text: String = String::new();
        for (part, blanks) in parts {
            text.push_str(&part);
            text.push_str(&" -".repeat(blanks / 2));
        }
        let expected = as_set(scan(text.as_bytes()));
        prop_assert_eq!(&cut(text.as_bytes(), &cuts), &expected);
        if text.len() < AHEAD {
            prop_assert_eq!(&expected, &reference(&text));
        }
    }

    #[test]
    fn cuts_make_no_difference_in_any_bytes(
        bytes in prop::collection::vec(any::<u8>(), 0..600), secret in prop::sample::select(listed_rows()),
        at in 0_usize..600, cuts in prop::collection::vec(1_usize..100, 1..8),
    ) {
        let mut bytes = bytes;
        let at = at.min(bytes.len());
        let planted = format!(" {}{}{} ", secret.1, secret.2.concat(), closing(secret.1));
        bytes.splice(at..at, planted.bytes());
        let expected = as_set(scan(&bytes));
        prop_assert!(expected.iter().any(|(kind, _)| *kind == secret.0.replace('-', "_")));
        prop_assert_eq!(cut(&bytes, &cuts), expected);
    }
}

#[test]
fn holds_back_what_is_not_decided_and_nothing_else() {
    let token = ["gh", "p_", &alnum(36)].concat();
    let mut stream = Stream::new();
    assert!(stream.push(b"plain text and ").is_empty());
    assert_eq!(stream.held(), 0);
    let (first, second) = token.split_at(20);
    assert!(stream.push(first.as_bytes()).is_empty());
    assert_eq!(stream.held(), 20);
    assert!(stream.push(second.as_bytes()).is_empty());
    assert_eq!(stream.held(), token.len());
    assert_eq!(stream.push(b"\n"), [Exposure { kind: "github_token", offset: 15 }]);
    assert_eq!(stream.held(), 0);

    let around = [&alnum(76), "AZ", "DO"].concat();
    let mut stream = Stream::new();
    assert!(stream.push(format!("pat {around}").as_bytes()).is_empty());
    assert_eq!(stream.held(), around.len());
}

#[test]
fn memory_does_not_grow_with_what_is_undecided() {
    for piece in ["sk-", "ghp_", "-----BEGIN PRIVATE KEY-----\n", "eyJrIjoi", "T3BlbkFJ", "a"] {
        let mut stream = Stream::new();
        for _ in 0..2_000 {
            stream.push(piece.repeat(50).as_bytes());
            assert!(stream.held() <= MEMORY_MAX, "{piece}");
        }
    }
}

#[test]
fn a_token_without_end_is_found_by_its_beginning() {
    let endless = ["sk-", "ant-", &alnum(40).repeat(200)].concat();
    let expected: Found = [("anthropic_key".to_owned(), 0)].into();
    assert_eq!(as_set(scan(endless.as_bytes())), expected);
    assert_eq!(cut(endless.as_bytes(), &[700]), expected);
}

#[test]
fn looks_into_basic_credentials() {
    use base64::Engine as _;
    let token = ["gh", "p_", &alnum(36)].concat();
    let value =
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{token}")));
    assert!(scan(value.as_bytes()).is_empty());
    assert_eq!(in_header_value(value.as_bytes()), [Exposure { kind: "github_token", offset: 6 }]);
    assert_eq!(in_header_value(format!("Bearer {token}").as_bytes()), [Exposure { kind: "github_token", offset: 7 }]);
    for plain in ["Basic", "basic ", "Basic !!!", "Basic dXNlcjpwYXNz", "", "Digest a=b"] {
        assert_eq!(in_header_value(plain.as_bytes()), [], "{plain}");
    }
}

#[test]
fn leaves_look_alikes_alone() {
    let token = ["gh", "p_", &alnum(36)].concat();
    for text in [
        format!("x-{token}"),
        format!("x{token}"),
        ["GH", "P_", &alnum(36)].concat(),
        ["AK", "IA", &upper(17)].concat(),
        ["gh", "p_", &"x".repeat(36)].concat(),
        format!("Authorization: Bearer {}", alnum(40)),
        format!("password={}&token={}", alnum(20), hex(32)),
        format!("eyJ{}.{}.{}", alnum(20), alnum(60), alnum(43)),
        format!("-----BEGIN {}", "PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n"),
    ] {
        assert_eq!(scan(text.as_bytes()), [], "{text}");
    }
    assert_eq!(scan(token.as_bytes()).len(), 1);
}

#[test]
fn bulk_that_looks_random_raises_no_alarm() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for alphabet in ["ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", "0123456789abcdef-_"] {
        let alphabet = alphabet.as_bytes();
        let mut stream = Stream::new();
        for _ in 0..32 {
            let chunk: Vec<u8> = (0..1 << 15).map(|_| alphabet[next() as usize % alphabet.len()]).collect();
            assert_eq!(stream.push(&chunk), []);
        }
    }
}
