//! `http.request`: asked for, sent once, redirects asked for one by one, and never sent twice blindly.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use egress::dial::{Dialer, DialerConfig};
use egress::fetch::Fetcher;
use egress::guard::{Guard, GuardConfig};
use egress::resolve::{FixedHost, Resolver, ResolverConfig};
use gate::policies::{Expect, FileInput, PublishInput};
use model::Role;
use model::run::RunStatus;
use policy::TrustedUpstream;
use runs::{Cycle, Runs, Worker, WorkerConfig};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::bed::{
    Bed, asked, assert_at_rest, assert_sound, caller, decide, error, events, on_both, queued, row, types, workspace,
};

/// A site that answers what it was told to, and remembers what it was asked.
struct Site {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// `answer` makes an answer of the request's head.
    async fn new(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (kept, answer) = (Arc::clone(&asked), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                tokio::spawn(async move {
                    let mut text = Vec::new();
                    let mut part = [0; 4096];
                    loop {
                        let Ok(count @ 1..) = stream.read(&mut part).await else { return };
                        text.extend_from_slice(&part[..count]);
                        let whole = String::from_utf8_lossy(&text).into_owned();
                        let Some((head, body)) = whole.split_once("\r\n\r\n") else { continue };
                        let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse().ok());
                        if body.len() >= length.unwrap_or(0) {
                            kept.lock().unwrap().push(whole.clone());
                            break;
                        }
                    }
                    let answer = answer(&String::from_utf8_lossy(&text));
                    if answer.is_empty() {
                        std::future::pending::<()>().await;
                    }
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// A way out that knows the site as `a.test` and `b.test`.
    fn way_out(&self) -> Fetcher {
        let names = ["a.test", "b.test"];
        let trusted = |name: &&str| TrustedUpstream {
            host: (*name).to_owned(),
            net: Some("127.0.0.1/32".parse().unwrap()),
            port: Some(80),
        };
        let guard = GuardConfig { trusted_upstreams: names.iter().map(trusted).collect(), ..GuardConfig::default() };
        let fixed = |name: &&str| FixedHost { name: (*name).to_owned(), port: 80, address: self.address };
        let names = ResolverConfig { fixed: names.iter().map(fixed).collect(), ..ResolverConfig::at(Vec::new()) };
        let dialer = Dialer::new(Guard::new(guard), Resolver::new(names), DialerConfig::default());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        Fetcher::new(dialer, Arc::new(tls))
    }

    async fn cycle(&self, runs: &Runs) -> Cycle {
        let worker = Worker::new(runs.clone(), WorkerConfig::default()).with_way_out(self.way_out());
        worker.once().await.unwrap()
    }
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\ncontent-type: text/plain\r\nset-cookie: a=b\r\n\r\n{body}",
        body.len()
    )
}

fn moved(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
}

async fn allow(runs: &Runs, hosts: &str) {
    let owner = caller(runs, Role::Owner).await;
    let text = format!("[[allow]]\nid = \"sites\"\nhost = [{hosts}]\n");
    let file = FileInput { name: "a.toml".to_owned(), text };
    let input = PublishInput { files: Some(vec![file]), ..PublishInput::default() };
    runs.gate().publish_policies(&owner, input, Expect::Any).await.unwrap();
}

fn http(request: &Value) -> Value {
    json!({"runtime": {"http": request}})
}

async fn a_request_is_asked_for_sent_and_its_answer_kept(bed: &Bed) {
    let runs = bed.runs().await;
    let site = Site::new(|_| ok("the key is AKIAIOSFODNN7EXAMPLE1 or so")).await;
    allow(&runs, "\"a.test\"").await;
    let owner = caller(&runs, Role::Owner).await;
    let request = json!({"url": "http://a.test/x?q=1", "method": "POST", "json": {"n": 1}});
    let run = queued(&runs, &owner, http(&request)).await;
    assert_eq!(site.cycle(&runs).await.completed, 1);

    let sent = site.asked();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].starts_with("POST /x?q=1 HTTP/1.1\r\n") && sent[0].ends_with("\r\n\r\n{\"n\":1}"), "{}", sent[0]);
    let steps = runs.gate().store().steps(&workspace(), &run, None, 10).await.unwrap();
    let key = format!("idempotency-key: {run}/{}/0\r\n", steps[0].step_id);
    assert!(sent[0].contains(&key) && sent[0].contains("exeat-attempt: 1\r\n"), "{}", sent[0]);
    assert!(sent[0].contains("host: a.test\r\n"), "{}", sent[0]);

