//! A TCP proxy before an engine, by which a test brings faults upon the way there.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// What is wrong with the way.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Connections break, new ones too.
    Cut,
    /// Each piece, there and back, takes so much longer.
    Delay(Duration),
    /// Connections stay, and nothing goes through.
    Stall,
    /// The engine seems to have ended its side of each connection, while it takes what is sent.
    HalfClose,
    /// Each connection breaks after so many bytes of replies.
    Truncate(usize),
    /// In each connection, the byte of the replies after so many is another one.
    Corrupt(usize),
    /// Each request, by HTTP, is answered with this status and S3's word for it.
    Answer(u16, &'static str),
}

/// The proxy. It serves until the test's process ends.
pub struct Proxy {
    address: SocketAddr,
    way: Arc<Way>,
}

#[derive(Default)]
struct Way {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What it stands before: `host:port`.
    before: String,
    fault: Option<Fault>,
    /// How many faults there were: bytes are counted from the beginning of the last.
    count: usize,
    connections: Vec<[TcpStream; 2]>,
}

impl Proxy {
    /// Starts one before `host:port`.
    pub fn start(before: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let way = Arc::new(Way::default());
        let known = Arc::clone(&way);
        thread::spawn(move || {
            for client in listener.incoming() {
                known.take(client.unwrap());
            }
        });
        let proxy = Proxy { address, way };
        proxy.stand_before(before);
        proxy
    }

    /// New connections go there from now on.
    pub fn stand_before(&self, before: &str) {
        self.way.state.lock().unwrap().before = before.to_owned();
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Something is wrong from now on.
    pub fn fail(&self, fault: Fault) {
        let mut state = self.way.state.lock().unwrap();
        state.fault = Some(fault);
        state.count += 1;
        match fault {
            Fault::Cut | Fault::Answer(..) => state.disconnect(),
            Fault::HalfClose => {
                for [client, _] in &state.connections {
                    let _ = client.shutdown(Shutdown::Write);
                }
            }
            Fault::Delay(_) | Fault::Stall | Fault::Truncate(_) | Fault::Corrupt(_) => {}
        }
        self.way.changed.notify_all();
    }

    /// All is well again. The connections that saw the fault break, so that nothing of then arrives later.
    pub fn heal(&self) {
        let mut state = self.way.state.lock().unwrap();
        state.fault = None;
        state.disconnect();
        self.way.changed.notify_all();
    }
}

impl State {
    fn disconnect(&mut self) {
        for connection in self.connections.drain(..).flatten() {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Way {
    /// Takes a new connection.
    fn take(self: &Arc<Way>, client: TcpStream) {
        let mut state = self.state.lock().unwrap();
        match state.fault {
            Some(Fault::Cut) => return,
            Some(Fault::Answer(status, code)) => {
                thread::spawn(move || answer(client, status, code));
                return;
            }
            Some(Fault::HalfClose) => {
                let _ = client.shutdown(Shutdown::Write);
            }
            _ => {}
        }
        // Where nobody listens the connection breaks.
        let Ok(server) = TcpStream::connect(&state.before) else { return };
        for socket in [&client, &server] {
            socket.set_nodelay(true).unwrap();
        }
        let copies = || [&client, &server].map(|socket| socket.try_clone().unwrap());
        state.connections.push(copies());
        let [from_client, to_server] = copies();
        let way = Arc::clone(self);
        thread::spawn(move || way.pass(from_client, to_server, false));
        let way = Arc::clone(self);
        thread::spawn(move || way.pass(server, client, true));
    }

    /// Hands on what comes, as far as the fault of the moment lets it.
    fn pass(&self, mut from: TcpStream, mut to: TcpStream, replies: bool) {
        let mut buffer = [0; 16 << 10];
        let (mut seen, mut passed) = (0, 0);
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let (fault, count) = self.now();
            if count != seen {
                (seen, passed) = (count, 0);
            }
            let piece = &mut buffer[..read];
            let begin = passed;
            passed += read;
            let mut left = read;
            match fault {
                Some(Fault::Delay(time)) => thread::sleep(time),
                Some(Fault::Stall) => self.wait_while_stalled(),
                Some(Fault::HalfClose) if replies => continue,
                Some(Fault::Truncate(limit)) if replies => {
                    left = read.min(limit.saturating_sub(begin))
                }
                Some(Fault::Corrupt(place)) if replies && (begin..passed).contains(&place) => {
                    piece[place - begin] ^= 1;
                }
                _ => {}
            }
            if to.write_all(&piece[..left]).is_err() || left < read {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }

    fn now(&self) -> (Option<Fault>, usize) {
        let state = self.state.lock().unwrap();
        (state.fault, state.count)
    }

    fn wait_while_stalled(&self) {
        let state = self.state.lock().unwrap();
        let stalled = |state: &mut State| matches!(state.fault, Some(Fault::Stall));
        drop(self.changed.wait_while(state, stalled).unwrap());
    }
}

/// Reads one request and answers it.
fn answer(mut client: TcpStream, status: u16, code: &str) {
    let mut request = BufReader::new(client.try_clone().unwrap());
    let (mut line, mut length) = (String::new(), 0_u64);
    while request.read_line(&mut line).is_ok_and(|read| read > 2) {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    // Whoever is still sending would hear of a broken connection instead.
    let _ = std::io::copy(&mut request.take(length), &mut std::io::sink());
    let body = format!("<Error><Code>{code}</Code><Message>By the test.</Message></Error>");
    let head = format!(
        "HTTP/1.1 {status} Refused\r\nContent-Type: application/xml\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let _ = client.write_all(format!("{head}{body}").as_bytes());
    let _ = client.shutdown(Shutdown::Write);
}
