//! The ask of a test: from a few keys to the same value that a request becomes.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::ask::{CONNECT, DataSubject, EgressSubject, Subject, Tunnel};
use model::target::normalise_host;
use model::{Action, Actor, ActorType, Ask, Category, Label, RoomId, TargetUrl, Time, WorkspaceId, Zone};
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::Unseen;
use super::read::Reader;
use crate::load::text::Item;
use crate::problem::did_you_mean;

const KEYS: [&str; 21] = [
    "agent", "user", "service", "method", "url", "host", "path", "port", "scheme", "action", "tool", "input", "room",
    "zone", "label", "purpose", "category", "unseen", "at", "purposes", "tunnel",
];

/// An ask as it was written.
pub(super) struct Asked {
    pub(super) ask: Ask,
    pub(super) unseen: BTreeSet<Unseen>,
    pub(super) at: Option<Time>,
}

/// The keys that are there.
#[derive(Default)]
struct Written<'v> {
    actor: Option<(ActorType, &'v str)>,
    method: Option<&'v str>,
    url: Option<&'v str>,
    host: Option<&'v str>,
    path: Option<&'v str>,
    port: Option<u16>,
    scheme: Option<&'v str>,
    tunnel: Option<Tunnel>,
    action: Option<&'v str>,
    tool: Option<&'v str>,
    input: Option<Value>,
    room: Option<&'v str>,
    zone: Option<Zone>,
    label: Option<Label>,
    purposes: BTreeSet<String>,
    category: Option<Category>,
    unseen: BTreeSet<Unseen>,
    at: Option<Time>,
}