    let succeeded = events(&runs, &run).await.into_iter().find(|e| e.event_type == "tool.succeeded").unwrap();
    let output = succeeded.data.to_value()["output"].clone();
    assert_eq!((&output["status"], &output["ok"], &output["truncated"]), (&json!(200), &json!(true), &json!(false)));
    assert_eq!(output["headers"], json!({"content-length": "38", "content-type": "text/plain"}), "no cookie is kept");
    assert_eq!((output["body_sha256"].as_str().unwrap().len(), &output["bytes"]), (64, &json!(38)));

    runs.gate().close_gateway().await;
    let types = types(&runs, &run).await;
    let expected = [
        "run.created",
        "run.started",
        "step.created",
        "tool.invoked",
        "egress.requested",
        "egress.allowed",
        "tool.succeeded",
        "run.completed",
    ];
    let in_run: Vec<&str> = types.iter().map(String::as_str).filter(|kind| *kind != "egress.completed").collect();
    assert_eq!(in_run, expected);
    let outcome = events(&runs, &run).await.into_iter().find(|e| e.event_type == "egress.completed").unwrap();
    let data = outcome.data.to_value();
    assert_eq!((&data["outcome"], &data["status"]), (&json!("completed"), &json!(200)));
    assert_eq!((&data["bytes_up"], &data["bytes_down"]), (&json!(7), &json!(38)));
    assert_eq!((&data["peer_ip"], &data["address_vetting"]), (&json!("127.0.0.1"), &json!("own")));
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

async fn what_is_not_allowed_is_not_sent(bed: &Bed) {
    let runs = bed.runs().await;
    let site = Site::new(|_| ok("x")).await;
    let owner = caller(&runs, Role::Owner).await;
    let input = http(&json!({"url": "http://a.test/", "action": "internal.read"}));
    let run = queued(&runs, &owner, input).await;
    assert_eq!(site.cycle(&runs).await.failed, 1);
    assert_eq!(error(&runs, &run).await["code"], "invalid_http_request", "an action is nobody's to name");
    let run = queued(&runs, &owner, http(&json!({"url": "http://a.test/"}))).await;
    assert_eq!(site.cycle(&runs).await.failed, 1);
    let failed = error(&runs, &run).await;
    assert_eq!(
        (&failed["stage"], &failed["reason_code"]),
        (&json!("egress"), &json!("external_read_requires_approval"))
    );
    assert!(site.asked().is_empty());
    // The control: once allowed, the same is sent.
    allow(&runs, "\"a.test\"").await;
    queued(&runs, &owner, http(&json!({"url": "http://a.test/"}))).await;
    assert_eq!(site.cycle(&runs).await.completed, 1);
    assert_eq!(site.asked().len(), 1);
    assert_sound(bed, &runs).await;
}

async fn a_run_that_waits_sends_once_it_is_approved(bed: &Bed) {
    let runs = bed.runs().await;
    let site = Site::new(|_| ok("x")).await;
    let owner = caller(&runs, Role::Owner).await;
    let request = json!({"url": "http://a.test/", "method": "POST"});
    let run = queued(&runs, &owner, json!({"runtime": {"http": request, "on_approval": "wait"}})).await;
    assert_eq!(site.cycle(&runs).await.waiting, 1);
    assert!(site.asked().is_empty());
    decide(&runs, &asked(&runs, &run).await, "approve").await;
    assert_eq!(site.cycle(&runs).await.completed, 1);
    assert_eq!(site.asked().len(), 1);
    assert_eq!(row(&runs, &run).await.status, RunStatus::Succeeded);
}

async fn every_redirect_is_asked_for(bed: &Bed) {
    let runs = bed.runs().await;
    let site = Site::new(|head| match head.split(' ').nth(1).unwrap_or_default() {
        "/start" => moved("http://b.test/next"),
        "/loop" => moved("/loop"),
        _ => ok("there"),
    })
    .await;
    let owner = caller(&runs, Role::Owner).await;
    allow(&runs, "\"a.test\"").await;
    let start = http(&json!({"url": "http://a.test/start", "headers": {"authorization": "Basic Zm9v", "x-a": "1"}}));
    let run = queued(&runs, &owner, start.clone()).await;
    assert_eq!(site.cycle(&runs).await.failed, 1);
    assert_eq!(error(&runs, &run).await["reason_code"], "external_read_requires_approval");
    assert_eq!(site.asked().len(), 1, "the second hop was not sent");

    allow(&runs, "\"a.test\", \"b.test\"").await;
    let run = queued(&runs, &owner, start).await;
    assert_eq!(site.cycle(&runs).await.completed, 1);
    let hop = site.asked().pop().unwrap();
    assert!(hop.starts_with("GET /next ") && hop.contains("host: b.test\r\n") && hop.contains("x-a: 1"), "{hop}");
    assert!(!hop.contains("authorization:"), "another origin gets no credentials: {hop}");
    assert!(hop.contains("/0.2\r\n"), "a hop has a key of its own: {hop}");
    let asked = types(&runs, &run).await.iter().filter(|kind| *kind == "egress.requested").count();
    assert_eq!(asked, 2);

    let before = site.asked().len();
    let run = queued(&runs, &owner, http(&json!({"url": "http://a.test/loop"}))).await;
    assert_eq!(site.cycle(&runs).await.failed, 1);
    assert_eq!(error(&runs, &run).await["code"], "too_many_redirects");
    assert_eq!(site.asked().len() - before, 6, "the first and five redirects");
    assert_sound(bed, &runs).await;
}

async fn an_answer_is_bounded_in_size_and_time(bed: &Bed) {
    let runs = bed.runs().await;
    let site = Site::new(|head| match head.split(' ').nth(1).unwrap_or_default() {
        "/never" => String::new(),
        "/broken" => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort".to_owned(),
        _ => ok(&"x".repeat(100_000)),
    })
    .await;
    let owner = caller(&runs, Role::Owner).await;
    allow(&runs, "\"a.test\"").await;
    let run = queued(&runs, &owner, http(&json!({"url": "http://a.test/", "max_bytes": 50_000}))).await;
    assert_eq!(site.cycle(&runs).await.completed, 1);
    let event = events(&runs, &run).await.into_iter().find(|e| e.event_type == "tool.succeeded").unwrap();
    let output = event.data.to_value()["output"].clone();
    assert_eq!(
        (&output["bytes"], &output["truncated"], &output["body_cut"]),
        (&json!(50_000), &json!(true), &json!(true))
    );
    assert_eq!(output["body"].as_str().unwrap().len(), 16 * 1024);

    let run = queued(&runs, &owner, http(&json!({"url": "http://a.test/never", "timeout_s": 0.3}))).await;
    assert_eq!(site.cycle(&runs).await.failed, 1);
    assert_eq!(error(&runs, &run).await["code"], "timeout");
    let run = queued(&runs, &owner, http(&json!({"url": "http://a.test/broken"}))).await;
    assert_eq!(site.cycle(&runs).await.failed, 1);
    assert_eq!(error(&runs, &run).await["code"], "invalid_response");
}

async fn a_request_that_may_have_been_sent_is_not_sent_again_blindly(bed: &Bed) {
    let runs = bed.runs().await;
    let site = Site::new(|_| String::new()).await;
    let owner = caller(&runs, Role::Owner).await;
    allow(&runs, "\"a.test\"").await;
    let posts = [
        queued(&runs, &owner, http(&json!({"url": "http://a.test/once", "method": "POST", "timeout_s": 60}))).await,
        queued(
            &runs,
            &owner,
            http(&json!({"url": "http://a.test/key", "method": "POST", "timeout_s": 60, "idempotent": true})),
        )
        .await,
    ];
    let config = WorkerConfig { lease: Duration::from_secs(1), ..WorkerConfig::default() };
    let worker = Worker::new(runs.clone(), config).with_way_out(site.way_out());
    // A process of its own, as far as the worker's tasks go: all of them die at once.
    let process = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    process.spawn(worker.once());
    while site.asked().len() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The worker dies in the middle of both.
    process.shutdown_background();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let answering = Site::new(|_| ok("done")).await;
    while row(&runs, &posts[0]).await.status != RunStatus::Failed
        || row(&runs, &posts[1]).await.status != RunStatus::Succeeded
    {
        answering.cycle(&runs).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(error(&runs, &posts[0]).await["code"], "effect_uncertain");
    let again = answering.asked();
    assert_eq!(again.len(), 1, "{again:?}");
    let key = |text: &str| text.lines().find(|line| line.starts_with("idempotency-key: ")).unwrap().to_owned();
    let first = site.asked().into_iter().find(|text| text.contains("/key ")).unwrap();
    assert!(again[0].starts_with("POST /key ") && key(&again[0]) == key(&first), "the same key on every attempt");
    assert!(first.contains("exeat-attempt: 1\r\n") && again[0].contains("exeat-attempt: 2\r\n"));
    assert_at_rest(&runs).await;
    assert_sound(bed, &runs).await;
}

async fn a_credential_does_not_leave_to_where_it_is_not_at_home(bed: &Bed) {
    let runs = bed.runs().await;
    let site = Site::new(|_| ok("x")).await;
    let owner = caller(&runs, Role::Owner).await;
    allow(&runs, "\"a.test\"").await;
    let token = format!("ghp_{}", "abcDEF123456".repeat(3));
    let post = |body: &str| {
        let body = base64::engine::general_purpose::STANDARD.encode(body);
        http(&json!({"url": "http://a.test/", "method": "POST", "body_base64": body}))
    };
    queued(&runs, &owner, post("harmless")).await;
    assert_eq!(site.cycle(&runs).await.completed, 1, "the control is sent");
    let run = queued(&runs, &owner, post(&token)).await;
    assert_eq!(site.cycle(&runs).await.failed, 1);
    assert_eq!(error(&runs, &run).await["reason_code"], "dlp_secret_detected");
    assert_eq!(site.asked().len(), 1, "nothing of it was sent");
    let way_out = site.way_out();
    let target = |url: &str| model::TargetUrl::parse(url).unwrap();
    let none = http::HeaderMap::new();
    assert_eq!(way_out.strays(&target("http://a.test/"), &none, token.as_bytes()).len(), 1);
    assert!(
        way_out.strays(&target("https://api.github.com/"), &none, token.as_bytes()).is_empty(),
        "it is at home there"
    );
    assert_sound(bed, &runs).await;
}

async fn a_worker_without_a_way_out_says_so(bed: &Bed) {
    let runs = bed.runs().await;
    let owner = caller(&runs, Role::Owner).await;
    allow(&runs, "\"a.test\"").await;
    let run = queued(&runs, &owner, http(&json!({"url": "http://a.test/"}))).await;
    assert_eq!(crate::bed::cycle(&runs).await.failed, 1);
    assert_eq!(error(&runs, &run).await["code"], "tool_unavailable");
}

mod tests {
    super::on_both!(
        a_request_is_asked_for_sent_and_its_answer_kept,
        what_is_not_allowed_is_not_sent,
        a_run_that_waits_sends_once_it_is_approved,
        every_redirect_is_asked_for,
        an_answer_is_bounded_in_size_and_time,
        a_request_that_may_have_been_sent_is_not_sent_again_blindly,
        a_credential_does_not_leave_to_where_it_is_not_at_home,
        a_worker_without_a_way_out_says_so,
    );
}
