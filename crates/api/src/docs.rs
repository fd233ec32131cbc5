//! The documentation page: the OpenAPI document for readers. One page, no script, nothing loaded from
//! anywhere; its one style sheet is admitted by its hash.

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use model::ReasonCode;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::openapi;
use crate::routes::{ROUTES, Route};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:#1a1a1a;background:#fff}code{font:.9em ui-monospace,monospace;background:#f2f2f2;padding:.1em .3em}\
table{border-collapse:collapse;width:100%;margin:.5rem 0}td,th{text-align:left;vertical-align:top;\
padding:.25rem .75rem .25rem 0;border-bottom:1px solid #ddd}details{margin:.5rem 0;padding:.5rem 0;\
border-top:1px solid #ddd}summary{cursor:pointer}nav a{margin-right:1rem}.m{font-weight:600}\
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#151515}code{background:#2a2a2a}\
td,th,details{border-color:#444}a{color:#8ab4f8}}";

static PAGE: LazyLock<String> = LazyLock::new(make);

/// The page.
pub(crate) fn page() -> &'static str {
    &PAGE
}

/// What the page may do: show itself.
pub(crate) fn content_security_policy() -> String {
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

fn make() -> String {
    let document = serde_json::to_value(openapi::document()).unwrap_or(Value::Null);
    let mut page = String::with_capacity(256 << 10);
    page.push_str("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>exeat API</title>");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width\">");
    let _ok = write!(page, "<style>{STYLE}</style><h1>exeat API</h1>");
    page.push_str(
        "<p>Send <code>authorization: Bearer exk_…</code> (or <code>cap1.…</code>) with every request. Errors are \
         <code>application/problem+json</code> with a stable <code>error</code>. A decision is not an error. \
         The machine-readable form of this page is <a href=\"/openapi.json\">/openapi.json</a>.</p><nav>",
    );
    let tags = tags();
    for tag in &tags {
        let _ok = write!(page, "<a href=\"#{tag}\">{tag}</a>");
    }
    page.push_str("<a href=\"#schemas\">Schemas</a><a href=\"#reasons\">Reason codes</a></nav>");
    for tag in &tags {
        let _ok = write!(page, "<h2 id=\"{tag}\">{tag}</h2>");
        for route in ROUTES.iter().filter(|route| route.tag == *tag) {
            operation(&mut page, route, &document);
        }
    }
    schemas(&mut page, &document);
    reasons(&mut page);
    page.push_str("</html>\n");
    page
}

fn tags() -> Vec<&'static str> {
    let mut tags = Vec::new();
    for route in ROUTES {
        if !tags.contains(&route.tag) {
            tags.push(route.tag);
        }
    }
    tags
}

fn operation(page: &mut String, route: &Route, document: &Value) {
    let method = route.method.as_str();
    let spec = at(at(at(document, "paths"), route.path), &method.to_ascii_lowercase());
    let _ok = write!(
        page,
        "<details id=\"{}\"><summary><code><span class=\"m\">{method}</span> {}</code> {}</summary>",
        route.operation_id,
        escape(route.path),
        prose(text(spec, "summary"))
    );
    let _ok = write!(page, "<p>{}</p><p>Who: {}</p>", prose(text(spec, "description")), who(route));
    let parameters = at(spec, "parameters").as_array().map(Vec::as_slice).unwrap_or_default();
    if !parameters.is_empty() {
        page.push_str("<table><tr><th>parameter<th>in<th>meaning");
        for parameter in parameters {
            let _ok = write!(
                page,
                "<tr><td><code>{}</code><td>{}<td>{}",
                escape(text(parameter, "name")),
                escape(text(parameter, "in")),
                prose(text(parameter, "description"))
            );
        }
        page.push_str("</table>");
    }
    if let Some(body) = content(at(spec, "requestBody")) {
        let _ok = write!(page, "<p>Body: {body}</p>");
    }
    page.push_str("<table><tr><th>status<th>answer<th>");
    for (status, response) in at(spec, "responses").as_object().into_iter().flatten() {
        let _ok = write!(
            page,
            "<tr><td>{}<td>{}<td>{}",
            escape(status),
            content(response).unwrap_or_default(),
            prose(text(response, "description"))
        );
    }
    page.push_str("</table></details>");
}

fn who(route: &Route) -> String {
    match route.roles {
        None => "anybody, without a key".to_owned(),
        Some(roles) => roles.iter().map(|role| format!("<code>{role}</code>")).collect::<Vec<_>>().join(", "),
    }
}

/// The first content of a body or answer: its media type and schema.
fn content(of: &Value) -> Option<String> {
    let (kind, content) = at(of, "content").as_object()?.iter().next()?;
    Some(format!("{} <code>{}</code>", shown(at(content, "schema")), escape(kind)))
}

fn schemas(page: &mut String, document: &Value) {
    page.push_str("<h2 id=\"schemas\">Schemas</h2>");
    for (name, schema) in at(at(document, "components"), "schemas").as_object().into_iter().flatten() {
        let _ok = write!(
            page,
            "<details id=\"schema-{0}\"><summary><code>{0}</code></summary><p>{1}</p><table>",
            escape(name),
            prose(text(schema, "description"))
        );
        for (member, of) in at(schema, "properties").as_object().into_iter().flatten() {
            let _ok = write!(
                page,
                "<tr><td><code>{}</code><td>{}<td>{}",
                escape(member),
                shown(of),
                prose(text(of, "description"))
            );
        }
        page.push_str("</table></details>");
    }
}

/// A schema in a few words.
fn shown(schema: &Value) -> String {
    if let Some(name) = at(schema, "$ref").as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("<a href=\"#schema-{0}\"><code>{0}</code></a>", escape(name));
    }
    if let Some(choices) = at(schema, "oneOf").as_array() {
        return choices.iter().map(shown).collect::<Vec<_>>().join(" or ");
    }
    match at(schema, "type") {
        Value::String(kind) if kind == "array" => format!("list of {}", shown(at(schema, "items"))),
        Value::String(kind) => escape(kind),
        Value::Array(kinds) => {
            let item = |kind: &Value| match kind.as_str() {
                Some("array") => format!("list of {}", shown(at(schema, "items"))),
                kind => escape(kind.unwrap_or_default()),
            };
            kinds.iter().map(item).collect::<Vec<_>>().join(" or ")
        }
        _ => "any".to_owned(),
    }
}

fn reasons(page: &mut String) {
    page.push_str("<h2 id=\"reasons\">Reason codes</h2><table><tr><th>code<th>meaning<th>what to do");
    for code in ReasonCode::ALL {
        let _ok = write!(page, "<tr><td><code>{code}</code><td>{}<td>{}", prose(code.sentence()), prose(code.remedy()));
    }
    page.push_str("</table>");
}

fn at<'v>(of: &'v Value, name: &str) -> &'v Value {
    of.get(name).unwrap_or(&Value::Null)
}

fn text<'v>(of: &'v Value, name: &str) -> &'v str {
    at(of, name).as_str().unwrap_or_default()
}

/// Text with `code` in it.
fn prose(text: &str) -> String {
    let mut out = String::new();
    for (place, part) in text.split('`').enumerate() {
        if place % 2 == 1 {
            let _ok = write!(out, "<code>{}</code>", escape(part));
        } else {
            out.push_str(&escape(part));
        }
    }
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
