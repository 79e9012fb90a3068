//! Who asks the nodes: each request goes to any of them, and what comes back is an answer, or is not known.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::http::Method;

use crate::support::proxy::Proxy;
use crate::support::random::Random;
use crate::support::registry::{Registry, Reply};

/// Longer than any trouble that the soak makes.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(100);

/// A client that is logged in.
pub struct Client {
    ways: Vec<Registry>,
    /// Names the user at the management API and where tokens are issued.
    basic: String,
    repositories: Vec<String>,
    /// One that is good for all repositories.
    bearer: Option<String>,
    random: Random,
}

/// There was no answer, or one that does not say whether the request was done.
pub struct Lost(pub String);

impl Client {
    /// One that asks through these ways, by this login, for these repositories.
    pub fn new<'a>(
        ways: impl Iterator<Item = &'a Proxy>,
        basic: &str,
        repositories: &[String],
        random: Random,
    ) -> Client {
        let ways = ways.map(|way| Registry::at(&way.address())).collect();
        let (basic, repositories) = (basic.to_owned(), repositories.to_vec());
        Client { ways, basic, repositories, bearer: None, random }
    }

    /// From now on asks for this repository, too.
    pub fn reaches(&mut self, repository: &str) {
        self.repositories.push(repository.to_owned());
        self.bearer = None;
    }

    /// Asks once.
    pub fn ask(
        &mut self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Reply, Lost> {
        let login = match target.starts_with("/api/") {
            true => self.basic.clone(),
            false => self.bearer()?,
        };
        let headers = [&[("Authorization", login.as_str())], headers].concat();
        let reply = self.send(method.clone(), target, &headers, body)?;
        if reply.status == 401 {
            // The token has ended; nothing was done.
            self.bearer = None;
            return Err(Lost(format!("401 {}", reply.text())));
        }
        assert!(reply.status != 403, "{method} {target}: {}", reply.text());
        Ok(reply)
    }

    /// Asks for what may be asked for any number of times, until there is an answer.
    pub fn patiently(&mut self, method: Method, target: &str, body: Option<&Value>) -> Reply {
        let began = Instant::now();
        let (text, json) = (body.map(Value::to_string), [("Content-Type", "application/json")]);
        let reads = [Method::GET, Method::HEAD, Method::DELETE].contains(&method);
        let body = text.as_deref().map(str::as_bytes).or((!reads).then_some(&b""[..]));
        loop {
            let headers = if text.is_some() { &json[..] } else { &[("Accept", "*/*")] };
            match self.ask(method.clone(), target, headers, body) {
                Ok(reply) => return reply,
                Err(Lost(why)) => {
                    assert!(
                        began.elapsed() < PATIENCE,
                        "{method} {target} was never answered: {why}"
                    );
                    sleep(PAUSE);
                }
            }
        }
    }

    pub fn get(&mut self, target: &str) -> Reply {
        self.patiently(Method::GET, target, None)
    }

    /// Asks a node without a token being there first. What no client should ever see ends the soak.
    fn send(
        &mut self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Reply, Lost> {
        let way = self.random.below(self.ways.len() as u64) as usize;
        let sent = self.ways[way].send(method.clone(), target, headers, body);
        let reply = sent.map_err(|error| Lost(error.to_string()))?;
        assert!(reply.status != 500, "{method} {target}: {}", reply.text());
        if reply.status > 500 {
            return Err(Lost(format!("{} {}", reply.status, reply.text())));
        }
        Ok(reply)
    }

    fn bearer(&mut self) -> Result<String, Lost> {
        if let Some(bearer) = &self.bearer {
            return Ok(bearer.clone());
        }
        let scope = |name: &String| format!("&scope=repository:{name}:pull,push,delete");
        let scopes: String = self.repositories.iter().map(scope).collect();
        let (target, basic) = (format!("/token?service=wharf{scopes}"), self.basic.clone());
        let reply = self.send(Method::GET, &target, &[("Authorization", &basic)], None)?;
        assert_eq!(reply.status, 200, "{target}: {}", reply.text());
        let bearer = format!("Bearer {}", reply.json()["token"].as_str().unwrap());
        self.bearer = Some(bearer.clone());
        Ok(bearer)
    }
}
