//! The OpenAPI document is the one that is committed, and says of every route what the table says.

use std::path::Path;

use api::routes::ROUTES;

use crate::app::App;

/// Set it to write the document anew.
const REWRITE: &str = "EXEAT_REWRITE_OPENAPI";

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    if std::env::var_os(REWRITE).is_some() {
        std::fs::write(&file, api::openapi::text()).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == api::openapi::text(),
        "crates/api/openapi.json is not what the code says: run this test with {REWRITE}=1 and look at the difference"
    );
    let served = App::start().stranger().get("/openapi.json").unwrap();
    assert_eq!(served.text(), committed);
}

#[test]
fn every_route_is_described_with_who_may_use_it() {
    let document: serde_json::Value = serde_json::from_str(api::openapi::text()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut operations = 0;
    for route in ROUTES {
        let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        assert_eq!(operation["operationId"], route.operation_id);
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{}", route.path);
        match route.roles {
            None => assert_eq!(operation["security"], serde_json::json!([]), "{}", route.path),
            Some(roles) => {
                assert_eq!(operation["security"][0]["key"], serde_json::json!([]), "{}", route.path);
                assert_eq!(operation["x-roles"].as_array().unwrap().len(), roles.iter().count(), "{}", route.path);
                assert!(operation["responses"]["401"].is_object(), "{}", route.path);
            }
        }
        operations += 1;
    }
    let all: usize = document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(operations, all);
}

#[test]
fn every_reference_leads_somewhere() {
    let text = api::openapi::text();
    let document: serde_json::Value = serde_json::from_str(text).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut references = 0;
    for part in text.split("\"#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
        references += 1;
    }
    assert!(references > 50);
}

#[test]
fn the_page_for_readers_loads_nothing() {
    let app = App::start();
    let page = app.stranger().get("/docs").unwrap();
    let text = page.text();
    for route in ROUTES {
        assert!(text.contains(&format!("id=\"{}\"", route.operation_id)), "{}", route.operation_id);
    }
    for code in model::ReasonCode::ALL {
        assert!(text.contains(code.as_str()), "{code}");
    }
    for outside in ["http://", "https://", "<script", "<link", "<img", "@import", "url("] {
        assert!(!text.contains(outside), "{outside}");
    }
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'; style-src 'sha256-"));
}
