//! A directory that is away, slow, or would send us elsewhere.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::house;
use crate::stand::{PASSWORD, SCOPE, Stand, house, settings};
use crate::support::slapd::{MemberOf, SUFFIX, Slapd, person};

/// It says nothing of the password, so it is no failed login either.
#[test]
fn while_the_directory_is_away_nobody_is_told_that_their_password_is_wrong() {
    let mut stand = Stand::start(&[("WHARF_LIMITS_FAILED_LOGINS", "2/1h")]);
    assert_eq!(stand.user("lin", PASSWORD), "user:lin");
    stand.slapd.kill();
    for password in [PASSWORD, "wrong"].repeat(5) {
        let reply = stand.log_in("lin", password);
        assert_eq!(reply.status, 503, "{}", reply.text());
        assert!(!reply.text().contains("127.0.0.1"), "{}", reply.text());
    }
    // Who has a password here needs no directory.
    assert_eq!(stand.user("bob", house::PASSWORD), "user:bob");
    assert!(stand.house.server.log().contains("Connection refused"), "operators are told why");
    stand.slapd.start_again();
    assert_eq!(stand.user("lin", PASSWORD), "user:lin");
    let written = stand.house.admin(&["audit", "--action", "login", "--json"]);
    assert!(!written.contains("denied"), "{written}");
}

#[test]
fn the_next_server_is_asked_where_one_is_away() {
    let slapd = Slapd::start(MemberOf::Direct);
    slapd.person("lin", PASSWORD);
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (silent, stall) = Silent::start();
    let urls = format!("ldap://{gone},{silent},{}", slapd.url());
    let changes = [("WHARF_LDAP_URLS", urls.as_str()), ("WHARF_LDAP_TIMEOUT", "500ms")];
    let stand = Stand::before(slapd, &changes);
    assert_eq!(stand.user("lin", PASSWORD), "user:lin");
    assert_eq!(stall.total(), 1);
    // Those that failed are asked last from then on.
    assert_eq!(stand.user("lin", PASSWORD), "user:lin");
    assert_eq!(stand.log_in("lin", "wrong").status, 401, "an answer is an answer");
    assert_eq!(stall.total(), 1);
}

/// One that answers everything with the same bytes.
fn babbling(says: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ldap://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut connection in listener.incoming().map_while(Result::ok) {
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection.write_all(says);
        }
    });
    url
}

#[test]
fn what_is_no_answer_is_none_and_the_next_server_is_asked() {
    for says in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        // No message at all, one without a number, a bind's reply without a result, a search's in its place.
        b"\x30\x00",
        b"\x30\x03\x02\x01\x01",
        b"\x30\x05\x02\x01\x01\x61\x00",
        b"\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"",
    ] {
        let slapd = Slapd::start(MemberOf::Direct);
        slapd.person("lin", PASSWORD);
        let url = babbling(says);
        let both = format!("{url},{}", slapd.url());
        let changes = [("WHARF_LDAP_URLS", both.as_str()), ("WHARF_LDAP_TIMEOUT", "2s")];
        let stand = Stand::before(slapd, &changes);
        assert_eq!(stand.user("lin", PASSWORD), "user:lin", "{says:?}");
        let alone = [("WHARF_LDAP_URLS", url.as_str()), ("WHARF_LDAP_TIMEOUT", "2s")];
        let stand = house(&settings(&stand.slapd, &alone));
        assert_eq!(stand.ask_for_token("lin", PASSWORD, SCOPE).status, 503, "{says:?}");
    }
}

/// A server that takes connections and answers none.
#[derive(Clone, Default)]
struct Silent {
    /// The most connections that were open at once, and how many there were at all.
    most: Arc<AtomicUsize>,
    total: Arc<AtomicUsize>,
}

