//! How layers get into a repository: found there, mounted from another one, or sent in one of three ways. What breaks off begins again.

use std::time::Instant;

use ureq::http::Method;

use crate::client::Lost;
use crate::layers::Layer;
use crate::pusher::Pusher;

/// How often one is tried.
const TRIES: usize = 12;

/// What a chunk has at most. The large layers are several, of which some are parts of their own in a bucket.
const CHUNK: usize = 2_000_000;

/// How the layers of a manifest came to be there.
pub struct Sent {
    /// When the first of them was looked for.
    pub since: Instant,
    /// Whether one of them was only found.
    pub by_looking: bool,
}

impl Pusher<'_> {
    /// Sees to it that a repository has these layers. None where that did not work out.
    pub(super) fn send_layers(
        &mut self,
        repository: &str,
        layers: &[usize],
        looks: bool,
    ) -> Option<Sent> {
        let mut sent = Sent { since: Instant::now(), by_looking: false };
        let common = self.common;
        for number in layers {
            let layer = common.layers.get(*number);
            let found = looks && self.looks(repository, layer).unwrap_or(false);
            sent.by_looking |= found;
            if !found {
                let mut tries = 0;
                while !self.sends(repository, layer).unwrap_or(false) {
                    tries += 1;
                    if tries == TRIES {
                        return None;
                    }
                    self.random.moment(std::time::Duration::from_millis(50 << tries.min(5)));
                }
            }
        }
        Some(sent)
    }

    fn looks(&mut self, repository: &str, layer: &Layer) -> Result<bool, Lost> {
        let target = format!("/v2/{repository}/blobs/{}", layer.digest);
        Ok(self.client.ask(Method::HEAD, &target, &[], None)?.status == 200)
    }

    /// `false` where the upload was lost on the way.
    pub(super) fn sends(&mut self, repository: &str, layer: &Layer) -> Result<bool, Lost> {
        let (uploads, digest) = (format!("/v2/{repository}/blobs/uploads/"), &layer.digest);
        let way = self.random.below(5);
        if way == 0 {
            let whole = format!("{uploads}?digest={digest}");
            return self.ends(Method::POST, &whole, &layer.bytes);
        }
        let target = match way {
            1 | 2 => {
                let from = self.random.choose(&self.common.repositories).unwrap();
                format!("{uploads}?mount={digest}&from={from}")
            }
            _ => uploads,
        };
        let opened = self.client.ask(Method::POST, &target, &[], Some(b""))?;
        if opened.status == 201 {
            return Ok(true);
        }
        assert_eq!(opened.status, 202, "{target}: {}", opened.text());
        let mut place = place(opened.header("Location").unwrap());
        let mut rest = &layer.bytes[..];
        if way == 4 {
            let mut start = 0;
            for chunk in layer.bytes.chunks(CHUNK.min(layer.bytes.len() / 2 + 1)) {
                let range = format!("{start}-{}", start + chunk.len() - 1);
                let headers = [("Content-Range", range.as_str())];
                let sent = self.client.ask(Method::PATCH, &place, &headers, Some(chunk))?;
                if sent.status != 202 {
                    return was_lost(&place, sent.status, &sent.text());
                }
                place = self::place(sent.header("Location").unwrap());
                start += chunk.len();
            }
            rest = b"";
        }
        let joint = if place.contains('?') { '&' } else { '?' };
        self.ends(Method::PUT, &format!("{place}{joint}digest={digest}"), rest)
    }

    fn ends(&mut self, method: Method, target: &str, bytes: &[u8]) -> Result<bool, Lost> {
        let headers = [("Content-Type", "application/octet-stream")];
        let sent = self.client.ask(method, target, &headers, Some(bytes))?;
        if sent.status == 201 { Ok(true) } else { was_lost(target, sent.status, &sent.text()) }
    }

    /// Begins an upload and leaves it.
    pub(super) fn leave_upload(&mut self, book: usize) {
        let repository = self.books[book].repository.clone();
        let target = format!("/v2/{repository}/blobs/uploads/");
        let Ok(opened) = self.client.ask(Method::POST, &target, &[], Some(b"")) else { return };
        assert_eq!(opened.status, 202, "{}", opened.text());
        let place = place(opened.header("Location").unwrap());
        let bytes = self.random.bytes(10_000);
        let _ =
            self.client.ask(Method::PATCH, &place, &[("Content-Range", "0-9999")], Some(&bytes));
    }
}

/// An upload may have expired, or a request of it whose client was cut off be at work still.
fn was_lost(target: &str, status: u16, text: &str) -> Result<bool, Lost> {
    assert!([404, 409, 416, 429].contains(&status), "{target}: {status} {text}");
    Ok(false)
}

/// The path of a Location: the next request goes to any node.
fn place(location: &str) -> String {
    let path =
        location.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
    path.unwrap_or(location).to_owned()
}
