//! What a server says of its guard.

use crate::ground::{As, inside};
use crate::no_egress::World;
use crate::runner::{By, Rung, Server};

#[test]
fn nothing_is_allowed_that_nobody_allowed() {
    inside(module_path!(), "nothing_is_allowed_that_nobody_allowed", |ground| {
        let world = World::make(ground);
        let scene = world.scene(As::Root);
        for rung in Rung::ALL {
            let server = Server::start(ground, &scene, By::Route, rung);
            let guard = server.another().get("/v1/guard");
            let guard = if guard["guard"].is_object() { &guard["guard"] } else { &guard };
            assert_eq!(guard["allowlist"], serde_json::json!([]), "{guard}");
            assert_eq!(guard["rungs"][0], rung.name(), "{guard}");
        }
    });
}
