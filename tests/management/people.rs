//! Those who ask: each logs in by a token, as hashing passwords takes long.

use serde_json::Value;
use ureq::http::Method;

use crate::house::{House, basic};
use crate::support::registry::Reply;

/// A house, and the API of its registry.
pub struct Api {
    pub house: House,
    root: String,
}

impl Api {
    pub fn start() -> Api {
        Api::start_with(&[])
    }

    pub fn start_with(settings: &[(&str, &str)]) -> Api {
        let house = House::start_with(settings);
        let root = basic("root", &house.admin(&["token", "root", "--role", "admin"]));
        Api { house, root }
    }

    /// A request; `login` is the Authorization header, or empty.
    pub fn ask(&self, login: &str, method: Method, path: &str, body: Option<&Value>) -> Reply {
        self.ask_with(login, method, path, &[], body)
    }

    pub fn ask_with(
        &self,
        login: &str,
        method: Method,
        path: &str,
        more: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Reply {
        let mut headers = more.to_vec();
        if !login.is_empty() {
            headers.push(("Authorization", login));
        }
        let text = body.map(Value::to_string);
        if text.is_some() && !more.iter().any(|(name, _)| *name == "Content-Type") {
            headers.push(("Content-Type", "application/json"));
        }
        let reads = [Method::GET, Method::HEAD, Method::DELETE].contains(&method);
        let empty = (!reads).then_some(&b""[..]);
        let body = text.as_deref().map(str::as_bytes).or(empty);
        let path = format!("/api/v1{path}");
        self.house.registry.send(method, &path, &headers, body).unwrap()
    }

    pub fn get(&self, login: &str, path: &str) -> Reply {
        self.ask(login, Method::GET, path, None)
    }

    /// What the administrator of all does, who must succeed: the answer.
    pub fn root(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let reply = self.ask(&self.root, method.clone(), path, body);
        assert!((200..300).contains(&reply.status), "{method} {path}: {}", reply.text());
        if reply.body.is_empty() { Value::Null } else { reply.json() }
    }

    /// How the administrator of all logs in.
    pub fn as_root(&self) -> &str {
        &self.root
    }

    /// How a user logs in by a token that is good for all that is theirs.
    pub fn login(&self, user: &str) -> String {
        self.login_for(user, &["--role", "admin"])
    }

    /// By a token that is good for less.
    pub fn login_for(&self, user: &str, narrowed: &[&str]) -> String {
        basic(user, &self.house.admin(&[&["token", user], narrowed].concat()))
    }
}

/// The problem that a reply is, once it is known to be one.
pub fn problem(reply: &Reply) -> (u16, String, String) {
    let kind = reply.header("Content-Type").unwrap_or_default();
    assert_eq!(kind, "application/problem+json", "{}", reply.text());
    let said = reply.json();
    assert_eq!(said["status"], reply.status);
    assert_eq!(said["request_id"].as_str(), reply.header("X-Request-Id"));
    let text = |name: &str| said[name].as_str().unwrap().to_owned();
    (reply.status, text("code"), text("detail"))
}
