//! A registry whose people log in at the real provider, and what they do there.

use std::ops::Deref;

use crate::browser::{Browser, Page};
use crate::house::House;
use crate::provider::{at_provider, log_in, providers};

/// A registry with people in it, and identity providers.
pub struct Stand {
    house: House,
}

impl Deref for Stand {
    type Target = House;

    fn deref(&self) -> &House {
        &self.house
    }
}

impl Stand {
    /// Behind the real provider, by each of its clients, each as a provider of its own.
    pub fn start() -> Stand {
        Stand::start_with(&[])
    }

    /// The same with these settings besides, or instead.
    pub fn start_with(settings: &[(&str, &str)]) -> Stand {
        let providers = providers();
        let providers = providers.iter().map(|(name, value)| (*name, value.as_str()));
        let all: Vec<_> = providers.chain(settings.iter().copied()).collect();
        Stand { house: House::start_with(&all) }
    }

    /// An address of the registry.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.house.server.address())
    }

    /// A new browser in which somebody has logged in at a provider: `ada:/devs` is `ada` of one group.
    pub fn logged_in(&self, provider: &str, who: &str) -> Browser {
        let mut browser = Browser::new();
        let page = self.log_in(&mut browser, provider, who);
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(page.text.contains("You are logged in as"), "{}", page.text);
        browser
    }

    /// Logs in at a provider, from the button on.
    pub fn log_in(&self, browser: &mut Browser, provider: &str, who: &str) -> Page {
        log_in(browser, &self.url(""), provider, who)
    }

    /// Logs in at the provider that a page leads to: where it sends the browser back to.
    pub fn at_provider(&self, browser: &mut Browser, begun: Page, who: &str) -> String {
        at_provider(browser, &self.url(""), begun, who)
    }

    /// Logs in by a password.
    pub fn by_password(&self, browser: &mut Browser, name: &str, password: &str) -> Page {
        let form = browser.open(&self.url("/login"));
        browser.submit(&form, &[("name", name), ("password", password)])
    }

    /// Who a browser is to the registry.
    pub fn who(&self, browser: &mut Browser) -> Option<String> {
        let page = browser.open(&self.url("/login"));
        let (_, rest) = page.text.split_once("You are logged in as <strong>")?;
        Some(rest.split('<').next().unwrap().to_owned())
    }

    /// The records of the audit log of an action, the newest first: who, what with, what became of it, what else.
    pub fn audited(&self, action: &str) -> Vec<String> {
        let all = self.house.admin(&["audit", "--all", "--json"]);
        let records =
            all.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let of_action = records.filter(|record| record["action"] == action);
        let text = |record: &serde_json::Value, name: &str| {
            record[name].as_str().unwrap_or("-").to_owned()
        };
        let shown = of_action.map(|record| {
            ["by", "address", "target", "outcome", "detail"]
                .map(|name| text(&record, name))
                .join(" ")
        });
        shown.collect()
    }
}
