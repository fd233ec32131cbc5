//! The OpenAPI document, made from the table of routes and what stands beside each handler.
//!
//! What holds for every route (the key, the errors of the door, the headers) is added here, so that
//! no handler can forget it.

use std::sync::LazyLock;

use http::Method;
use utoipa::PartialSchema as _;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{HttpMethod, Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, Content, InfoBuilder, License, OpenApi, OpenApiBuilder, PathsBuilder, Ref, RefOr, Required,
    Response, Schema,
};

use crate::problem::ProblemBody;
use crate::routes::{ROUTES, Route};

const SCHEME: &str = "key";

static DOCUMENT: LazyLock<OpenApi> = LazyLock::new(make);
static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut text = DOCUMENT.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
});

/// The document.
#[must_use]
pub fn document() -> &'static OpenApi {
    &DOCUMENT
}

/// The document as JSON, as it is served and committed.
#[must_use]
pub fn text() -> &'static str {
    &TEXT
}

fn make() -> OpenApi {
    let mut paths = PathsBuilder::new();
    let mut schemas: Vec<(String, RefOr<Schema>)> = vec![("Problem".to_owned(), ProblemBody::schema())];
    for route in ROUTES {
        let described = (route.describe)();
        debug_assert_eq!((described.path.as_str(), described.methods.len()), (route.path, 1), "{}", route.operation_id);
        debug_assert!(described.methods.first().is_some_and(|m| *m == method(route)), "{}", route.operation_id);
        schemas.extend(described.schemas);
        paths = paths.path(route.path, PathItem::new(method(route), operation(route, described.operation)));
    }
    let mut components = ComponentsBuilder::new();
    for (name, schema) in schemas {
        components = components.schema(name, schema);
    }
    let key = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A key, `exk_<id>_<secret>`: made with `exeat keys create`, shown once. Or a capability token, \
             `cap1.<id>.<secret>` or `cap1.<id>.<caveats>.<mac>`: granted with `exeat capabilities grant`, narrowed by \
             its holder with `exeat capabilities attenuate`; it lets in as an agent, the principal it was issued to, \
             and all that is asked is asked with it.",
        ))
        .build();
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("exeat")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "An agent asks, the gate decides and writes the decision down, and only then may anything leave.",
                ))
                .license(Some(License::new("MIT OR Apache-2.0")))
                .build(),
        )
        .paths(paths.build())
        .components(Some(components.security_scheme(SCHEME, SecurityScheme::Http(key)).build()))
        .build()
}

fn method(route: &Route) -> HttpMethod {
    if route.method == Method::GET {
        HttpMethod::Get
    } else if route.method == Method::PUT {
        HttpMethod::Put
    } else if route.method == Method::DELETE {
        HttpMethod::Delete
    } else {
        HttpMethod::Post
    }
}

fn operation(route: &Route, mut operation: Operation) -> Operation {
    operation.operation_id = Some(route.operation_id.to_owned());
    operation.tags = Some(vec![route.tag.to_owned()]);
    operation.security = Some(match route.roles {
        Some(_) => vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())],
        None => Vec::new(),
    });
    if let Some(roles) = route.roles {
        let names: Vec<&str> = roles.iter().map(model::Role::as_str).collect();
        operation.extensions = Some(Extensions::builder().add("x-roles", serde_json::json!(names)).build());
        let parameters = operation.parameters.get_or_insert_default();
        parameters.push(RefOr::T(header("x-workspace-id", "The workspace; without it the key's own, or `ws_dev`")));
        if route.creates {
            let text = "The same key and body within 24 hours give the first answer again";
            parameters.push(RefOr::T(header("idempotency-key", text)));
        }
        for (status, text) in door(route) {
            operation.responses.responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(Response::new(text)));
        }
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with(['4', '5'])
            && response.content.is_empty()
        {
            let content = Content::new(Some(RefOr::<Schema>::Ref(Ref::from_schema_name("Problem"))));
            response.content.insert("application/problem+json".to_owned(), RefOr::T(content));
        }
    }
    operation
}

/// What the door answers, by status.
fn door(route: &Route) -> Vec<(&'static str, &'static str)> {
    let mut all = vec![
        ("400", "`invalid_request`"),
        ("401", "`authentication_required`: the same bytes for every cause but `request_id`"),
        ("403", "`forbidden`: the key's role is not entitled to this"),
        ("503", "`event_log_failure`: try again after `retry-after` seconds"),
    ];
    if route.method != Method::GET {
        all.push(("413", "`payload_too_large`: over 1 MiB"));
        all.push(("415", "`unsupported_media_type`"));
    }
    if route.creates {
        all.push(("409", "`idempotency_key_reused`"));
    }
    all
}

fn header(name: &str, text: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(text))
        .schema(Some(String::schema()))
        .build()
}
