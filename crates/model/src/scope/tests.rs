use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn scopes(value: &Value) -> TokenScopes {
    TokenScopes::parse(value).unwrap()
}

#[test]
fn reads_trimmed_unique_sorted_and_normalised() {
    let got = scopes(&json!({
        "rooms": [" room_b ", "room_a", "room_b", "*"],
        "tools": ["web.search", "Web.Search"],
        "egress_domains": ["Example.COM.", "example.com", " *.BÜCHER.example", "0x7f.1", "[::1]", "*"],
        "action_types": ["External_Write", "external.write", " email.send", "*"],
        "data_access": {"read": [" document", "room:room_a"], "write": ["resource:document:d:1", "resource_type:note"]},
    }));
    assert_eq!(
        serde_json::to_value(&got).unwrap(),
        json!({
            "rooms": ["*", "room_a", "room_b"],
            "tools": ["Web.Search", "web.search"],
            "egress_domains": ["*", "*.xn--bcher-kva.example", "127.0.0.1", "::1", "example.com"],
            "action_types": ["*", "email.send", "external.write"],
            "data_access": {"read": ["document", "room:room_a"], "write": ["resource:document:d:1", "resource_type:note"]},
        })
    );
    assert_eq!(scopes(&serde_json::to_value(&got).unwrap()), got);
}

#[test]
fn absent_null_and_empty_lists_cover_nothing() {
    for value in [
        json!(null),
        json!({}),
        json!({"rooms": null, "data_access": null}),
        json!({"rooms": [], "data_access": {"read": null}}),
    ] {
        assert_eq!(scopes(&value), TokenScopes::default(), "{value}");
    }
    let none = CompiledScopes::default();
    assert!(none.rooms.is_empty() && none.egress_domains.is_empty() && none.data_read.is_empty());
    assert!(!none.covers_room("room_a") && !none.covers_domain("example.com"));
}

