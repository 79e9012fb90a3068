//! As little of an HTTP client as costs nothing: blocking, one connection, bodies of known length.

use std::io::{BufRead, BufReader, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// How long a server may stay silent.
const SILENCE: Duration = Duration::from_secs(120);

/// The pieces of a chunked body, as Go's client (so docker) sends them.
const CHUNK: usize = 32 << 10;

/// How many of those one system call hands over.
const CHUNKS_A_WRITE: usize = 32;

/// The longest body that is kept, in bytes.
const MOST_KEPT: u64 = 64 << 20;

/// A connection to a server.
pub struct Connection {
    stream: BufReader<TcpStream>,
    host: String,
}

/// The head of a reply.
#[derive(Debug, Default)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The length of the body.
    pub length: u64,
    /// The path that `Location` names.
    pub location: Option<String>,
}

impl Reply {
    /// Fails unless the status is `status`.
    pub fn expect(self, status: u16, doing: &str) -> Result<Self> {
        ensure!(self.status == status, "{doing}: {} instead of {status}", self.status);
        Ok(self)
    }
}

impl Connection {
    /// Connects to `address`.
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        Ok(Self { stream: BufReader::with_capacity(16 << 10, stream), host: address.to_string() })
    }

    /// Sends a request and reads the head of its reply. `headers` are lines, each with its end.
    pub fn ask(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> Result<Reply> {
        let mut request = self.head(method, path, headers);
        if method != "GET" {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        let mut request = request.into_bytes();
        request.extend_from_slice(body);
        self.stream.get_mut().write_all(&request)?;
        self.read_head()
    }

    /// The same, and reads away the body of the reply.
    pub fn call(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> Result<Reply> {
        let reply = self.ask(method, path, headers, body)?;
        let mut buffer = [0; 4096];
        self.discard(reply.length, &mut buffer)?;
        Ok(reply)
    }

    /// The same, and returns the body of the reply. A reply to `HEAD` has none.
    pub fn fetch(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> Result<(Reply, Vec<u8>)> {
        let reply = self.ask(method, path, headers, body)?;
        let length = if method == "HEAD" { 0 } else { reply.length };
        ensure!(length <= MOST_KEPT, "a reply of {length} bytes");
        let mut found = vec![0; usize::try_from(length)?];
        self.stream.read_exact(&mut found)?;
        Ok((reply, found))
    }

    /// Sends a request with a chunked body made of `pieces`, as docker does, and reads the reply.
    pub fn stream<'a>(
        &mut self,
        method: &str,
        path: &str,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Reply> {
        let headers = "Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n";
        let head = self.head(method, path, headers) + "\r\n";
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes())?;
        for piece in pieces {
            for batch in piece.chunks(CHUNK * CHUNKS_A_WRITE) {
                write_chunks(stream, batch)?;
            }
        }
        stream.write_all(b"0\r\n\r\n")?;
        let reply = self.read_head()?;
        self.discard(reply.length, &mut [0; 4096])?;
        Ok(reply)
    }

    fn head(&self, method: &str, path: &str, headers: &str) -> String {
        format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}", self.host)
    }

    fn read_head(&mut self) -> Result<Reply> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut reply = Reply { status: status.context("no HTTP reply")?, ..Reply::default() };
        loop {
            line.clear();
            ensure!(self.stream.read_line(&mut line)? > 0, "a reply broke off");
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => reply.length = value.parse()?,
                "location" => reply.location = Some(path_of(value)),
                "transfer-encoding" => bail!("a reply of unknown length"),
                _ => {}
            }
        }
        Ok(reply)
    }

    /// Reads `length` bytes into `buffer`, over and over. A buffer larger than ours is read into directly.
    pub fn discard(&mut self, mut length: u64, buffer: &mut [u8]) -> Result<()> {
        while length > 0 {
            let most = usize::try_from(length).unwrap_or(usize::MAX).min(buffer.len());
            let read = self.stream.read(&mut buffer[..most])?;
            ensure!(read > 0, "a body broke off");
            length -= read as u64;
        }
        Ok(())
    }
}

/// `Location` may be a whole URL or a path.
fn path_of(location: &str) -> String {
    match location.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]).to_owned(),
        None => location.to_owned(),
    }
}

/// Writes `bytes` as chunks, all of them in one system call if the socket takes them.
fn write_chunks(stream: &mut TcpStream, bytes: &[u8]) -> Result<()> {
    let sizes: Vec<String> =
        bytes.chunks(CHUNK).map(|chunk| format!("{:x}\r\n", chunk.len())).collect();
    let mut slices = Vec::with_capacity(3 * CHUNKS_A_WRITE);
    for (chunk, size) in bytes.chunks(CHUNK).zip(&sizes) {
        slices.extend([size.as_bytes(), chunk, b"\r\n"].map(IoSlice::new));
    }
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        let written = stream.write_vectored(rest)?;
        ensure!(written > 0, "a connection takes no more");
        IoSlice::advance_slices(&mut rest, written);
    }
    Ok(())
}
