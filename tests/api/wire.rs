//! HTTP/1.1 by hand: a request goes out as exactly the bytes it was written in, a reply comes back whole.

// Each test binary uses the part that it needs.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// No reply takes this long; a server that keeps silent fails the test instead of hanging it.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// One connection.
pub struct Wire(BufReader<TcpStream>);

/// A reply, as it came.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub reason: String,
    /// Sorted by name; values of one name in the order they came.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Wire {
    pub fn to(port: u16) -> Wire {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(LONGEST_WAIT)).unwrap();
        stream.set_write_timeout(Some(LONGEST_WAIT)).unwrap();
        Wire(BufReader::new(stream))
    }

    /// Sends the bytes. A server may answer and stop reading before the end: its answer is what counts.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.get_mut().write_all(bytes);
    }

    /// Says that nothing more will come.
    pub fn end(&mut self) {
        let _ = self.0.get_ref().shutdown(Shutdown::Write);
    }

    /// The next reply; `None` when the server closes without one.
    pub fn reply(&mut self, to_head: bool) -> Option<Reply> {
        let status_line = self.line().filter(|line| !line.is_empty())?;
        let mut parts = status_line.splitn(3, ' ');
        assert_eq!(parts.next(), Some("HTTP/1.1"), "{status_line}");
        let status = parts.next().unwrap().parse().unwrap();
        let reason = parts.next().unwrap_or_default().to_owned();
        let mut headers = Vec::new();
        while let Some(line) = self.line().filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').unwrap();
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        headers.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut reply = Reply { status, reason, headers, body: Vec::new() };
        assert_eq!(reply.header("transfer-encoding"), None, "a reply says how long it is");
        if !to_head && !matches!(status, 204 | 304) {
            match reply.header("content-length").map(|text| text.parse().unwrap()) {
                Some(length) => {
                    reply.body = vec![0; length];
                    self.0.read_exact(&mut reply.body).unwrap();
                }
                None => {
                    self.0.read_to_end(&mut reply.body).unwrap();
                }
            }
        }
        Some(reply)
    }

    /// Whether the server closes the connection, without another word.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }

    /// A line without its end; `None` when the server has closed.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no reply: {error}"),
        }
    }
}