#[test]
fn refuses_and_names_the_place() {
    use ScopesFault as F;
    let check = |value: Value, field: &str, fault: F| {
        assert_eq!(TokenScopes::parse(&value), Err(InvalidScopes { field: field.to_owned(), fault }), "{value}");
    };
    check(json!([]), "", F::NotAnObject);
    check(json!("*"), "", F::NotAnObject);
    check(json!({"data_access": ["read"]}), "/data_access", F::NotAnObject);
    check(json!({"room": ["a"]}), "/room", F::UnknownKey);
    check(json!({"Rooms": ["a"]}), "/Rooms", F::UnknownKey);
    check(json!({"a/b~c\n": 1}), "/a~1b~0c\u{fffd}", F::UnknownKey);
    check(json!({"data_access": {"delete": ["a"]}}), "/data_access/delete", F::UnknownKey);
    check(json!({"rooms": "room_a"}), "/rooms", F::NotAList);
    check(json!({"rooms": {"0": "room_a"}}), "/rooms", F::NotAList);
    check(json!({"data_access": {"read": true}}), "/data_access/read", F::NotAList);
    check(json!({"rooms": ["a", 1]}), "/rooms/1", F::NotText);
    check(json!({"rooms": ["a", null]}), "/rooms/1", F::NotText);
    check(json!({"tools": [""]}), "/tools/0", F::Blank);
    check(json!({"tools": ["a", "b", "  "]}), "/tools/2", F::Blank);
    check(json!({"tools": ["a\nb"]}), "/tools/0", F::Control);
    check(json!({"tools": ["x".repeat(201)]}), "/tools/0", F::TooLong);
    check(json!({"rooms": ["room_*"]}), "/rooms/0", F::Wildcard);
    check(json!({"action_types": ["external.*"]}), "/action_types/0", F::Wildcard);
    check(json!({"action_types": ["two words"]}), "/action_types/0", F::NotAnAction);
    check(json!({"egress_domains": ["a.com", "a.*.com"]}), "/egress_domains/1", F::NotADomain);
    check(json!({"egress_domains": ["https://a.com"]}), "/egress_domains/0", F::NotADomain);
    check(json!({"egress_domains": ["*.127.0.0.1"]}), "/egress_domains/0", F::NotADomain);
    check(json!({"data_access": {"write": ["resource:document"]}}), "/data_access/write/0", F::NotData);
    check(json!({"data_access": {"write": ["room:"]}}), "/data_access/write/0", F::NotData);
    check(json!({"data_access": {"write": ["resource::x"]}}), "/data_access/write/0", F::NotData);
    check(json!({"rooms": vec!["a"; ENTRIES_MAX + 1]}), "/rooms", F::TooMany);

    // The limits themselves are accepted.
    let many: Vec<String> = (0..ENTRIES_MAX).map(|n| format!("room_{n}")).collect();
    assert_eq!(scopes(&json!({"rooms": many})).rooms.len(), ENTRIES_MAX);
    assert!(TokenScopes::parse(&json!({"tools": ["x".repeat(200)]})).is_ok());
    let name = format!("*.{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
    assert_eq!(scopes(&json!({"egress_domains": [name]})).egress_domains.len(), 1);

    let shown = TokenScopes::parse(&json!({"x".repeat(500): 1})).unwrap_err().to_string();
    assert!(shown.len() < 250, "{shown}");
}

#[test]
fn covers_the_truth_table() {
    let value = json!({
        "rooms": ["room_a"],
        "tools": ["web.search"],
        "egress_domains": ["example.com", "*.Example.org"],
        "action_types": ["external_write"],
        "data_access": {
            "read": ["document", "resource_type:note", "resource:file:f1", "room:room_a"],
            "write": ["*"],
        },
    });
    let action = |text: &str| Action::parse(text).unwrap();
    let resource = |room, kind, id| Resource { room, kind, id };
    let list = scopes(&value);
    let fast = CompiledScopes::from(&list);

    for (room, want) in [("room_a", true), ("room_b", false), ("", false), ("*", false), ("ROOM_A", false)] {
        assert_eq!((list.covers_room(room), fast.covers_room(room)), (want, want), "{room}");
    }
    for (tool, want) in [("web.search", true), ("Web.Search", false), ("web", false)] {
        assert_eq!((list.covers_tool(tool), fast.covers_tool(tool)), (want, want), "{tool}");
    }
    for (name, want) in [("EXTERNAL.write", true), ("external.read", false), ("*", false)] {
        let action = action(name);
        assert_eq!((list.covers_action(&action), fast.covers_action(&action)), (want, want), "{name}");
    }
    for (host, want) in [
        ("example.com", true),
        ("a.example.com", false),
        ("example.org", true),
        ("a.b.example.org", true),
        ("badexample.org", false),
        ("127.0.0.1", false),
    ] {
        assert_eq!((list.covers_domain(host), fast.covers_domain(host)), (want, want), "{host}");
    }
    for (room, kind, id, want) in [
        (None, "document", "d1", true),
        (None, "note", "n1", true),
        (None, "file", "f1", true),
        (None, "file", "f2", false),
        (None, "other", "o1", false),
        (Some("room_a"), "other", "o1", true),
        (Some("room_b"), "other", "o1", false),
        // A kind that looks like another form of entry is not that entry.
        (None, "room:room_a", "x", false),
        (None, "resource_type:note", "x", false),
        (None, "resource:file:f1", "x", false),
        (None, "resource:file", "f1", false),
        (None, "*", "x", false),
    ] {
        let resource = resource(room, kind, id);
        assert_eq!((list.covers_data_read(resource), fast.covers_data_read(resource)), (want, want), "{resource:?}");
        assert!(list.covers_data_write(resource) && fast.covers_data_write(resource), "{resource:?}");
    }
}

#[test]
fn a_kind_with_a_colon_is_not_a_shorter_kind_with_a_longer_id() {
    let list = scopes(&json!({"data_access": {"read": ["resource:a:b:c", "x:y"]}}));
    let fast = CompiledScopes::from(&list);
    for (kind, id, want) in [("a", "b:c", true), ("a:b", "c", false), ("x:y", "1", true)] {
        let resource = Resource { room: None, kind, id };
        assert_eq!((list.covers_data_read(resource), fast.covers_data_read(resource)), (want, want), "{resource:?}");
    }
}

#[test]
fn a_stored_entry_that_means_nothing_covers_nothing() {
    let stored: TokenScopes =
        serde_json::from_value(json!({"egress_domains": ["a.*.com", "B.com"], "action_types": ["a b", "Email.Send"]}))
            .unwrap();
    let fast = CompiledScopes::from(&stored);
    assert!(stored.covers_domain("b.com") && fast.covers_domain("b.com"));
    assert!(!stored.covers_domain("a.x.com") && !fast.covers_domain("a.x.com"));
    assert!(fast.covers_action(&Action::parse("email.send").unwrap()));
    assert_eq!(
        stored.intersect(&stored),
        scopes(&json!({"egress_domains": ["b.com"], "action_types": ["email.send"]}))
    );
}

#[test]
fn a_child_keeps_what_its_parent_has() {
    let check = |parent: Value, child: Value, want: Value| {
        assert_eq!(scopes(&child).intersect(&scopes(&parent)), scopes(&want), "{child} below {parent}");
    };
    check(json!({}), json!({"rooms": ["*"], "egress_domains": ["*"]}), json!({}));
    check(json!({"rooms": ["*"]}), json!({"rooms": ["a"], "tools": ["t"]}), json!({"rooms": ["a"]}));
    check(json!({"rooms": ["a"]}), json!({"rooms": ["*"]}), json!({"rooms": ["a"]}));
    check(json!({"rooms": ["*"]}), json!({"rooms": ["*"]}), json!({"rooms": ["*"]}));
    check(json!({"rooms": ["a", "b"]}), json!({"rooms": ["b", "c"]}), json!({"rooms": ["b"]}));
    let domains = |list: &[&str]| json!({"egress_domains": list});
    check(
        domains(&["*.example.com"]),
        domains(&["a.example.com", "example.com", "other.com"]),
        domains(&["a.example.com", "example.com"]),
    );
    check(domains(&["a.example.com"]), domains(&["*.example.com"]), domains(&["a.example.com"]));
    check(
        domains(&["*.example.com"]),
        domains(&["*.a.example.com", "*.com"]),
        domains(&["*.a.example.com", "*.example.com"]),
    );
    check(domains(&["*"]), domains(&["*.x.com"]), domains(&["*.x.com"]));
    check(domains(&["*.x.com"]), domains(&["*"]), domains(&["*.x.com"]));
    let reads = |list: &[&str]| json!({"data_access": {"read": list}});
    check(reads(&["doc"]), reads(&["resource:doc:1", "resource:note:1"]), reads(&["resource:doc:1"]));
    check(reads(&["resource_type:doc"]), reads(&["doc", "note"]), reads(&["doc", "resource_type:doc"]));
    check(reads(&["room:a"]), reads(&["room:a", "room:b", "doc"]), reads(&["room:a"]));
    check(reads(&["*"]), reads(&["doc"]), reads(&["doc"]));
    check(reads(&["doc"]), json!({"data_access": {"write": ["doc"]}}), json!({}));
}

const NAMES: &[&str] = &["*", "a", "b", "c"];
const ACTIONS: &[&str] = &["*", "external.write", "external_write", "email.send", "bad name"];
const DOMAINS: &[&str] =
    &["*", "a.com", "*.a.com", "b.a.com", "*.b.a.com", "*.com", "B.org.", "127.0.0.1", "not valid", "x.*"];
const DATA: &[&str] = &[
    "*",
    "doc",
    "resource_type:doc",
    "resource:doc:1",
    "resource:note:1",
    "note",
    "room:a",
    "room:b",
    "x:y",
    "resource:x:y:1",
];

fn list(pool: &'static [&'static str]) -> impl Strategy<Value = BTreeSet<String>> {
    // `*` is rare, or every list would cover everything.
    let entry =
        (prop::sample::select(pool), 0..4).prop_map(|(e, n)| if e == "*" && n > 0 { "a" } else { e }.to_owned());
    prop::collection::btree_set(entry, 0..5)
}

