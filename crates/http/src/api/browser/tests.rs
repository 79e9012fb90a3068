//! Which requests are taken for those of a browser.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use wharf_core::authority::Secret;
use wharf_core::browser::{Attempt, LoginProvider, LoginRefusal, ProviderAnswer, Visit};
use wharf_core::clock::{SystemRandom, Timestamp};
use wharf_core::devices::{DeviceGrant, DeviceRefusal, DeviceRequest, DeviceToken};
use wharf_core::metadata::{Change, DeviceFind, Session, UserCode};

use super::*;

/// One session, and nothing else.
struct One(BrowserSecret);

#[async_trait]
impl BrowserLogin for One {
    fn providers(&self) -> Vec<LoginProvider> {
        Vec::new()
    }

    fn takes_passwords(&self) -> bool {
        false
    }

    async fn log_in(&self, _: String, _: Secret, _: Visit) -> Result<BrowserSecret, LoginRefusal> {
        Err(LoginRefusal::Credentials)
    }

    async fn begin(&self, _: &Attempt, _: Visit) -> Result<String, LoginRefusal> {
        Err(LoginRefusal::UnknownProvider)
    }

    async fn finish(
        &self,
        _: &Attempt,
        _: ProviderAnswer,
        _: Visit,
    ) -> Result<BrowserSecret, LoginRefusal> {
        Err(LoginRefusal::UnknownProvider)
    }

    async fn admit(&self, _: Visit) -> Result<(), Duration> {
        Ok(())
    }

    async fn session(&self, secret: &BrowserSecret) -> Result<Option<Session>, StoreError> {
        Ok((*secret == self.0).then(|| Session {
            user: "ada".parse().unwrap(),
            site_admin: false,
            provider: None,
            started_at: Timestamp(0),
            ends_at: Timestamp(1),
        }))
    }

    async fn log_out(&self, _: &BrowserSecret) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl Devices for One {
    async fn begin(&self, _: DeviceRequest<'_>, _: Visit) -> Result<DeviceGrant, DeviceRefusal> {
        Err(DeviceRefusal::Expired)
    }

    async fn token(&self, _: &str, _: Visit) -> Result<DeviceToken, DeviceRefusal> {
        Err(DeviceRefusal::Expired)
    }

    fn token_life(&self) -> Duration {
        Duration::ZERO
    }

    async fn find(&self, _: &BrowserSecret, _: UserCode) -> Result<DeviceFind, StoreError> {
        Ok(DeviceFind::Unknown)
    }

    async fn decide(
        &self,
        _: &BrowserSecret,
        _: UserCode,
        _: bool,
        _: Visit,
    ) -> Result<Change, StoreError> {
        Ok(Change::NotFound)
    }
}

fn head(method: Method, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

#[tokio::test]
async fn the_api_takes_a_browsers_session_with_its_token_alone() {
    let secret = BrowserSecret::new(&SystemRandom);
    let one = Arc::new(One(secret.clone()));
    let browsers = Browsers { login: one.clone(), devices: one };
    let site = Site::new("https://registry.example");
    let cookie = format!("a=b; __Host-wharf-session={}", secret.expose());
    let token = Browsing {
        session: browsers.login.session(&secret).await.unwrap().unwrap(),
        secret: secret.clone(),
    }
    .form_token();
    let session = ("cookie", cookie.as_str());
    let shown = ("x-csrf-token", token.as_str());
    for (method, headers, expected) in [
        (Method::GET, &[session][..], "ada"),
        (Method::GET, &[], "nobody"),
        (Method::GET, &[("cookie", "__Host-wharf-session=0")], "nobody"),
        // A name that another host of the domain could have set.
        (Method::GET, &[("cookie", &cookie.replace("__Host-", ""))], "nobody"),
        (Method::POST, &[], "nobody"),
        (Method::POST, &[session], "forged"),
        (Method::DELETE, &[session, ("x-csrf-token", "")], "forged"),
        (Method::POST, &[session, ("x-csrf-token", &secret.expose())], "forged"),
        (Method::POST, &[session, shown], "ada"),
        (Method::POST, &[session, shown, ("origin", "https://registry.example")], "ada"),
        (Method::POST, &[session, shown, ("origin", "https://evil.example")], "forged"),
        (Method::POST, &[session, shown, ("origin", "null")], "forged"),
        (Method::POST, &[session, shown, ("sec-fetch-site", "same-origin")], "ada"),
        (Method::POST, &[session, shown, ("sec-fetch-site", "same-site")], "forged"),
        (Method::POST, &[session, shown, ("sec-fetch-site", "cross-site")], "forged"),
    ] {
        let found = browsers.of_request(&head(method.clone(), headers), &site).await;
        let found = match found {
            Ok(Some(browsing)) => browsing.session.user.to_string(),
            Ok(None) => "nobody".into(),
            Err(NotOfBrowser::Forged) => "forged".into(),
            Err(NotOfBrowser::Store(error)) => panic!("{error}"),
        };
        assert_eq!(found, expected, "{method} {headers:?}");
    }
}

#[test]
fn secrets_travel_over_tls_or_on_one_machine() {
    for (url, safe, cookie) in [
        ("https://registry.example", true, "__Host-wharf-session"),
        ("https://registry.example:8443/prefix", true, "__Host-wharf-session"),
        ("http://127.0.0.1:5000", true, "wharf-session"),
        ("http://[::1]:5000", true, "wharf-session"),
        ("http://localhost:5000", true, "wharf-session"),
        ("http://registry.example", false, "wharf-session"),
        ("http://127.0.0.1.example", false, "wharf-session"),
        ("http://localhost.example", false, "wharf-session"),
        ("http://10.0.0.1", false, "wharf-session"),
    ] {
        let site = Site::new(url);
        assert_eq!(site.is_safe(), safe, "{url}");
        let set = site.set_cookie(cookies::SESSION, "x", None);
        assert!(set.starts_with(&format!("{cookie}=x; Path=/; HttpOnly; SameSite=Lax")), "{set}");
        assert_eq!(set.contains("; Secure"), url.starts_with("https"), "{set}");
    }
}

#[test]
fn an_origin_is_compared_as_browsers_write_it() {
    let from = |origin: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static("origin"), HeaderValue::from_str(origin).unwrap());
        headers
    };
    let site = Site::new("https://Registry.Example:443");
    assert!(site.asks_itself(&from("https://registry.example")));
    for other in [
        "http://registry.example",
        "https://registry.example:444",
        "https://registry.example.evil",
        "",
    ] {
        assert!(!site.asks_itself(&from(other)), "{other}");
    }
    assert!(site.asks_itself(&HeaderMap::new()));
}
