//! Rules of sessions and of device logins.

use std::time::Duration;

use wharf_core::access::{Narrowing, Role};
use wharf_core::actor::Actor;
use wharf_core::browser::Visit;
use wharf_core::clock::{Clock, SystemRandom};
use wharf_core::metadata::{
    AuditFilter, AuditOrder, Change, DeleteUser, DeviceAnswer, DeviceDecision, DeviceFind,
    DevicePoll, DeviceStart, ExternalIdentity, LinkIdentity, MOST_OF_ADDRESS, MOST_SESSIONS,
    MOST_TOKENS, MOST_TRIES, NewDeviceLogin, NewSession, NewToken, NewUser, SetPassword,
    SignInOutcome, TokenKind, UnlinkIdentity, UserCode,
};
use wharf_core::permissions::AccountName;

use super::stand::Stand;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

fn ada() -> AccountName {
    "ada".parse().unwrap()
}

async fn user(stand: &Stand) {
    let user = NewUser { name: ada(), email: None, password_hash: None, site_admin: false };
    assert_eq!(stand.change(user).await, Change::Done);
}

fn session(secret: u8) -> NewSession {
    NewSession {
        user: ada(),
        secret_hash: [secret; 32],
        provider: None,
        life: 24 * HOUR,
        idle: HOUR,
        by: Actor { address: Some("192.0.2.7".parse().unwrap()), ..Actor::from("user:ada") },
    }
}

async fn start(stand: &Stand, secret: u8) -> Change {
    stand.sessions.start_session(session(secret)).await.unwrap()
}

async fn lives(stand: &Stand, secret: u8) -> bool {
    stand.sessions.find_session([secret; 32]).await.unwrap().is_some()
}

/// By somebody who is there and not disabled.
pub async fn a_session_is_found_by_its_secret_alone(stand: &Stand) {
    assert_eq!(start(stand, 1).await, Change::NotFound);
    user(stand).await;
    assert_eq!(start(stand, 1).await, Change::Done);
    let found = stand.sessions.find_session([1; 32]).await.unwrap().unwrap();
    assert_eq!((found.user, found.site_admin, found.provider), (ada(), false, None));
    assert_eq!(found.ends_at, stand.clock.now().after(24 * HOUR));
    assert!(!lives(stand, 2).await);
    stand.set_disabled("ada", true).await;
    assert_eq!(start(stand, 2).await, Change::NotFound);
}

/// Whichever comes first.
pub async fn a_session_ends_unused_or_old(stand: &Stand) {
    user(stand).await;
    start(stand, 1).await;
    stand.clock.advance(HOUR - MINUTE);
    assert!(lives(stand, 1).await);
    stand.clock.advance(HOUR - MINUTE);
    assert!(lives(stand, 1).await);
    stand.clock.advance(HOUR);
    assert!(!lives(stand, 1).await);
    start(stand, 2).await;
    for _ in 0..47 {
        stand.clock.advance(HOUR / 2);
        assert!(lives(stand, 2).await);
    }
    stand.clock.advance(HOUR / 2);
    assert!(!lives(stand, 2).await);
}

/// And do not live again when their user is enabled.
pub async fn sessions_end_with_a_logout_a_disabling_or_another_password(stand: &Stand) {
    user(stand).await;
    for secret in [1, 2] {
        start(stand, secret).await;
    }
    assert_eq!(stand.sessions.end_session([1; 32]).await.unwrap(), Change::Done);
    assert_eq!(stand.sessions.end_session([1; 32]).await.unwrap(), Change::NotFound);
    assert!(!lives(stand, 1).await && lives(stand, 2).await);
    for disabled in [true, false] {
        stand.set_disabled("ada", disabled).await;
    }
    assert!(!lives(stand, 2).await);
    start(stand, 3).await;
    stand.change(SetPassword { name: ada(), hash: "hash".into() }).await;
    assert!(!lives(stand, 3).await);
    for secret in [4, 5] {
        start(stand, secret).await;
    }
    assert_eq!(stand.sessions.end_sessions(ada()).await.unwrap(), 2);
    assert!(!lives(stand, 4).await && !lives(stand, 5).await);
}

