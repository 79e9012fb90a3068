//! Whole repositories are deleted and brought back with their layers, which are everybody's.
//!
//! Each pusher has one of its own for that. Once an answer was lost, nobody knows what is still to come of that request: the repository is left alone from
//! then on, and another one is begun.

use std::time::Instant;

use serde_json::json;
use ureq::http::Method;

use crate::client::{Client, Lost};
use crate::manifests;
use crate::pusher::Pusher;

const TAG: &str = "whole";

/// The names of a pusher's own repositories: the one that is in use is the last.
pub struct Wholes {
    pusher: usize,
    names: Vec<String>,
}

impl Wholes {
    pub fn of(pusher: usize) -> Wholes {
        Wholes { pusher, names: Vec::new() }
    }

    /// Begins the next one.
    fn next(&mut self, client: &mut Client) {
        let name = format!("soak/whole-{}-{}", self.pusher, self.names.len());
        client.reaches(&name);
        self.names.push(name);
    }

    /// Deletes all that there are, when no request is under way any more. They end as any other that was deleted.
    pub fn end(&self, client: &mut Client) {
        for name in &self.names {
            let deleted = client.patiently(Method::DELETE, &managed("repositories", name), None);
            assert!([204, 404].contains(&deleted.status), "{name}: {}", deleted.text());
        }
    }
}

fn managed(what: &str, repository: &str) -> String {
    format!("/api/v1/{what}/{}", repository.replace('/', "%2F"))
}

impl Pusher<'_> {
    /// Pushes an image to a repository of its own, deletes the repository, and brings it back. Where there is trouble it may not come so far.
    pub fn whole(&mut self) {
        if self.wholes.names.is_empty() {
            self.wholes.next(&mut self.client);
        }
        let name = self.wholes.names.last().unwrap().clone();
        match self.goes_and_comes(&name) {
            Ok(true) => self.done.whole += 1,
            // Its time was over.
            Ok(false) => self.wholes.next(&mut self.client),
            Err(Lost(_)) => {
                self.done.lost += 1;
                self.wholes.next(&mut self.client);
            }
        }
    }

    fn goes_and_comes(&mut self, name: &str) -> Result<bool, Lost> {
        let common = self.common;
        let layers = [(); 2].map(|()| common.layers.choose(&mut self.random));
        let since = Instant::now();
        for number in layers {
            if !self.sends(name, common.layers.get(number))? {
                return Ok(false);
            }
        }
        let mark = format!("{name} {:?}", self.mark());
        let image = manifests::image(&common.layers, &layers, None, &mark);
        let tagged = format!("/v2/{name}/manifests/{TAG}");
        let headers = [("Content-Type", image.media_type)];
        let pushed = self.client.ask(Method::PUT, &tagged, &headers, Some(&image.bytes))?;
        if pushed.status != 201 {
            let is_late = since.elapsed() > common.grace;
            assert!(is_late, "{tagged}: {} {}", pushed.status, pushed.text());
            return Ok(false);
        }

        let since = Instant::now();
        let deleted = self.client.ask(Method::DELETE, &managed("repositories", name), &[], None)?;
        assert_eq!(deleted.status, 204, "{name}: {}", deleted.text());
        let gone = self.client.ask(Method::GET, &tagged, &[("Accept", "*/*")], None)?;
        assert_eq!(gone.status, 404, "{tagged} was deleted");
        self.random.moment(common.grace / 2);
        let target = managed("deleted-repositories", name) + "/restore";
        let headers = [("Content-Type", "application/json")];
        let body = json!({}).to_string();
        let back = self.client.ask(Method::POST, &target, &headers, Some(body.as_bytes()))?;
        if back.status != 200 {
            let is_late = since.elapsed() > common.grace && back.status == 404;
            assert!(is_late, "{name} was deleted just now: {} {}", back.status, back.text());
            return Ok(false);
        }

        let pulled = self.client.ask(Method::GET, &tagged, &[("Accept", "*/*")], None)?;
        assert!(pulled.status == 200 && pulled.body == image.bytes, "{tagged}: {}", pulled.text());
        for number in layers {
            let layer = common.layers.get(number);
            let target = format!("/v2/{name}/blobs/{}", layer.digest);
            let pulled = self.client.ask(Method::GET, &target, &[("Accept", "*/*")], None)?;
            let is_whole = pulled.status == 200 && pulled.body == layer.bytes;
            assert!(is_whole, "{target} came back with its repository: {}", pulled.status);
        }
        Ok(true)
    }
}
