//! A receiver that is away, and one that takes and does not keep.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::house::{House, PASSWORD};
use crate::receiver::{Received, Receiver, read_framed};
use crate::support::program::wait_until;
use crate::support::server::Process;

fn in_order(ids: &[i64]) -> bool {
    ids.is_sorted()
}

fn make_teams(house: &House, which: std::ops::Range<usize>) {
    for number in which {
        house.admin(&["team", "team", &format!("team-{number}")]);
    }
}

#[test]
fn every_record_comes_though_the_receiver_was_away() {
    let mut receiver = Receiver::start();
    let house = House::start_with(&[("WHARF_AUDIT_SYSLOG", &receiver.url())]);
    receiver.received.wait_for_all(&house);
    let before = receiver.received.ids();
    assert!(in_order(&before), "{before:?}");
    assert_eq!(before.iter().collect::<BTreeSet<_>>().len(), before.len(), "none came twice");

    receiver.end();
    make_teams(&house, 0..5);
    // It stops nothing else.
    assert_eq!(house.ask_for_token("ada", PASSWORD, "repository:team/private:pull").status, 200);
    wait_until("it is told", Duration::from_secs(30), || {
        house.server.log().contains("the syslog receiver tcp://127.0.0.1")
    });
    make_teams(&house, 5..8);
    assert_eq!(receiver.received.ids(), before);

    receiver.start_again();
    receiver.received.wait_for_all(&house);
    let ids = receiver.received.ids();
    assert!(in_order(&ids), "{ids:?}");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "what had come came once");
}

/// What is sent while nobody exports is not lost either, and a restart begins where the last one ended.
#[test]
fn it_goes_on_where_it_stood() {
    let receiver = Receiver::start();
    let house = House::start();
    make_teams(&house, 0..3);
    assert!(receiver.received.ids().is_empty());
    let (data, url) = (house.data(), receiver.url());
    let settings = [("WHARF_ACCESS_CONTROL", "true"), ("WHARF_AUDIT_SYSLOG", url.as_str())];
    let House { server, .. } = &house;
    server.begin_stop();
    wait_until("it has stopped", Duration::from_secs(60), || {
        server.registry().get("/v2/").is_err()
    });
    let again = |expected: usize| {
        wait_until("the data folder is free", Duration::from_secs(60), || {
            wharf_folder_is_free(&data)
        });
        let mut server = Process::launch(&data, &settings).ready();
        receiver.received.wait_for_all(&house);
        assert_eq!(receiver.received.ids().len(), expected);
        server.begin_stop();
        server.ended();
    };
    let written = house.admin(&["audit", "--all", "--json"]).lines().count();
    again(written);
    make_teams(&house, 3..5);
    again(written + 2);
}

/// Whether no process holds the lock of a data folder.
fn wharf_folder_is_free(data: &std::path::Path) -> bool {
    let lock = std::fs::File::open(data.join("lock"));
    lock.is_ok_and(|lock| lock.try_lock().is_ok())
}

/// Bytes that a kernel took are not received yet: one that is gone before it read them gets them again.
#[test]
fn what_a_receiver_did_not_read_to_the_end_is_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let (received, broken) = (Received::default(), Arc::new(AtomicUsize::new(0)));
    let (to, count) = (received.clone(), Arc::clone(&broken));
    thread::spawn(move || {
        for mut connection in listener.incoming().map_while(Result::ok) {
            if count.load(Ordering::SeqCst) < 2 {
                // It reads a part, and closes with the rest unread.
                connection.read_exact(&mut [0; 10]).unwrap();
                count.fetch_add(1, Ordering::SeqCst);
            } else {
                read_framed(&connection, &to);
            }
        }
    });
    let house = House::start_with(&[("WHARF_AUDIT_SYSLOG", &url)]);
    received.wait_for_all(&house);
    assert_eq!(broken.load(Ordering::SeqCst), 2);
    let ids = received.ids();
    assert!(in_order(&ids), "{ids:?}");
}