/// Others stay.
pub async fn sessions_by_a_provider_end_with_its_identity(stand: &Stand) {
    let identity = ExternalIdentity {
        provider: "dex".parse().unwrap(),
        subject: "42".parse().unwrap(),
        preferred_name: "ada".into(),
        email: None,
        groups: Default::default(),
    };
    let outcome = stand.identities.sign_in(identity.clone(), true, None).await.unwrap();
    assert_eq!(outcome, SignInOutcome::Created(ada()));
    start(stand, 1).await;
    let by_dex = NewSession { provider: Some(identity.provider.clone()), ..session(2) };
    assert_eq!(stand.sessions.start_session(by_dex).await.unwrap(), Change::Done);
    assert!(lives(stand, 2).await);
    stand.change(UnlinkIdentity { user: ada(), provider: identity.provider }).await;
    assert!(lives(stand, 1).await && !lives(stand, 2).await);
}

/// Of those used longest ago.
pub async fn a_user_has_a_bounded_number_of_sessions(stand: &Stand) {
    user(stand).await;
    for secret in 0..=MOST_SESSIONS as u8 {
        assert_eq!(start(stand, secret).await, Change::Done);
        stand.clock.advance(Duration::from_secs(1));
    }
    assert!(!lives(stand, 0).await && lives(stand, 1).await);
    let left = stand.rows("SELECT count(*) FROM sessions", &[]).await;
    assert_eq!(left, [MOST_SESSIONS.to_string()]);
    // What has expired is not kept either.
    stand.clock.advance(24 * HOUR);
    start(stand, 200).await;
    assert_eq!(stand.rows("SELECT count(*) FROM sessions", &[]).await, ["1"]);
}

/// Who comes back or not.
pub async fn what_has_ended_of_browsers_and_devices_is_forgotten(stand: &Stand) {
    user(stand).await;
    start(stand, 1).await;
    device(stand, 7, "192.0.2.1").await.unwrap();
    assert_eq!(stand.accounts.forget_expired(10).await.unwrap(), 0);
    stand.clock.advance(12 * HOUR);
    start(stand, 2).await;
    assert_eq!(stand.accounts.forget_expired(10).await.unwrap(), 1);
    assert_eq!(stand.rows("SELECT count(*) FROM device_logins", &[]).await, ["0"]);
    stand.clock.advance(12 * HOUR);
    assert_eq!(stand.accounts.forget_expired(10).await.unwrap(), 1);
    assert_eq!(stand.rows("SELECT count(*) FROM sessions", &[]).await, ["1"]);
    // Whoever is taken away has none.
    start(stand, 3).await;
    assert_eq!(stand.change(DeleteUser { name: ada() }).await, Change::Done);
    assert!(!lives(stand, 3).await);
    assert_eq!(stand.rows("SELECT count(*) FROM sessions", &[]).await, ["0"]);
}

/// Also one that a disabled user tried.
pub async fn a_login_is_in_the_audit_log(stand: &Stand) {
    user(stand).await;
    let by_dex = NewSession { provider: Some("dex".parse().unwrap()), ..session(1) };
    stand.sessions.start_session(by_dex).await.unwrap();
    start(stand, 2).await;
    stand.set_disabled("ada", true).await;
    start(stand, 3).await;
    let logins = AuditFilter { action: Some("login".into()), ..AuditFilter::default() };
    let written = stand.audit.list_audit(logins, AuditOrder::OldestFirst, None, 100).await.unwrap();
    let written = written.into_iter().map(|record| record.entry).map(|entry| {
        let at = entry.by.address.unwrap();
        format!("{} {at} {} {} {}", entry.by.by, entry.target, entry.outcome.name(), entry.detail)
    });
    assert_eq!(
        written.collect::<Vec<_>>(),
        [
            "user:ada 192.0.2.7 user:ada done provider=dex",
            "user:ada 192.0.2.7 user:ada done ",
            "user:ada 192.0.2.7 user:ada denied ",
        ]
    );
}

