use super::*;
use crate::{Source, compile, load};

fn files(rules: &str, tests: &str) -> Vec<Source> {
    let file = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    vec![file("a.toml", rules), file("a.test.toml", tests)]
}

const RULES: &str = r#"
[tools.pay]
"/amount" = "number"

[[allow]]
id = "github-read"
agent = "coder"
host = "*.github.com"
method = "GET"

[[deny]]
id = "no-admin"
host = "*"
path = "/admin"

[[ask]]
id = "big"
tool = "pay"
when = { arg = "/amount", ge = 100 }

[[allow]]
id = "at-work"
action = "deploy.start"
hours = "mon-fri 08:00-18:00"

[[ask]]
id = "pii"
label = "sensitive_pii"
purpose = "support"
"#;

fn results(tests: &str) -> Vec<CaseResult> {
    let files = files(RULES, tests);
    let set = load(&files).unwrap().set;
    let cases = parse(&files).unwrap_or_else(|problems| panic!("{problems:?}"));
    run(&set, &compile(&set), &cases, Time::from_millis(0))
}

#[test]
fn asks_are_decided_as_the_gate_would() {
    let check = |ask: &str, expect: &str, rule: Option<&str>| {
        let rule = rule.map(|rule| format!("rule = \"{rule}\"")).unwrap_or_default();
        let found = results(&format!("[[case]]\nname = \"x\"\nask = {{ {ask} }}\nexpect = \"{expect}\"\n{rule}\n"));
        assert!(found[0].passed, "{ask}: {found:?}");
        for other in ["allow", "ask", "deny", "none"].into_iter().filter(|other| *other != expect) {
            let found = results(&format!("[[case]]\nname = \"x\"\nask = {{ {ask} }}\nexpect = \"{other}\"\n"));
            assert!(!found[0].passed && found[0].message.is_some(), "{ask} is not {other}: {found:?}");
            assert_eq!((found[0].expected.as_str(), found[0].got.as_str()), (other, expect));
        }
    };
    check(r#"agent = "coder", url = "https://api.github.com/x""#, "allow", Some("github-read"));
    check(r#"agent = "coder", host = "api.github.com", path = "/x", method = "get""#, "allow", Some("github-read"));
    check(r#"agent = "coder", method = "POST", url = "https://api.github.com/x""#, "none", None);
    check(r#"user = "coder", url = "https://api.github.com/x""#, "none", None);
    check(r#"agent = "coder", url = "https://api.github.com/admin/x""#, "deny", Some("no-admin"));
    check(r#"agent = "coder", host = "github.com", unseen = ["path"]"#, "deny", Some("no-admin"));
    check(r#"agent = "coder", host = "github.com", port = 8443"#, "none", None);
    check(r#"host = "git.example.com", port = 22, tunnel = "opaque""#, "deny", Some("no-admin"));
    check(r#"tool = "pay", input = { amount = 100 }"#, "ask", Some("big"));
    check(r#"tool = "pay", input = { amount = 99.5 }"#, "none", None);
    check(r#"tool = "pay""#, "ask", Some("big"));
    check(r#"action = "deploy.start", at = 2026-11-20T09:00:00Z"#, "allow", Some("at-work"));
    check(r#"action = "deploy.start", at = 2026-11-21T09:00:00Z"#, "none", None);
    check(r#"label = "sensitive_pii", purpose = ["support", "sales"]"#, "ask", Some("pii"));
    check(r#"label = "internal", purpose = "support""#, "none", None);
}

#[test]
fn tunnels_are_asked_for_by_what_they_may_carry() {
    let rules = "[[allow]]\nid = \"a\"\nhost = \"a.com\"\nport = [22, 443]\ntunnel = \"opaque\"\n\
                 [[allow]]\nid = \"b\"\nhost = \"b.com\"\n";
    let check = |ask: &str, want: &str| {
        let tests = format!("[[case]]\nname = \"x\"\nask = {{ {ask} }}\nexpect = \"none\"\n");
        let files = files(rules, &tests);
        let set = load(&files).unwrap().set;
        let got = match parse(&files) {
            Ok(cases) => run(&set, &compile(&set), &cases, Time::from_millis(0))[0].got.clone(),
            Err(problems) => problems[0].to_string(),
        };
        assert!(got.contains(want), "{ask}: {got}");
    };
    check(r#"host = "a.com", port = 22, tunnel = "opaque""#, "allow");
    check(r#"host = "a.com", tunnel = "opaque""#, "allow");
    check(r#"host = "a.com", tunnel = "tls""#, "allow");
    check(r#"host = "b.com", tunnel = "opaque""#, "none");
    check(r#"host = "b.com", tunnel = "tls""#, "allow");
    check(r#"host = "b.com", method = "CONNECT""#, "allow");
    check(r#"host = "b.com", tunnel = "ssh""#, "`ssh` cannot be a tunnel (tls, opaque)");
    check(r#"host = "b.com", tunnel = "tls", method = "GET""#, "the method of a tunnel is CONNECT, not GET");
    check(r#"host = "b.com", tunnel = "tls", path = "/x""#, "nobody sees a path in a tunnel");
}

#[test]
fn another_rule_than_expected_fails_although_the_outcome_is_right() {
    let ask = r#"ask = { agent = "coder", url = "https://github.com/admin" }"#;
    let found = results(&format!("[[case]]\nname = \"x\"\n{ask}\nexpect = \"deny\"\nrule = \"no-admn\"\n"));
    assert!(!found[0].passed);
    let message = found[0].message.as_deref().unwrap();
    assert!(message.contains("no-admn") && message.contains("did you mean `no-admin`?"), "{message}");
    let found = results(&format!("[[case]]\nname = \"x\"\n{ask}\nexpect = \"deny\"\nrule = [\"big\"]\n"));
    let message = found[0].message.as_deref().unwrap();
    assert!(!found[0].passed && message.contains("`no-admin` (a.toml:11)"), "{message}");
    assert_eq!((found[0].file.as_str(), found[0].line, found[0].name.as_str()), ("a.test.toml", 1, "x"));
    assert_eq!(found[0].rules, ["no-admin"]);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let check = |text: &str, line: u32, message: &str, hint: Option<&str>| {
        let problems = parse(&files(RULES, text)).expect_err(text);
        let first = &problems[0];
        assert_eq!((first.file.as_str(), first.line), ("a.test.toml", line), "{text}: {problems:?}");
        assert!(first.message.contains(message), "{text}: {first:?}");
        assert!(first.column > 0, "{first:?}");
        if let Some(hint) = hint {
            assert!(first.hint.as_deref().is_some_and(|found| found.contains(hint)), "{text}: {first:?}");
        }
    };
    let case = |body: &str| format!("[[case]]\nname = \"x\"\n{body}\n");
    check("[[cases]]\n", 1, "`cases`", Some("`case`"));
    check("case = 1\n", 1, "list", Some("[[case]]"));
    check("[[case]\n", 1, "", None);
    check("[[case]]\nask = { action = \"a.b\" }\nexpect = \"deny\"\n", 1, "no name", None);
    check(&case("expext = \"deny\""), 3, "`expext`", Some("`expect`"));
    check(&case("ask = { action = \"a.b\" }\nexpect = \"denny\""), 4, "`denny`", Some("`deny`"));
    check(&case("ask = { action = \"a.b\" }"), 1, "expects nothing", None);
    check(&case("expect = \"deny\""), 1, "asks nothing", None);
    check(&case("ask = { hots = \"a.test\" }\nexpect = \"deny\""), 3, "`hots`", Some("`host`"));
    check(&case("ask = { url = \"ftp://a.test\" }\nexpect = \"deny\""), 3, "", None);
    check(&case("ask = { url = \"https://a.test\", path = \"/\" }\nexpect = \"deny\""), 3, "already", None);
    check(&case("ask = { path = \"/\" }\nexpect = \"deny\""), 3, "no `host`", None);
    check(&case("ask = { host = \"a.test\", tool = \"b\" }\nexpect = \"deny\""), 3, "several", None);
    check(&case("ask = { agent = \"a\", user = \"b\", action = \"a.b\" }\nexpect = \"deny\""), 3, "one of", None);
    check(&case("ask = { host = \"a.test\", unseen = [\"pth\"] }\nexpect = \"deny\""), 3, "`pth`", Some("`path`"));
    check(&case("ask = { action = \"a.b\", zone = \"sandbx\" }\nexpect = \"deny\""), 3, "zone", Some("`sandbox`"));
    check(&case("ask = { action = \"a.b\", at = 2026-01-01 }\nexpect = \"deny\""), 3, "moment", None);
    check(&case("ask = { host = \"a.test\", port = 70000 }\nexpect = \"deny\""), 3, "port", None);
    check(&case("ask = {}\nexpect = \"deny\""), 3, "no `action`", None);
    assert_eq!(parse(&files("not toml", &case("ask = { action = \"a.b\" }\nexpect = \"deny\""))).unwrap().len(), 1);
}

#[test]
fn an_assertion_holds_for_all_asks_or_names_one() {
    let found = results("[[case]]\nname = \"a\"\nnever = \"agent:coder POST *.github.com\"\n");
    assert!(found[0].passed && found[0].got == "holds", "{found:?}");
    let found = results("[[case]]\nname = \"b\"\nnever = \"agent:coder GET api.github.com\"\n");
    assert!(!found[0].passed && found[0].rules == ["github-read"], "{found:?}");
    assert!(found[0].message.as_deref().is_some_and(|told| told.contains("api.github.com")), "{found:?}");
    let files = files(RULES, "[[case]]\nname = \"c\"\nnever = \"agnet:coder\"\n");
    let problems = parse(&files).unwrap_err();
    assert_eq!(problems[0].line, 3, "{problems:?}");
}
