//! A syslog receiver over TCP, which can be ended and started again.

// Each test binary uses the part that it needs.
#![allow(dead_code)]

use std::io::{BufRead as _, BufReader, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use crate::house::House;
use crate::support::program::wait_until;

/// No record takes longer, with all the waits of a job that failed.
const PATIENCE: Duration = Duration::from_secs(90);

/// The messages that were received, in their order.
#[derive(Clone, Default)]
pub struct Received(Arc<Mutex<Vec<String>>>);

impl Received {
    pub fn add(&self, message: String) {
        self.0.lock().unwrap().push(message);
    }

    /// The numbers of the records in them.
    pub fn ids(&self) -> Vec<i64> {
        let id = |message: &String| said(message)["id"].as_i64().unwrap();
        self.0.lock().unwrap().iter().map(id).collect()
    }

    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until every record of the log of now has come, and returns them as the log has them.
    pub fn wait_for_all(&self, house: &House) -> Vec<Value> {
        self.wait_for(&house.admin(&["audit", "--all", "--json"]))
    }

    /// The same of what `wharf admin audit --all --json` prints.
    pub fn wait_for(&self, printed: &str) -> Vec<Value> {
        let written: Vec<Value> =
            printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(written.len() > 5, "{printed}");
        wait_until("every record has come", PATIENCE, || {
            let ids = self.ids();
            written.iter().all(|record| ids.contains(&record["id"].as_i64().unwrap()))
        });
        let messages = self.all();
        for record in &written {
            let message = messages.iter().find(|it| said(it)["id"] == record["id"]).unwrap();
            assert_eq!(said(message), *record);
        }
        written
    }
}

/// The document in a message.
pub fn said(message: &str) -> Value {
    let begin = message.find('{').unwrap_or_else(|| panic!("{message}"));
    assert!(message.starts_with("<1"), "{message}");
    serde_json::from_str(&message[begin..]).unwrap()
}

/// Reads messages with their lengths before them (RFC 6587, section 3.4.1), to the end; `false` where it broke off.
pub fn read_framed(connection: impl Read, received: &Received) -> bool {
    let mut connection = BufReader::new(connection);
    loop {
        let mut length = Vec::new();
        match connection.read_until(b' ', &mut length) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
        let length: usize = match std::str::from_utf8(&length).unwrap().trim_end().parse() {
            Ok(length) => length,
            Err(_) => return false,
        };
        let mut message = vec![0; length];
        if connection.read_exact(&mut message).is_err() {
            return false;
        }
        received.add(String::from_utf8(message).unwrap());
    }
}

/// A receiver. What it received outlives it.
pub struct Receiver {
    pub received: Received,
    address: SocketAddr,
    running: Option<Running>,
}

struct Running {
    ending: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Receiver {
    pub fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut receiver = Receiver { received: Received::default(), address, running: None };
        receiver.run(listener);
        receiver
    }

    pub fn url(&self) -> String {
        format!("tcp://{}", self.address)
    }

    /// Ends it: nothing listens there any more.
    pub fn end(&mut self) {
        let Running { ending, thread } = self.running.take().unwrap();
        ending.store(true, Ordering::SeqCst);
        // It looks when somebody comes.
        let _ = TcpStream::connect(self.address);
        thread.join().unwrap();
    }

    /// Starts it again, at the same address.
    pub fn start_again(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        self.run(listener);
    }

    fn run(&mut self, listener: TcpListener) {
        let ending = Arc::new(AtomicBool::new(false));
        let (received, told) = (self.received.clone(), Arc::clone(&ending));
        let thread = thread::spawn(move || {
            for connection in listener.incoming() {
                if told.load(Ordering::SeqCst) {
                    return;
                }
                let connection = connection.unwrap();
                if read_framed(&connection, &received) {
                    let _ = connection.shutdown(Shutdown::Both);
                }
            }
        });
        self.running = Some(Running { ending, thread });
    }
}