async fn device(stand: &Stand, secret: u8, address: &str) -> Option<UserCode> {
    device_with(stand, secret, address, Role::Write).await
}

async fn device_with(stand: &Stand, secret: u8, address: &str, role: Role) -> Option<UserCode> {
    let user_code = UserCode::new(&SystemRandom);
    let login = NewDeviceLogin {
        device_hash: [secret; 32],
        user_code: user_code.clone(),
        client: "wharf login".into(),
        address: address.into(),
        role,
        life: 10 * MINUTE,
        interval: Duration::from_secs(5),
    };
    match stand.devices.start_device_login(login).await.unwrap() {
        DeviceStart::Started => Some(user_code),
        DeviceStart::CodeTaken => panic!("the code is new"),
        DeviceStart::TooMany => None,
    }
}

/// With a token of 90 days.
async fn poll(stand: &Stand, secret: u8) -> DeviceAnswer {
    let (device_hash, token_hash) = ([secret; 32], [secret + 100; 32]);
    let (token_life, from) = (90 * 24 * HOUR, visit("192.0.2.1", "polled"));
    let poll = DevicePoll { device_hash, token_hash, token_life, from };
    stand.devices.poll_device_login(poll).await.unwrap()
}

async fn decide(stand: &Stand, code: &UserCode, approve: bool) -> Change {
    let (code, from) = (code.clone(), visit("192.0.2.7", "decided"));
    let decision = DeviceDecision { session_hash: [1; 32], code, approve, from };
    stand.devices.decide_device_login(decision).await.unwrap()
}

fn visit(address: &str, request: &str) -> Visit {
    Visit { address: Some(address.parse().unwrap()), request_id: Some(request.into()) }
}

/// Which is shown once.
pub async fn a_device_gets_a_token_once_its_person_lets_it_in(stand: &Stand) {
    user(stand).await;
    start(stand, 1).await;
    let code = device(stand, 7, "192.0.2.1").await.unwrap();
    assert_eq!(poll(stand, 7).await, DeviceAnswer::Pending);
    let found = stand.devices.find_device_login([1; 32], code.clone()).await.unwrap();
    let DeviceFind::Found(waiting) = found else { panic!("{found:?}") };
    assert_eq!((waiting.client.as_str(), waiting.address.as_str()), ("wharf login", "192.0.2.1"));
    stand.clock.advance(Duration::from_secs(5));
    assert_eq!(poll(stand, 7).await, DeviceAnswer::Pending);
    assert_eq!(decide(stand, &code, true).await, Change::Done);
    assert_eq!(decide(stand, &code, false).await, Change::NotFound);
    let expires_at = stand.clock.now().after(90 * 24 * HOUR);
    assert_eq!(
        poll(stand, 7).await,
        DeviceAnswer::Approved { user: ada(), role: Role::Write, expires_at }
    );
    assert_eq!(poll(stand, 7).await, DeviceAnswer::Expired);
    let holder = stand.accounts.find_secret([107; 32]).await.unwrap().unwrap();
    assert_eq!(holder.principal.to_string(), "user:ada");
    stand.clock.advance(90 * 24 * HOUR);
    assert_eq!(stand.accounts.find_secret([107; 32]).await.unwrap(), None);
}

