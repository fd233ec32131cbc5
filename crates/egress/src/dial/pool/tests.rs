use gate::{Ending, ExecutionOutcome};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::*;
use crate::dial::bed::{Bed, Origin};
use crate::dial::tests::{dialer, trusting};
use crate::dial::{DialError, Dialer};
use crate::resolve::test_server::{NameServer, Say};

impl Reusable for TcpStream {
    // Whatever can be read between requests is either the end or a breach of HTTP.
    fn is_open(&mut self) -> bool {
        matches!(self.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

struct Setting {
    bed: Bed,
    origin: Origin,
    dialer: Dialer,
    pool: Pool<TcpStream>,
}

impl Setting {
    async fn with(config: PoolConfig) -> Self {
        let names = NameServer::start(|_| Say::addresses(60, &["127.0.0.1"])).await;
        let dialer = dialer(&names, trusting("in.test", "127.0.0.0/8"));
        let pool = Pool::new(dialer.guard().clone(), config);
        Self { bed: Bed::new().await, origin: Origin::start(b"").await, dialer, pool }
    }

    async fn new() -> Self {
        Self::with(PoolConfig::default()).await
    }

    fn url(&self) -> String {
        format!("http://in.test:{}/", self.origin.address.port())
    }

    async fn permit(&self) -> Permit {
        self.bed.permit(&self.url()).await.1
    }

    /// Dials anew and keeps the connection; gives its own port, by which it is known.
    async fn keep_one(&self, owner: &Owner) -> u16 {
        let (clearance, permit) = self.bed.permit(&self.url()).await;
        let line = self.dialer.approach(&clearance).await.unwrap().enter(permit).await.unwrap();
        let (stream, crossing) = line.into_parts();
        let port = stream.local_addr().unwrap().port();
        self.pool.keep(owner, &crossing.place, stream);
        crossing.finish(Ending::of(ExecutionOutcome::Completed));
        port
    }

    async fn take(&self, owner: &Owner) -> Option<u16> {
        let (stream, crossing) = self.pool.take(owner, self.permit().await).ok()?;
        assert!(crossing.reused);
        Some(stream.local_addr().unwrap().port())
    }
}

#[tokio::test]
async fn a_kept_connection_serves_its_owner_again_the_last_one_first() {
    let setting = Setting::new().await;
    let owner = setting.bed.owner("prn_one");
    let first = setting.keep_one(&owner).await;
    let second = setting.keep_one(&owner).await;
    assert_eq!(setting.pool.kept(), 2);
    assert_eq!(setting.take(&owner).await, Some(second));
    assert_eq!(setting.take(&owner).await, Some(first));
    assert_eq!(setting.take(&owner).await, None);
    assert_eq!(setting.pool.kept(), 0);
}

#[tokio::test]
async fn nobody_is_handed_what_another_spoke_on() {
    let setting = Setting::new().await;
    let owner = setting.bed.owner("prn_one");
    setting.keep_one(&owner).await;
    assert_eq!(setting.take(&setting.bed.owner("prn_two")).await, None, "another principal");
    let elsewhere = Owner::new(&WorkspaceId::parse("ws_other").unwrap(), "prn_one");
    assert_eq!(setting.take(&elsewhere).await, None, "another workspace");
    let port = setting.origin.address.port();
    for other in ["http://in.test/".to_owned(), format!("https://in.test:{port}/"), format!("http://on.test:{port}/")] {
        let (_, permit) = setting.bed.permit(&other).await;
        assert!(setting.pool.take(&owner, permit).is_err(), "{other}");
    }
    assert!(setting.take(&owner).await.is_some(), "the control");
}

#[tokio::test]
async fn what_the_other_side_closed_is_not_handed_out() {
    let setting = Setting::new().await;
    let owner = setting.bed.owner("prn_one");
    let alive = setting.keep_one(&owner).await;
    let (clearance, permit) = setting.bed.permit(&setting.url()).await;
    let line = setting.dialer.approach(&clearance).await.unwrap().enter(permit).await.unwrap();
    let (mut stream, crossing) = line.into_parts();
    stream.write_all(b"bye").await.unwrap();
    setting.pool.keep(&owner, &crossing.place, stream);
    setting.origin.heard().await;
    assert_eq!(setting.take(&owner).await, Some(alive));
}

#[tokio::test]
async fn an_address_that_became_forbidden_is_not_handed_out() {
    let setting = Setting::new().await;
    let owner = setting.bed.owner("prn_one");
    setting.keep_one(&owner).await;
    setting.keep_one(&owner).await;
    assert!(setting.take(&owner).await.is_some(), "the control");
    setting.dialer.guard().register_listener(setting.origin.address);
    assert_eq!(setting.take(&owner).await, None);
}

#[tokio::test]
async fn what_grew_old_is_closed_and_bounds_hold() {
    let idle = Duration::from_millis(80);
    let setting = Setting::with(PoolConfig { idle, each_max: 2, all_max: 3 }).await;
    let (one, two) = (setting.bed.owner("prn_one"), setting.bed.owner("prn_two"));
    // Permits first: making one takes longer than a connection is kept.
    let mut lines = Vec::new();
    for _ in 0..5 {
        let (clearance, permit) = setting.bed.permit(&setting.url()).await;
        lines.push(setting.dialer.approach(&clearance).await.unwrap().enter(permit).await.unwrap().into_parts());
    }
    let late = setting.permit().await;
    for (at, (stream, crossing)) in lines.into_iter().enumerate() {
        setting.pool.keep(if at < 3 { &one } else { &two }, &crossing.place, stream);
    }
    assert_eq!(setting.pool.kept(), 3, "two of one owner, and one more altogether");
    tokio::time::sleep(idle * 2).await;
    assert_eq!(setting.pool.kept(), 0, "closed without anybody asking for them");
    assert!(setting.pool.take(&one, late).is_err());
}

#[tokio::test]
async fn a_reserved_connection_goes_back_or_in() {
    let setting = Setting::new().await;
    let owner = setting.bed.owner("prn_one");
    let port = setting.keep_one(&owner).await;
    let (clearance, permit) = setting.bed.permit(&setting.url()).await;
    let reserved = setting.pool.reserve(&owner, &clearance).unwrap();
    assert!(setting.pool.reserve(&owner, &clearance).is_none(), "it is held by one");
    drop(reserved);
    let reserved = setting.pool.reserve(&owner, &clearance).unwrap();
    let (_, wrong) = setting.bed.permit("http://elsewhere.test/").await;
    assert_eq!(reserved.enter(wrong).unwrap_err_fault(), DialError::PermitMismatch);
    let (stream, _crossing) = setting.pool.reserve(&owner, &clearance).unwrap().enter(permit).ok().unwrap();
    assert_eq!(stream.local_addr().unwrap().port(), port);
}

trait Fault {
    fn unwrap_err_fault(self) -> DialError;
}

impl<T> Fault for Result<T, crate::dial::EnterError> {
    fn unwrap_err_fault(self) -> DialError {
        self.err().unwrap().finish()
    }
}