impl Written<'_> {
    fn leaves(&self) -> bool {
        let texts = [self.method, self.url, self.host, self.path, self.scheme];
        texts.iter().any(Option::is_some) || self.port.is_some() || self.tunnel.is_some()
    }

    /// What kind of ask it is, as its keys say.
    fn category(&self) -> Result<Category, &'static str> {
        let calls = self.tool.is_some() || self.input.is_some();
        let reads = self.label.is_some() || !self.purposes.is_empty();
        let said = match (self.leaves(), calls, reads) {
            (true, false, false) => Some(Category::Egress),
            (false, true, false) => Some(Category::ToolCall),
            (false, false, true) => Some(Category::DataAccess),
            (false, false, false) => None,
            _ => return Err("an ask is about a request that leaves, a tool call or data, not about several"),
        };
        match (self.category, said) {
            (None, None) => Ok(Category::Action),
            (Some(one), None) | (None, Some(one)) => Ok(one),
            (Some(Category::Action), Some(Category::Egress)) if self.url.or(self.host).is_some() => {
                Ok(Category::Action)
            }
            (Some(one), Some(other)) if one == other => Ok(one),
            _ => Err("the category does not fit the other keys"),
        }
    }

    fn target(&self) -> Result<TargetUrl, String> {
        let wrong = |error: model::target::InvalidTarget| error.to_string();
        if let Some(url) = self.url {
            if self.host.is_some() || self.path.is_some() || self.port.is_some() || self.scheme.is_some() {
                return Err("`url` says host, path, port and scheme already".to_owned());
            }
            return TargetUrl::parse(url).map_err(wrong);
        }
        let host = self.host.ok_or("the ask names no `url` and no `host`")?;
        let path = self.path.unwrap_or("/");
        if !path.starts_with('/') {
            return Err("a path begins with /".to_owned());
        }
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        TargetUrl::parse(&format!("{}://{host}{port}{path}", self.scheme.unwrap_or("https"))).map_err(wrong)
    }

    fn subject(&mut self, category: Category) -> Result<Subject, String> {
        Ok(match category {
            Category::Egress => {
                let target = self.target()?;
                let usual = if self.tunnel.is_some() { CONNECT } else { "GET" };
                let method = self.method.unwrap_or(usual).trim().to_ascii_uppercase();
                if self.tunnel.is_some() && self.path.is_some() {
                    return Err("nobody sees a path in a tunnel".to_owned());
                }
                if self.tunnel.is_some() && method != CONNECT {
                    return Err(format!("the method of a tunnel is {CONNECT}, not {method}"));
                }
                let target_domain = Some(target.domain().to_owned());
                let subject = EgressSubject::of(Some(target), target_domain, Some(method));
                Subject::Egress(EgressSubject { tunnel: self.tunnel.or(subject.tunnel), ..subject })
            }
            Category::ToolCall => {
                let tool_name = self.tool.map(str::to_owned);
                if tool_name.is_none() && !self.unseen.contains(&Unseen::Tool) {
                    return Err("the ask names no `tool`".to_owned());
                }
                Subject::ToolCall { tool_name, input: self.input.take().map(Arc::new) }
            }
            Category::DataAccess => Subject::DataAccess(DataSubject {
                resource_type: "document".to_owned(),
                resource_id: "test".to_owned(),
                label: self.label.unwrap_or(Label::Internal),
                resource_room: None,
                resource_purposes: BTreeSet::new(),
                purposes: std::mem::take(&mut self.purposes),
                justification: None,
            }),
            Category::Action => {
                let named = match self.url {
                    Some(url) => Some(TargetUrl::parse(url).map_err(|e| e.to_string())?.domain().to_owned()),
                    None => self.host.map(normalise_host).transpose().map_err(|e| e.to_string())?,
                };
                Subject::Action { target_domain: named }
            }
        })
    }

    fn action(&self, subject: &Subject) -> Result<Action, String> {
        let wrong = |error: model::action::InvalidAction| error.to_string();
        if let Some(text) = self.action {
            return Action::parse(text).map_err(wrong);
        }
        let name = match subject {
            Subject::Egress(egress) => egress.method.as_deref().map_or(Action::EXTERNAL_WRITE, Action::name_of_method),
            Subject::ToolCall { tool_name, .. } => {
                return Action::tool_call(tool_name.as_deref().unwrap_or("unseen")).map_err(wrong);
            }
            Subject::DataAccess(_) => "data.read",
            Subject::Action { .. } => return Err("the ask names no `action`".to_owned()),
        };
        Action::parse(name).map_err(wrong)
    }

    fn ask(mut self) -> Result<Asked, String> {
        let category = self.category()?;
        let subject = self.subject(category)?;
        let action = self.action(&subject)?;
        let (kind, name) = self.actor.unwrap_or((ActorType::User, "anybody"));
        let room_id = self.room.map(|room| RoomId::parse(room).map_err(|e| e.to_string())).transpose()?;
        let ask = Ask {
            workspace_id: WorkspaceId::from_stored("ws_test".to_owned()),
            action,
            actor: Actor::new(kind, name),
            principal_id: None,
            capability_token_id: None,
            narrowing: None,
            token_required: false,
            zone: self.zone,
            room_id,
            thread_id: None,
            run_id: None,
            step_id: None,
            subject,
            ask_digest: None,
        };
        Ok(Asked { ask, unseen: self.unseen, at: self.at })
    }
}