impl Silent {
    fn start() -> (String, Silent) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ldap://{}", listener.local_addr().unwrap());
        let silent = Silent::default();
        let counting = silent.clone();
        thread::spawn(move || {
            let mut open = Vec::new();
            for connection in listener.incoming() {
                open.retain_mut(is_open);
                let connection = connection.unwrap();
                connection.set_nonblocking(true).unwrap();
                open.push(connection);
                counting.most.fetch_max(open.len(), Ordering::SeqCst);
                counting.total.fetch_add(1, Ordering::SeqCst);
            }
        });
        (url, silent)
    }

    fn total(&self) -> usize {
        self.total.load(Ordering::SeqCst)
    }
}

/// Whether the client has not closed it; what it sent is thrown away.
fn is_open(connection: &mut TcpStream) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match connection.read(&mut buffer) {
            Ok(1..) => {}
            Ok(0) => return false,
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
}

#[test]
fn a_slow_directory_holds_up_so_many_logins_for_so_long_and_no_others() {
    let slapd = Slapd::start(MemberOf::Direct);
    let (url, silent) = Silent::start();
    let changes = [
        ("WHARF_LDAP_URLS", url.as_str()),
        ("WHARF_LDAP_TIMEOUT", "1s"),
        ("WHARF_LDAP_AT_ONCE", "2"),
    ];
    let house = house(&settings(&slapd, &changes));
    let begin = Instant::now();
    let statuses = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for number in 0..12 {
            let (house, statuses) = (&house, &statuses);
            scope.spawn(move || {
                let reply = house.ask_for_token(&format!("name{number}"), PASSWORD, SCOPE);
                statuses.lock().unwrap().push(reply.status);
            });
        }
        // Others are let in meanwhile: all of them before the first of those is answered, or one of those was quicker
        // than the time that the directory is given.
        let reply = house.ask_for_token("bob", house::PASSWORD, SCOPE);
        assert_eq!(reply.status, 200);
    });
    let took = begin.elapsed();
    // Two are asked about for a second, two more after them at most; the others hear that it is busy.
    assert!(took < Duration::from_secs(20), "{took:?}");
    let statuses = statuses.into_inner().unwrap();
    let count = |status| statuses.iter().filter(|it| **it == status).count();
    assert!(count(503) >= 2, "{statuses:?}");
    assert!(count(429) >= 8, "{statuses:?}");
    assert_eq!(count(503) + count(429), 12, "{statuses:?}");
    assert_eq!(silent.most.load(Ordering::SeqCst), 2);
}

/// Passwords go where the configuration says, and not where a directory says.
#[test]
fn a_referral_is_not_followed() {
    let (elsewhere, asked) = Silent::start();
    let stand = Stand::start(&[]);
    // One among what is found, and one in the place of the people.
    let refer = |name: &str| {
        let dn = format!("ou={name},{SUFFIX}");
        let class = "objectClass: referral\nobjectClass: extensibleObject";
        let ldif = format!("dn: {dn}\n{class}\nou: {name}\nref: {elsewhere}/{dn}\n");
        stand.slapd.add(&ldif);
        dn
    };
    let away = refer("away");
    assert_eq!(stand.user("lin", PASSWORD), "user:lin");
    assert_eq!(stand.log_in("nobody", PASSWORD).status, 401);
    let changes = [("WHARF_LDAP_BASE", away.as_str())];
    let referred = house(&settings(&stand.slapd, &changes));
    let reply = referred.ask_for_token("lin", PASSWORD, SCOPE);
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert_eq!(asked.total(), 0);
}

#[test]
fn an_account_that_may_not_search_is_nobodys_wrong_password() {
    let stand = Stand::start(&[("WHARF_LDAP_BIND_PASSWORD", "not-the-password")]);
    assert_eq!(stand.log_in("lin", PASSWORD).status, 503);
    let said = stand.house.server.log();
    assert!(
        said.contains("the account that searches") || said.contains("that searches is refused")
    );
    assert!(!said.contains("not-the-password") && !said.contains(PASSWORD), "{said}");
    assert_eq!(stand.binds(&person("lin")), 0);
}