fn any_scopes() -> impl Strategy<Value = TokenScopes> {
    (list(NAMES), list(NAMES), list(DOMAINS), list(ACTIONS), list(DATA), list(DATA)).prop_map(
        |(rooms, tools, egress_domains, action_types, read, write)| TokenScopes {
            rooms,
            tools,
            egress_domains,
            action_types,
            data_access: DataScopes { read, write },
        },
    )
}

/// Everything asked of a set of scopes here, as one list of answers.
fn answers(scopes: &TokenScopes) -> Vec<bool> {
    let mut answers = Vec::new();
    for name in ["a", "b", "c", "d", "*"] {
        answers.push(scopes.covers_room(name));
        answers.push(scopes.covers_tool(name));
    }
    for name in ["external.write", "email.send", "other", "a"] {
        answers.push(scopes.covers_action(&Action::parse(name).unwrap()));
    }
    for host in ["a.com", "b.a.com", "c.b.a.com", "c.a.com", "com", "ba.com", "b.org", "127.0.0.1", "::1", "a"] {
        answers.push(scopes.covers_domain(host));
    }
    for resource in resources() {
        answers.push(scopes.covers_data_read(resource));
        answers.push(scopes.covers_data_write(resource));
    }
    answers
}

fn resources() -> impl Iterator<Item = Resource<'static>> {
    let rooms = [None, Some("a"), Some("b")];
    let kinds = ["doc", "note", "x:y", "x", "room:a", "resource_type:doc", "resource:doc", "a", "*"];
    let ids = ["1", "2", "y:1"];
    rooms.into_iter().flat_map(move |room| {
        kinds.into_iter().flat_map(move |kind| ids.into_iter().map(move |id| Resource { room, kind, id }))
    })
}

