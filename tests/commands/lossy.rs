//! Replies that are lost on the way: what was done is not done again, and a secret that was in one is not shown.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::desk::Desk;
use crate::house::{House, PASSWORD};

/// A way to a server on which replies to some requests are lost once the server has sent them.
struct Way {
    address: String,
    method: Arc<Mutex<&'static str>>,
    left: Arc<AtomicUsize>,
}

impl Way {
    fn to(server: &str) -> Way {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (method, left) = (Arc::new(Mutex::new("")), Arc::new(AtomicUsize::new(0)));
        let way = Way { address, method: Arc::clone(&method), left: Arc::clone(&left) };
        let server = server.to_owned();
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
                let (method, left) = (Arc::clone(&method), Arc::clone(&left));
                thread::spawn(move || pass(&client, &server, &method, &left));
            }
        });
        way
    }

    /// The next reply to such a request is lost.
    fn loses_reply_to(&self, method: &'static str) {
        *self.method.lock().unwrap() = method;
        self.left.store(1, Ordering::SeqCst);
    }

    fn has_lost_it(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }
}

fn pass(mut client: &TcpStream, server: &TcpStream, method: &Mutex<&str>, left: &AtomicUsize) {
    let last = Arc::new(Mutex::new(Vec::new()));
    let (mut back, mut out) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::scope(|scope| {
        let asked = Arc::clone(&last);
        scope.spawn(move || {
            let mut piece = vec![0; 64 << 10];
            while let Ok(length @ 1..) = back.read(&mut piece) {
                let is_meant = asked.lock().unwrap().starts_with(method.lock().unwrap().as_bytes());
                let take = |left: usize| left.checked_sub(1);
                if is_meant && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok() {
                    break;
                }
                if out.write_all(&piece[..length]).is_err() {
                    break;
                }
            }
            let _ = out.shutdown(Shutdown::Both);
        });
        let mut piece = vec![0; 64 << 10];
        while let Ok(length @ 1..) = client.read(&mut piece) {
            *last.lock().unwrap() = piece[..length].to_vec();
            if (&*server).write_all(&piece[..length]).is_err() {
                break;
            }
        }
        let _ = server.shutdown(Shutdown::Both);
    });
}

#[test]
fn a_secret_in_a_lost_reply_is_not_shown_and_the_way_to_another_is_told() {
    let house = House::start();
    let way = Way::to(&house.server.address());
    let ada = Desk::new(&way.address);
    ada.docker_login("ada", PASSWORD);
    for (line, expected) in [
        (
            "robot create team+ci",
            "robot team+ci is made; its secret was in a reply that was lost, and is not shown again; `wharf robot rotate team+ci` makes another one",
        ),
        (
            "robot rotate team+ci --json",
            "the old secret of robot team+ci is ended; its new one was in a reply that was lost, and is not shown again; `wharf robot rotate team+ci` makes another one",
        ),
    ] {
        way.loses_reply_to("POST");
        assert_eq!(ada.refused(line), expected);
        assert!(way.has_lost_it());
    }
    assert!(ada.done("robot rotate team+ci").starts_with("wharf_bot_"));
    way.loses_reply_to("POST");
    let refused = ada.refused("token create laptop");
    let id = ada.json("token list")[0]["id"].as_str().unwrap().to_owned();
    assert!(refused.contains(&format!("`wharf token delete {id}` ends it")), "{refused}");
    assert_eq!(ada.json("token list").as_array().unwrap().len(), 1, "it was made once");
}

#[test]
fn what_was_made_or_deleted_before_the_reply_was_lost_is_done() {
    let house = House::start();
    let way = Way::to(&house.server.address());
    let (ada, root) = (Desk::new(&way.address), Desk::new(&way.address));
    ada.docker_login("ada", PASSWORD);
    root.docker_login("root", PASSWORD);
    way.loses_reply_to("POST");
    assert_eq!(ada.json("org create crew")["name"], "crew");
    way.loses_reply_to("DELETE");
    assert_eq!(ada.done("org delete crew --yes"), "");
    assert!(way.has_lost_it());
    way.loses_reply_to("DELETE");
    ada.done("repo delete-tag team/private v1 --yes");
    assert!(way.has_lost_it());
    // Without a loss the same answer says that there was nothing.
    assert!(ada.refused("org delete crew --yes").contains("404"));
    way.loses_reply_to("PUT");
    let lines = format!("{PASSWORD}\na newer password than that\n");
    let said = ada.run(ada.command("user password --password-stdin"), &lines);
    assert!(
        said.err.ends_with("log in to find out which password is the right one now\n"),
        "{}",
        said.err
    );
    ada.typed("login HOST -u ada --password-stdin", "a newer password than that");
    way.loses_reply_to("PATCH");
    assert_eq!(root.json("user disable bob")["disabled"], true);
    assert!(way.has_lost_it());
}
