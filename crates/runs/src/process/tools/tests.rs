use serde_json::json;

use super::super::wanted::{Need, Wanted};
use super::*;

fn parse(text: &str) -> Result<Toolbox, (usize, String)> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Toolbox::load(file.path()).map_err(|error| match error {
        ToolFileError::Wrong { line, what, path } => {
            assert_eq!(path, file.path());
            (line, what)
        }
        ToolFileError::Unreadable { .. } => panic!("{error}"),
    })
}

#[test]
fn a_file_names_tools() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let text = format!(
        "[tools.\"git.status\"]\nargv = [\"git\", \"status\"]\narguments = \"append\"\nread_only = [{path:?}]\n\
         env = {{ GIT_PAGER = \"cat\" }}\nallow = [\"github.com\"]\non_refused = \"fail\"\ntimeout = \"90s\"\n\
         memory = \"512MiB\"\nidempotent = true\n[tools.plain]\nargv = [\"true\"]\n"
    );
    let toolbox = parse(&text).unwrap();
    assert_eq!(toolbox.names().collect::<Vec<_>>(), ["git.status", "plain"]);
    assert_eq!(toolbox.paths().collect::<Vec<_>>(), [path.as_path()]);

    let git = toolbox.get("git.status").unwrap();
    let wanted = Wanted::registered(git, &json!({"arguments": ["-s"], "timeout_ms": 1000})).unwrap();
    assert_eq!(wanted.argv, ["git", "status", "-s"]);
    assert_eq!((wanted.timeout, wanted.memory_bytes), (Duration::from_secs(1), 512 << 20));
    assert_eq!((wanted.read_only, wanted.idempotent), (vec![path], true));
    assert!(matches!(wanted.network, Need::Asks { allow: Some(_), on_refused: OnRefused::Fail }));
    // The time can only be shortened, and nothing of the operator's can be changed.
    let longer = Wanted::registered(git, &json!({"timeout_ms": 1_000_000})).unwrap();
    assert_eq!(longer.timeout, Duration::from_secs(90));
    for input in [
        json!({"argv": ["sh"]}),
        json!({"env": {"A": "1"}}),
        json!({"network": {}}),
        json!({"writable": ["/"]}),
        json!({"idempotent": true}),
        json!({"arguments": "-s"}),
    ] {
        assert_eq!(Wanted::registered(git, &input).unwrap_err().error["code"], "invalid_process", "{input}");
    }

    let plain = toolbox.get("plain").unwrap();
    assert_eq!(Wanted::registered(plain, &serde_json::Value::Null).unwrap().argv, ["true"]);
    assert!(Wanted::registered(plain, &json!({"arguments": []})).is_ok());
    assert!(Wanted::registered(plain, &json!({"arguments": ["x"]})).is_err());
    assert_eq!(Wanted::registered(plain, &json!({})).unwrap().network, Need::None);
}

#[test]
fn an_empty_file_has_no_tools() {
    assert_eq!(parse("").unwrap().names().count(), 0);
    assert_eq!(parse("# nothing\n[tools]\n").unwrap().names().count(), 0);
}

#[test]
fn a_mistake_is_told_with_its_line() {
    let head = "[tools.a]\nargv = [\"true\"]\n";
    for (text, line, what) in [
        ("tools = 1".to_owned(), 1, "invalid type"),
        ("[tools.a\n".to_owned(), 1, ""),
        ("[tools.a]\n".to_owned(), 1, "argv"),
        ("\n\n[tool.a]\nargv = [\"true\"]\n".to_owned(), 3, "unknown field"),
        ("[tools.a]\nargv = []\n".to_owned(), 2, "argv"),
        ("[tools.a]\nargv = \"true\"\n".to_owned(), 2, ""),
        ("[tools.a]\n\nargv = [\"a\\u0000\"]\n".to_owned(), 3, "argv"),
        ("[tools.\"http.request\"]\nargv = [\"true\"]\n".to_owned(), 1, "built in"),
        ("[tools.\"runtime.x\"]\nargv = [\"true\"]\n".to_owned(), 1, "built in"),
        ("[tools.\" a\"]\nargv = [\"true\"]\n".to_owned(), 1, "name of a tool"),
        (format!("{head}[tools.b]\n"), 3, "argv"),
        (format!("{head}unconfined = true\n"), 3, "unknown field"),
        (format!("{head}arguments = \"all\"\n"), 3, "unknown variant"),
        (format!("{head}timeout = \"60\"\n"), 3, "`timeout`"),
        (format!("{head}timeout = \"25h\"\n"), 3, "`timeout`"),
        (format!("{head}memory = \"2GB\"\n"), 3, "`memory`"),
        (format!("{head}on_refused = \"x\"\n"), 3, "`on_refused`"),
        (format!("{head}allow = [\"a b\"]\n"), 3, "`allow`"),
        (format!("{head}read_only = [\"relative\"]\n"), 3, "absolute"),
        (format!("{head}read_only = [\n  \"/usr\",\n  \"/usr/../etc\",\n]\n"), 5, "absolute"),
        (format!("{head}read_only = [\"/not/there/at/all\"]\n"), 3, "/not/there"),
        (format!("{head}writable = [\"/\"]\n"), 3, "`/`"),
        (format!("{head}cwd = \"x\"\n"), 3, "absolute"),
        (format!("{head}env = {{ EXEAT_KEY = \"x\" }}\n"), 3, "EXEAT_KEY"),
        (format!("{head}env = {{ \"a b\" = \"x\" }}\n"), 3, "a b"),
    ] {
        let (at, told) = parse(&text).expect_err(&text);
        assert_eq!(at, line, "{text}: {told}");
        assert!(told.contains(what), "{text}: {told}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let told = Toolbox::load(Path::new("/not/there.toml")).unwrap_err().to_string();
    assert!(told.contains("/not/there.toml"), "{told}");
}
