//! A browser as far as logins need one: it keeps cookies, follows redirects and sends forms.

// Each test binary uses the part that it needs.
#![allow(dead_code)]

use std::time::Duration;

use ureq::Agent;
use ureq::http::{Method, Request};

/// How many redirects are followed.
const MOST_REDIRECTS: usize = 10;

/// A cookie, as it was set.
#[derive(Clone, Debug)]
pub struct Cookie {
    /// `scheme://host:port`; browsers know no ports here, and no test needs them not to.
    origin: String,
    path: String,
    pub name: String,
    pub value: String,
    /// All that it was set with.
    pub line: String,
}

/// A page that was loaded.
#[derive(Clone, Debug)]
pub struct Page {
    pub url: String,
    pub status: u16,
    pub text: String,
    headers: ureq::http::HeaderMap,
}

impl Page {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The value of the field of that name in the first form that has one.
    pub fn field(&self, name: &str) -> String {
        let inputs = self.text.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap());
        let mut found = inputs.filter(|input| attribute(input, "name").as_deref() == Some(name));
        let input = found.next().unwrap_or_else(|| panic!("no field {name}:\n{}", self.text));
        attribute(input, "value").unwrap_or_default()
    }

    /// Where the first form goes, and the fields that nobody sees.
    fn form(&self) -> (String, Vec<(String, String)>) {
        let start = self.text.find("<form").unwrap_or_else(|| panic!("no form:\n{}", self.text));
        let form = self.text[start..].split("</form>").next().unwrap();
        let action = attribute(form.split('>').next().unwrap(), "action").unwrap();
        let inputs = form.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap());
        let hidden = inputs.filter(|it| attribute(it, "type").as_deref() == Some("hidden"));
        let fields = hidden.map(|input| {
            (attribute(input, "name").unwrap(), attribute(input, "value").unwrap_or_default())
        });
        (resolved(&self.url, &action), fields.collect())
    }

    pub fn is_redirect(&self) -> bool {
        (300..400).contains(&self.status)
    }

    /// Where a redirect leads.
    pub fn location(&self) -> String {
        assert!(self.is_redirect(), "{}: {}", self.status, self.text);
        resolved(&self.url, self.header("Location"))
    }
}

pub struct Browser {
    agent: Agent,
    pub cookies: Vec<Cookie>,
}

impl Browser {
    pub fn new() -> Browser {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(60)));
        Browser { agent: config.build().new_agent(), cookies: Vec::new() }
    }

    /// The cookie of a name, whoever set it.
    pub fn cookie(&self, name: &str) -> Option<&Cookie> {
        self.cookies.iter().find(|cookie| cookie.name == name)
    }

    /// Loads a page, without going on where it leads.
    pub fn get(&mut self, url: &str) -> Page {
        self.request(Method::GET, url, &[], None)
    }

    /// Loads a page, and goes on where it leads.
    pub fn open(&mut self, url: &str) -> Page {
        let page = self.get(url);
        self.follow(page)
    }

    /// Goes on where a page leads, until one leads nowhere.
    pub fn follow(&mut self, mut page: Page) -> Page {
        for _ in 0..MOST_REDIRECTS {
            if !page.is_redirect() {
                return page;
            }
            page = self.get(&page.location());
        }
        panic!("redirects without end, at last to {}", page.url);
    }

    /// Fills in the first form of a page and sends it, as a browser does.
    pub fn submit(&mut self, page: &Page, fields: &[(&str, &str)]) -> Page {
        let (url, mut all) = page.form();
        all.extend(fields.iter().map(|(name, value)| (name.to_string(), value.to_string())));
        let origin = origin_of(&page.url);
        let headers = [("Origin", origin.as_str()), ("Sec-Fetch-Site", "same-origin")];
        self.post(&url, &headers, &all)
    }

    /// Sends a form that is on no page.
    pub fn post(&mut self, url: &str, headers: &[(&str, &str)], form: &[(String, String)]) -> Page {
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        self.request(Method::POST, url, headers, Some(&form.join("&")))
    }

    fn request(
        &mut self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        form: Option<&str>,
    ) -> Page {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookies = self.cookies_for(url);
        if !cookies.is_empty() {
            request = request.header("Cookie", cookies);
        }
        let mut response = match form {
            Some(form) => {
                let kind = "application/x-www-form-urlencoded";
                self.agent.run(request.header("Content-Type", kind).body(form).unwrap()).unwrap()
            }
            None => self.agent.run(request.body(()).unwrap()).unwrap(),
        };
        for line in response.headers().get_all("Set-Cookie") {
            self.keep(url, line.to_str().unwrap());
        }
        Page {
            url: url.to_owned(),
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.body_mut().read_to_string().unwrap(),
        }
    }

    fn cookies_for(&self, url: &str) -> String {
        let (origin, path) = (origin_of(url), path_of(url));
        let sent = self.cookies.iter();
        let sent = sent.filter(|it| it.origin == origin && path.starts_with(&it.path));
        let sent: Vec<_> = sent.map(|it| format!("{}={}", it.name, it.value)).collect();
        sent.join("; ")
    }

    fn keep(&mut self, url: &str, line: &str) {
        let mut parts = line.split(';').map(str::trim);
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let mut cookie = Cookie {
            origin: origin_of(url),
            path: "/".into(),
            name: name.into(),
            value: value.into(),
            line: line.into(),
        };
        let mut is_over = false;
        for part in parts {
            match part.split_once('=').unwrap_or((part, "")) {
                (key, path) if key.eq_ignore_ascii_case("path") => cookie.path = path.into(),
                (key, "0") if key.eq_ignore_ascii_case("max-age") => is_over = true,
                // The provider ends cookies by a day in 1970.
                (key, day) if key.eq_ignore_ascii_case("expires") => is_over = day.contains("1970"),
                _ => {}
            }
        }
        let same = |other: &Cookie| {
            (&other.origin, &other.path, &other.name)
                == (&cookie.origin, &cookie.path, &cookie.name)
        };
        self.cookies.retain(|other| !same(other));
        if !is_over {
            self.cookies.push(cookie);
        }
    }
}

/// The value of an attribute in the text of a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    let value = rest.split('"').next()?;
    Some(
        value
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&lt;", "<")
            .replace("&amp;", "&"),
    )
}

pub fn origin_of(url: &str) -> String {
    url.split('/').take(3).collect::<Vec<_>>().join("/")
}

fn path_of(url: &str) -> &str {
    let rest = &url[origin_of(url).len()..];
    rest.split('?').next().unwrap()
}

fn resolved(url: &str, location: &str) -> String {
    match location {
        _ if location.starts_with('/') => format!("{}{location}", origin_of(url)),
        _ => location.to_owned(),
    }
}

pub fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes()
        .map(|byte| match plain(&byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

/// A parameter of a URL's query, as it stands there.
pub fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
}