/// Nor one whose person was disabled since.
pub async fn a_device_that_was_not_let_in_gets_nothing(stand: &Stand) {
    user(stand).await;
    start(stand, 1).await;
    let code = device(stand, 7, "192.0.2.1").await.unwrap();
    assert_eq!(decide(stand, &code, false).await, Change::Done);
    assert_eq!(poll(stand, 7).await, DeviceAnswer::Denied);
    assert_eq!(poll(stand, 7).await, DeviceAnswer::Expired);
    let late = device(stand, 8, "192.0.2.1").await.unwrap();
    stand.clock.advance(10 * MINUTE);
    assert_eq!(decide(stand, &late, true).await, Change::NotFound);
    assert_eq!(poll(stand, 8).await, DeviceAnswer::Expired);
    let code = device(stand, 9, "192.0.2.1").await.unwrap();
    // The one that waited too long is forgotten.
    assert_eq!(stand.rows("SELECT count(*) FROM device_logins", &[]).await, ["1"]);
    assert_eq!(decide(stand, &code, true).await, Change::Done);
    stand.set_disabled("ada", true).await;
    assert_eq!(poll(stand, 9).await, DeviceAnswer::Denied);
    assert_eq!(stand.accounts.find_secret([109; 32]).await.unwrap(), None);
}

/// And the audit log says why.
pub async fn a_device_of_somebody_with_all_the_tokens_there_may_be_gets_none(stand: &Stand) {
    user(stand).await;
    start(stand, 1).await;
    for number in 0..MOST_TOKENS as u8 {
        let mut secret_hash = [0; 32];
        secret_hash[0] = number;
        let (name, most) = (format!("token {number}"), Narrowing::WHOLE);
        let (user, kind) = (ada(), TokenKind::Personal);
        let (expires_at, provider) = (None, None);
        let token = NewToken { user, kind, name, secret_hash, most, expires_at, provider };
        assert_eq!(stand.change(token).await, Change::Done);
    }
    let code = device(stand, 7, "192.0.2.1").await.unwrap();
    assert_eq!(decide(stand, &code, true).await, Change::Done);
    assert_eq!(poll(stand, 7).await, DeviceAnswer::Denied);
    assert_eq!(stand.accounts.find_secret([107; 32]).await.unwrap(), None);
    let sql = "SELECT action, target FROM audit_log WHERE outcome = 'refused'";
    assert_eq!(stand.rows(sql, &[]).await, ["token.create user:ada"]);
}

/// Whatever it asked for.
pub async fn a_device_gets_no_more_than_its_person_was_shown(stand: &Stand) {
    user(stand).await;
    start(stand, 1).await;
    for (secret, role) in (10..).zip(Role::ALL) {
        let code = device_with(stand, secret, "192.0.2.1", role).await.unwrap();
        let found = stand.devices.find_device_login([1; 32], code.clone()).await.unwrap();
        let DeviceFind::Found(waiting) = found else { panic!("{found:?}") };
        assert_eq!(waiting.role, role);
        assert_eq!(decide(stand, &code, true).await, Change::Done);
        assert!(matches!(poll(stand, secret).await, DeviceAnswer::Approved { .. }));
        let holder = stand.accounts.find_secret([secret + 100; 32]).await.unwrap().unwrap();
        assert_eq!(holder.most, Narrowing { role, pattern: None });
    }
}

