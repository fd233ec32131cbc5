use super::*;

#[test]
fn walks_through_a_connection_with_password() {
    let mut reader = SocksReader::new();
    let mut buffer = BytesMut::from(&b"\x05\x02\x00\x02\x01\x01x\x03abc\x05\x01\x00\x03\x09H.Example\x01\xbbrest"[..]);
    assert_eq!(reader.read(&mut buffer), Ok(Some(Step::Greeting(Offer { none: true, password: true }))));
    assert_eq!(reader.read(&mut buffer), Ok(None), "nobody chose yet");
    reader.choose(Choice::Password);
    let Ok(Some(Step::Password(credentials))) = reader.read(&mut buffer) else { panic!("no password") };
    assert_eq!((&credentials.username[..], &credentials.password[..]), (&b"x"[..], &b"abc"[..]));
    assert!(!format!("{credentials:?}").contains("abc"));
    let target = Authority::of_connect(b"h.example:443").unwrap();
    assert_eq!(reader.read(&mut buffer), Ok(Some(Step::Connect(target))));
    assert_eq!(reader.read(&mut buffer), Ok(None));
    assert_eq!(&buffer[..], b"rest");
}

#[test]
fn answers_as_the_rfcs_say() {
    assert_eq!(Choice::None.answer(), [5, 0]);
    assert_eq!(Choice::Password.answer(), [5, 2]);
    assert_eq!(Choice::Unacceptable.answer(), [5, 0xff]);
    assert_eq!((password_answer(true), password_answer(false)), ([1, 0], [1, 1]));
    assert_eq!(Reply::NotAllowed.answer(None), [5, 2, 0, 1, 0, 0, 0, 0, 0, 0]);
    let bound = "127.0.0.1:258".parse().unwrap();
    assert_eq!(Reply::Succeeded.answer(Some(bound)), [5, 0, 0, 1, 127, 0, 0, 1, 1, 2]);
    assert_eq!(Reply::Succeeded.answer(Some("[::1]:1".parse().unwrap())).len(), 22);
    assert_eq!(SocksFault::Command.answer()[1], 7);
    assert_eq!(SocksFault::AddressType.answer()[1], 8);
}