proptest! {
    #[test]
    fn the_compiled_form_gives_the_same_answers(scopes in any_scopes()) {
        let fast = CompiledScopes::from(&scopes);
        for name in ["a", "b", "c", "d", "*"] {
            prop_assert_eq!(fast.covers_room(name), scopes.covers_room(name));
            prop_assert_eq!(fast.covers_tool(name), scopes.covers_tool(name));
        }
        for name in ["external.write", "email.send", "other"] {
            let action = Action::parse(name).unwrap();
            prop_assert_eq!(fast.covers_action(&action), scopes.covers_action(&action));
        }
        for host in ["a.com", "b.a.com", "c.b.a.com", "ba.com", "b.org", "127.0.0.1", "::1"] {
            prop_assert_eq!(fast.covers_domain(host), scopes.covers_domain(host));
        }
        for resource in resources() {
            prop_assert_eq!(fast.covers_data_read(resource), scopes.covers_data_read(resource), "{:?}", resource);
            prop_assert_eq!(fast.covers_data_write(resource), scopes.covers_data_write(resource), "{:?}", resource);
        }
        prop_assert_eq!(CompiledScopes::from(&fast.to_scopes()), fast);
    }

    #[test]
    fn an_intersection_is_never_wider_than_either(a in any_scopes(), b in any_scopes()) {
        let both = a.intersect(&b);
        for ((both, a), b) in answers(&both).into_iter().zip(answers(&a)).zip(answers(&b)) {
            prop_assert!(!both || (a && b));
        }
    }

    #[test]
    fn an_intersection_loses_nothing_but_a_room_met_with_a_type(a in any_scopes(), b in any_scopes()) {
        let both = a.intersect(&b);
        let names = |s: &TokenScopes| answers(&TokenScopes { data_access: DataScopes::default(), ..s.clone() });
        for ((both, a), b) in names(&both).into_iter().zip(names(&a)).zip(names(&b)) {
            prop_assert_eq!(both, a && b);
        }
        for resource in resources().filter(|resource| resource.room.is_none()) {
            prop_assert_eq!(both.covers_data_read(resource), a.covers_data_read(resource) && b.covers_data_read(resource), "{:?}", resource);
        }
    }

    #[test]
    fn intersecting_is_idempotent_commutative_and_associative(a in any_scopes(), b in any_scopes(), c in any_scopes()) {
        let both = a.intersect(&b);
        prop_assert_eq!(&both, &b.intersect(&a));
        prop_assert_eq!(&both, &both.intersect(&b));
        prop_assert_eq!(&both, &both.intersect(&both));
        prop_assert_eq!(answers(&a.intersect(&a)), answers(&a));
        prop_assert_eq!(both.intersect(&c), a.intersect(&b.intersect(&c)));
    }

    #[test]
    fn what_was_read_reads_the_same_again(value in json_near_scopes()) {
        if let Ok(scopes) = TokenScopes::parse(&value) {
            prop_assert_eq!(TokenScopes::parse(&serde_json::to_value(&scopes).unwrap()).unwrap(), scopes.clone());
            prop_assert_eq!(scopes.intersect(&scopes), scopes);
        }
    }
}

fn json_near_scopes() -> impl Strategy<Value = Value> {
    let entry = prop_oneof![
        9 => prop::sample::select([NAMES, ACTIONS, DOMAINS, DATA].concat()).prop_map(|text| json!(text)),
        1 => prop_oneof![Just(json!(1)), Just(json!(" ")), "\\PC{0,8}".prop_map(Value::from)],
    ];
    let key = prop::sample::select(vec!["rooms", "tools", "egress_domains", "action_types"]);
    let list = prop::collection::vec(entry, 0..3).prop_map(Value::from);
    (prop::collection::hash_map(key, list.clone(), 0..4), list).prop_map(|(lists, read)| {
        let mut value = json!({"data_access": {"read": read}});
        value.as_object_mut().unwrap().extend(lists.into_iter().map(|(key, list)| (key.to_owned(), list)));
        value
    })
}