/// And no other one, also where the person comes back there as somebody else.
pub async fn a_devices_token_ends_with_the_identity_by_which_it_was_let_in(stand: &Stand) {
    user(stand).await;
    let provider = |name: &str| name.parse().unwrap();
    for name in ["dex", "keycloak"] {
        let link =
            LinkIdentity { user: ada(), provider: provider(name), subject: "1".parse().unwrap() };
        assert_eq!(stand.change(link).await, Change::Done);
    }
    for (secret, name) in [(1, Some("dex")), (2, Some("keycloak")), (3, None)] {
        let session = NewSession { provider: name.map(provider), ..session(secret) };
        assert_eq!(stand.sessions.start_session(session).await.unwrap(), Change::Done);
        let code = device(stand, secret, "192.0.2.1").await.unwrap();
        let session_hash = [secret; 32];
        let from = visit("192.0.2.7", "decided");
        let decision = DeviceDecision { session_hash, code, approve: true, from };
        assert_eq!(stand.devices.decide_device_login(decision).await.unwrap(), Change::Done);
        assert!(matches!(poll(stand, secret).await, DeviceAnswer::Approved { .. }));
    }
    let made_by = async |secret: u8| {
        let holder = stand.accounts.find_secret([100 + secret; 32]).await.unwrap();
        holder.map(|holder| holder.provider)
    };
    let keycloak = Some(Some(provider("keycloak")));
    assert_eq!(made_by(1).await, Some(Some(provider("dex"))));
    assert_eq!((made_by(2).await, made_by(3).await), (keycloak.clone(), Some(None)));
    stand.change(UnlinkIdentity { user: ada(), provider: provider("dex") }).await;
    assert_eq!(made_by(1).await, None);
    assert_eq!((made_by(2).await, made_by(3).await), (keycloak, Some(None)));
    let link =
        LinkIdentity { user: ada(), provider: provider("dex"), subject: "2".parse().unwrap() };
    assert_eq!(stand.change(link).await, Change::Done);
    assert_eq!(made_by(1).await, None);
}

/// The identity decides, and not only what was there when it was taken away.
pub async fn a_token_by_an_identity_that_is_not_there_is_none(stand: &Stand) {
    user(stand).await;
    let token = NewToken {
        user: ada(),
        kind: TokenKind::Personal,
        name: "late".to_owned(),
        secret_hash: [7; 32],
        most: Narrowing::WHOLE,
        expires_at: None,
        provider: Some("dex".parse().unwrap()),
    };
    assert_eq!(stand.change(token).await, Change::Done);
    assert_eq!(stand.accounts.find_secret([7; 32]).await.unwrap(), None);
}

/// By another password, a disabling, or the loss of an identity; those of others do.
pub async fn devices_that_were_let_in_get_nothing_once_their_person_is_out(stand: &Stand) {
    user(stand).await;
    let dex = || "dex".parse().unwrap();
    let link = LinkIdentity { user: ada(), provider: dex(), subject: "1".parse().unwrap() };
    assert_eq!(stand.change(link).await, Change::Done);
    let bob: AccountName = "bob".parse().unwrap();
    let new = NewUser { name: bob.clone(), email: None, password_hash: None, site_admin: false };
    stand.change(new).await;
    let bobs = NewSession { user: bob, ..session(2) };
    stand.sessions.start_session(bobs).await.unwrap();
    let others = device(stand, 9, "192.0.2.1").await.unwrap();
    let decision = DeviceDecision {
        session_hash: [2; 32],
        code: others,
        approve: true,
        from: visit("192.0.2.8", "decided"),
    };
    assert_eq!(stand.devices.decide_device_login(decision).await.unwrap(), Change::Done);
    let let_in = async |secret| {
        if !lives(stand, 1).await {
            start(stand, 1).await;
        }
        let code = device(stand, secret, "192.0.2.1").await.unwrap();
        assert_eq!(decide(stand, &code, true).await, Change::Done);
    };
    let_in(10).await;
    stand.change(SetPassword { name: ada(), hash: "hash".into() }).await;
    assert_eq!(poll(stand, 10).await, DeviceAnswer::Denied);
    let_in(11).await;
    stand.change(UnlinkIdentity { user: ada(), provider: dex() }).await;
    assert_eq!(poll(stand, 11).await, DeviceAnswer::Denied);
    // Nor does it come back with them.
    let_in(12).await;
    for disabled in [true, false] {
        stand.set_disabled("ada", disabled).await;
    }
    assert_eq!(poll(stand, 12).await, DeviceAnswer::Denied);
    assert!(matches!(poll(stand, 9).await, DeviceAnswer::Approved { .. }));
}

