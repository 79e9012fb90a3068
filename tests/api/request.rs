//! A request as a value: what a scenario sends, and what its transcript shows of it.

use std::fmt::Write as _;

/// A request, built in the order it is read.
pub struct Request {
    pub method: &'static str,
    pub target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

fn of(method: &'static str, target: impl Into<String>) -> Request {
    Request { method, target: target.into(), headers: Vec::new(), body: None }
}

pub fn get(target: impl Into<String>) -> Request {
    of("GET", target)
}

pub fn head(target: impl Into<String>) -> Request {
    of("HEAD", target)
}

pub fn post(target: impl Into<String>) -> Request {
    of("POST", target).body("")
}

pub fn put(target: impl Into<String>) -> Request {
    of("PUT", target).body("")
}

pub fn patch(target: impl Into<String>) -> Request {
    of("PATCH", target).body("")
}

pub fn delete(target: impl Into<String>) -> Request {
    of("DELETE", target)
}

/// Any method that has no function of its own here.
pub fn other(method: &'static str, target: impl Into<String>) -> Request {
    of(method, target)
}

impl Request {
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Request {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = Some(body.into());
        self
    }

    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The bytes of the body, none where there is none.
    pub fn content(&self) -> &[u8] {
        self.body.as_deref().unwrap_or_default()
    }

    /// The request on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut text =
            format!("{} {} HTTP/1.1\r\nHost: registry.test\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        if let Some(body) = &self.body {
            write!(text, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        let mut bytes = (text + "\r\n").into_bytes();
        bytes.extend(self.body.iter().flatten());
        bytes
    }

    /// The request as a transcript shows it.
    pub fn shown(&self) -> String {
        let mut text = format!("> {} {}\n", self.method, self.target);
        for (name, value) in &self.headers {
            writeln!(text, "> {name}: {value}").unwrap();
        }
        if let Some(body) = self.body.as_deref().filter(|body| !body.is_empty()) {
            writeln!(text, "> {}", String::from_utf8_lossy(body)).unwrap();
        }
        text
    }
}
