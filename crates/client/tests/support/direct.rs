//! How the fake registry takes direct uploads, and what it does wrong with them.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::reply::{self, Served, parameter, set};
use super::server::{FakeRegistry, empty};

/// What a registry announces that takes direct uploads.
pub const EXTENSIONS: &str =
    r#"{"extensions":[{"name":"_wharf","endpoints":["_wharf/direct/uploads"]}]}"#;

/// Direct uploads, and what is wrong with them.
#[derive(Clone, Debug)]
pub struct Direct {
    /// The size of a part in bytes.
    pub part_size: usize,
    /// Where parts go; the registry itself, where that is empty.
    pub parts_at: String,
    /// Whether parts ask for credentials.
    pub authorize: bool,
    /// The next parts are refused so.
    pub refuse: Vec<StatusCode>,
    /// How often the end is answered "under way".
    pub under_way: usize,
    /// The end is refused so.
    pub refuse_end: Option<StatusCode>,
    /// The plan speaks of so many bytes more than were asked for.
    pub lies_by: usize,
}

impl Default for Direct {
    fn default() -> Self {
        Self {
            part_size: 8 << 20,
            parts_at: String::new(),
            authorize: true,
            refuse: Vec::new(),
            under_way: 0,
            refuse_end: None,
            lies_by: 0,
        }
    }
}

/// The parts that came for the one upload there is.
pub type SentParts = BTreeMap<u64, Bytes>;

impl FakeRegistry {
    /// `rest` is what stands behind `_wharf/direct/uploads/`.
    pub async fn direct(
        &self,
        head: &Parts,
        body: Incoming,
        repository: &str,
        rest: &str,
        query: &str,
    ) -> Served {
        let Ok(body) = body.collect().await else {
            return Err(std::io::Error::other("the client broke the connection"));
        };
        let body = body.to_bytes();
        let json = || serde_json::from_slice::<Value>(&body).unwrap();
        let Some(mut direct) = self.state().direct.clone() else {
            return reply::error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED");
        };
        let segments: Vec<&str> = rest.split('/').collect();
        let reply = match (&head.method, &segments[..]) {
            (&Method::POST, [""]) => {
                let size = json()["size"].as_u64().unwrap() as usize + direct.lies_by;
                let (part_size, parts) = (direct.part_size, size.div_ceil(direct.part_size));
                let plan = json!({ "size": size, "partSize": part_size, "parts": parts });
                let mut reply = reply::text(StatusCode::CREATED, &plan.to_string())?;
                let location = format!("/v2/{repository}/_wharf/direct/uploads/d1");
                set(&mut reply, "location", &location);
                self.state().direct_size = size;
                Ok(reply)
            }
            (&Method::POST, ["d1", "parts"]) => {
                let size = self.state().direct_size;
                let address = |number: u64| {
                    let start = (number as usize - 1) * direct.part_size;
                    json!({
                        "number": number,
                        "size": direct.part_size.min(size - start),
                        "url": format!("{}/v2/{repository}/_wharf/direct/uploads/d1/parts/{number}", direct.parts_at),
                        "authorize": direct.authorize,
                    })
                };
                let numbers = json()["parts"].as_array().unwrap().clone();
                let parts: Vec<Value> =
                    numbers.iter().map(|number| address(number.as_u64().unwrap())).collect();
                reply::text(StatusCode::OK, &json!({ "parts": parts }).to_string())
            }
            (&Method::PUT, ["d1", "parts", number]) => match direct.refuse.pop() {
                Some(status) => reply::error(status, "DENIED"),
                None => {
                    let mut reply = empty(StatusCode::CREATED);
                    set(&mut reply, "etag", &format!("\"tag-{number}\""));
                    self.state().sent_parts.insert(number.parse().unwrap(), body);
                    Ok(reply)
                }
            },
            (&Method::PUT, ["d1"]) => self.end_direct(&mut direct, repository, query, &json()),
            _ => Ok(empty(StatusCode::NO_CONTENT)),
        };
        self.state().direct = Some(direct);
        reply
    }

    fn end_direct(
        &self,
        direct: &mut Direct,
        repository: &str,
        query: &str,
        named: &Value,
    ) -> Served {
        if let Some(status) = direct.refuse_end {
            return reply::error(status, "DIGEST_INVALID");
        }
        if direct.under_way > 0 {
            direct.under_way -= 1;
            return reply::busy(StatusCode::ACCEPTED, Some("0"));
        }
        let mut state = self.state();
        let parts: Vec<Value> = state
            .sent_parts
            .keys()
            .map(|number| json!({ "number": number, "etag": format!("\"tag-{number}\"") }))
            .collect();
        assert_eq!(named["parts"], Value::from(parts));
        let bytes: Bytes =
            std::mem::take(&mut state.sent_parts).into_values().collect::<Vec<_>>().concat().into();
        let digest = parameter(query, "digest").unwrap().to_owned();
        assert_eq!(reply::digest(&bytes), digest);
        state.blobs.insert((repository.to_owned(), digest), bytes);
        Ok(empty(StatusCode::CREATED))
    }
}