/// With where both are, and without the code.
pub async fn who_lets_a_device_in_or_refuses_it_is_in_the_audit_log(stand: &Stand) {
    user(stand).await;
    start(stand, 1).await;
    for (secret, approve) in [(10, true), (11, false)] {
        let code = device(stand, secret, "192.0.2.1").await.unwrap();
        assert_eq!(decide(stand, &code, approve).await, Change::Done);
        // What decides nothing is none.
        assert_eq!(decide(stand, &code, approve).await, Change::NotFound);
        poll(stand, secret).await;
    }
    let all = stand.audit.list_audit(AuditFilter::default(), AuditOrder::OldestFirst, None, 100);
    let written = all.await.unwrap().into_iter().map(|record| record.entry);
    let of_devices = |action: &str| action.starts_with("device.") || action == "token.create";
    let written = written.filter(|entry| of_devices(&entry.action)).map(|entry| {
        let (at, request) = (entry.by.address.unwrap(), entry.by.request_id.unwrap());
        let by = format!("{} {at} {request}", entry.by.by);
        format!("{by} {} {} {}", entry.action, entry.target, entry.detail)
    });
    assert_eq!(
        written.collect::<Vec<_>>(),
        [
            "user:ada 192.0.2.7 decided device.allow user:ada role=write address=192.0.2.1 client=wharf_login",
            "user:ada 192.0.2.1 polled token.create user:ada role=write kind=personal",
            "user:ada 192.0.2.7 decided device.refuse user:ada role=write address=192.0.2.1 client=wharf_login",
        ]
    );
}

/// From then on by five seconds more.
pub async fn a_device_that_asks_too_often_is_slowed_down(stand: &Stand) {
    device(stand, 7, "192.0.2.1").await.unwrap();
    assert_eq!(poll(stand, 7).await, DeviceAnswer::Pending);
    stand.clock.advance(Duration::from_secs(4));
    assert_eq!(poll(stand, 7).await, DeviceAnswer::SlowDown);
    stand.clock.advance(Duration::from_secs(9));
    assert_eq!(poll(stand, 7).await, DeviceAnswer::SlowDown);
    stand.clock.advance(Duration::from_secs(15));
    assert_eq!(poll(stand, 7).await, DeviceAnswer::Pending);
}

/// By a session that goes on, and not by guessing.
pub async fn codes_are_tried_a_few_times(stand: &Stand) {
    user(stand).await;
    let find = async |code: &UserCode| {
        stand.devices.find_device_login([1; 32], code.clone()).await.unwrap()
    };
    let code = device(stand, 7, "192.0.2.1").await.unwrap();
    assert_eq!(find(&code).await, DeviceFind::NoSession);
    assert_eq!(decide(stand, &code, true).await, Change::NotFound);
    start(stand, 1).await;
    for attempt in 0..MOST_TRIES {
        let wrong = UserCode::new(&SystemRandom);
        if attempt % 2 == 0 {
            assert_eq!(find(&wrong).await, DeviceFind::Unknown);
        } else {
            assert_eq!(decide(stand, &wrong, true).await, Change::NotFound);
        }
    }
    assert_eq!(find(&code).await, DeviceFind::TooManyTries);
    assert_eq!(decide(stand, &code, true).await, Change::NotFound);
    assert_eq!(poll(stand, 7).await, DeviceAnswer::Pending);
}

/// Until they have waited too long.
pub async fn an_address_has_a_bounded_number_of_devices_that_wait(stand: &Stand) {
    for secret in 0..MOST_OF_ADDRESS as u8 {
        assert!(device(stand, secret, "192.0.2.1").await.is_some());
    }
    assert!(device(stand, 200, "192.0.2.1").await.is_none());
    assert!(device(stand, 200, "192.0.2.2").await.is_some());
    stand.clock.advance(10 * MINUTE);
    assert!(device(stand, 201, "192.0.2.1").await.is_some());
}
