use super::*;

fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), text: text.to_owned() }
}

const GOOD: &str = "[[deny]]\nid = \"a\"\nhost = \"a.test\"\n";

#[test]
fn the_digest_is_of_the_names_and_texts_and_not_of_their_order() {
    let (a, b) = (source("a.toml", GOOD), source("b.toml", ""));
    let text = PolicyText::of(vec![b.clone(), a.clone()]);
    assert_eq!(text, PolicyText::of(vec![a.clone(), b.clone()]));
    assert_eq!(files_of(&text.files), Some(vec![a.clone(), b.clone()]));
    assert_ne!(text.digest, PolicyText::of(vec![a.clone(), source("c.toml", "")]).digest);
    assert_ne!(text.digest, PolicyText::of(vec![a]).digest);
}

#[test]
fn what_is_stored_and_cannot_be_read_denies() {
    let good = PolicyText::of(vec![source("a.toml", GOOD)]);
    let set = CompiledSet::stored(&good.digest, Some(&good.files));
    assert!(set.is_sound() && set.problems.is_empty(), "the control");
    let bad = PolicyText::of(vec![source("a.toml", "[[deny]]\nid = ")]);
    let no_files = Canonical::from(&serde_json::json!({"a": 1}));
    let cases = [
        ("does not load", bad.digest.as_str(), Some(&bad.files)),
        ("another text", bad.digest.as_str(), Some(&good.files)),
        ("no files", "sha256:x", Some(&no_files)),
        ("not there", good.digest.as_str(), None),
    ];
    let who = policy::Who { kind: model::ActorType::Agent, name: "coder" };
    let facts = Facts::bare(model::Category::Action, "x.y", who);
    for (name, digest, files) in cases {
        let set = CompiledSet::stored(digest, files);
        assert!(!set.is_sound() && !set.problems.is_empty(), "{name}");
        let verdict = set.eval(&facts, Time::from_millis(0)).live;
        assert_eq!(verdict, RuleVerdict::Unevaluable(vec![UNREADABLE.into()]), "{name}");
    }
}

#[test]
fn the_shelf_finds_what_is_held_and_forgets_what_is_not() {
    let shelf = Shelf::default();
    let set = |n: usize| {
        let text = PolicyText::of(vec![source(&format!("{n}.toml"), GOOD)]);
        Arc::new(CompiledSet::stored(&text.digest, Some(&text.files)))
    };
    let (held, dropped) = (set(0), set(1));
    shelf.keep(&held);
    shelf.keep(&dropped);
    let gone = dropped.digest.clone();
    drop(dropped);
    assert!(shelf.get(&gone).is_some(), "the control: recent ones stay");
    for n in 2..2 + RECENT_MAX {
        shelf.keep(&set(n));
    }
    assert!(shelf.get(&held.digest).is_some_and(|found| Arc::ptr_eq(&found, &held)));
    assert!(shelf.get(&gone).is_none());
}