impl Reader<'_, '_> {
    /// The ask of a test; `None` when something is wrong with it, which is then known.
    pub(super) fn ask(&mut self, value: &Item<'_>) -> Option<Asked> {
        let start = value.span().start;
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong(start, "`ask` must be a table", Some("write ask = { agent = \"…\", url = \"…\" }".to_owned()));
            return None;
        };
        let before = self.problems.len();
        let written = self.written(table);
        if self.problems.len() > before {
            return None;
        }
        match written.ask() {
            Ok(asked) => Some(asked),
            Err(why) => {
                self.wrong(start, why, None);
                None
            }
        }
    }

    fn written<'v>(&mut self, table: &'v DeTable<'_>) -> Written<'v> {
        let mut all = Written::default();
        for (key, value) in table {
            let (start, name) = (value.span().start, &**key.get_ref());
            match name {
                "agent" => all.actor = self.actor(&all, ActorType::Agent, name, value),
                "user" => all.actor = self.actor(&all, ActorType::User, name, value),
                "service" => all.actor = self.actor(&all, ActorType::Service, name, value),
                "method" => all.method = self.string(name, value),
                "url" => all.url = self.string(name, value),
                "host" => all.host = self.string(name, value),
                "path" => all.path = self.string(name, value),
                "action" => all.action = self.string(name, value),
                "tool" => all.tool = self.string(name, value),
                "room" => all.room = self.string(name, value),
                "scheme" => all.scheme = self.one_of(name, value, &["http", "https"]),
                "port" => all.port = self.port(value),
                "tunnel" => {
                    let names: Vec<&str> = Tunnel::ALL.iter().map(|tunnel| tunnel.as_str()).collect();
                    all.tunnel = self.one_of(name, value, &names).and_then(Tunnel::parse);
                }
                "input" => all.input = json(value),
                "purpose" | "purposes" => {
                    all.purposes = self.strings(name, value).into_iter().map(|(_, text)| text.to_owned()).collect();
                }
                "zone" => {
                    let names: Vec<&str> = Zone::ALL.iter().map(|zone| zone.as_str()).collect();
                    all.zone = self.one_of(name, value, &names).and_then(Zone::parse);
                }
                "label" => {
                    let names: Vec<&str> = Label::ALL.iter().map(|label| label.as_str()).collect();
                    all.label = self.one_of(name, value, &names).and_then(Label::parse);
                }
                "category" => {
                    let names: Vec<&str> = Category::ALL.iter().map(|each| each.as_str()).collect();
                    all.category = self.one_of(name, value, &names).and_then(Category::parse);
                }
                "unseen" => all.unseen = self.unseen(value),
                "at" => all.at = self.at(start, value),
                other => {
                    let hint = did_you_mean(other, KEYS);
                    self.wrong(key.span().start, format!("`{other}` is not a fact of an ask"), hint);
                }
            }
        }
        all
    }

    fn actor<'v>(
        &mut self,
        so_far: &Written<'v>,
        kind: ActorType,
        name: &str,
        value: &'v Item<'_>,
    ) -> Option<(ActorType, &'v str)> {
        if so_far.actor.is_some() {
            self.wrong(value.span().start, "one of agent, user and service asks, not several", None);
        }
        let text = self.string(name, value)?.trim();
        if text.is_empty() || text == "*" {
            self.wrong(value.span().start, format!("`{name}` must be a name: a test asks as somebody"), None);
        }
        Some((kind, text))
    }

    fn one_of<'v>(&mut self, name: &str, value: &'v Item<'_>, names: &[&str]) -> Option<&'v str> {
        let text = self.string(name, value)?;
        if names.contains(&text) {
            return Some(text);
        }
        let hint = did_you_mean(text, names.iter().copied()).unwrap_or_else(|| names.join(", "));
        self.wrong(value.span().start, format!("`{text}` cannot be a {name}"), Some(hint));
        None
    }

    fn port(&mut self, value: &Item<'_>) -> Option<u16> {
        let port = match value.get_ref() {
            DeValue::Integer(number) => u16::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let port = port.filter(|port| *port > 0);
        if port.is_none() {
            self.wrong(value.span().start, "a port is a number from 1 to 65535", None);
        }
        port
    }

    fn at(&mut self, start: usize, value: &Item<'_>) -> Option<Time> {
        let text = match value.get_ref() {
            DeValue::Datetime(moment) if moment.offset.is_some() => moment.to_string(),
            DeValue::String(text) => text.to_string(),
            _ => String::new(),
        };
        let at = text.parse::<jiff::Timestamp>().ok().map(|moment| Time::from_millis(moment.as_millisecond()));
        if at.is_none() {
            self.wrong(start, "`at` must be a moment", Some("write 2026-12-31T18:00:00Z".to_owned()));
        }
        at
    }
}

/// A value of TOML as JSON; moments become texts, numbers that JSON lacks nothing at all.
fn json(value: &Item<'_>) -> Option<Value> {
    Some(match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok()?.into(),
        DeValue::Float(number) => serde_json::Number::from_f64(number.as_str().parse().ok()?)?.into(),
        DeValue::Datetime(moment) => Value::String(moment.to_string()),
        DeValue::Array(list) => Value::Array(list.iter().filter_map(json).collect()),
        DeValue::Table(table) => {
            let members = table.iter().filter_map(|(key, value)| Some((key.get_ref().to_string(), json(value)?)));
            Value::Object(members.collect::<Map<String, Value>>())
        }
    })
}
