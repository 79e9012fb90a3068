//! What was deleted is brought back: always, as long as the grace lasts.

use serde_json::{Value, json};
use ureq::http::Method;

use crate::book::{Place, Standing};
use crate::client::Lost;
use crate::pusher::Pusher;
use crate::support::registry::Reply;

impl Pusher<'_> {
    pub(super) fn restore(&mut self, book: usize) {
        let deleted = self.books[book].deleted();
        let Some((digest, since)) = self.random.choose(&deleted).cloned() else { return };
        let restored = self.ask_to_restore(book, &json!({ "digest": digest }));
        let account = &mut self.books[book];
        match restored {
            Ok(reply) if reply.status == 200 => {
                let tags = reply.json()["tags"].as_array().unwrap().clone();
                let tags: Vec<String> =
                    tags.iter().map(|tag| tag.as_str().unwrap().to_owned()).collect();
                account.note(&digest, &format!("brought back as {tags:?}"));
                account.restored(&digest, &tags);
                self.done.restored += 1;
            }
            Ok(reply) => {
                let text = format!("not brought back: {} {}", reply.status, reply.text());
                account.note(&digest, &text);
                let late = since.elapsed() > self.common.grace;
                // Those that it needs may have been let go of before itself.
                let children = &account.manifests[&digest].content.children;
                let lacks = !children.iter().all(|child| account.is_certain(child));
                let fits =
                    (late && [404, 410].contains(&reply.status)) || (lacks && reply.status == 410);
                assert!(fits, "{text}\n{}", account.story(&digest));
            }
            Err(Lost(why)) => {
                account.note(&digest, &format!("perhaps brought back: {why}"));
                account.restoring_lost(&digest);
                self.done.lost += 1;
            }
        }
    }

    pub(super) fn restore_tag(&mut self, book: usize) {
        let account = &self.books[book];
        let is_open = |digest: &String| account.manifests[digest].standing == Standing::Open;
        let lost = account.tags.iter().filter_map(|(name, tag)| match &tag.place {
            Place::Nowhere { since, was_at } if !is_open(was_at) => {
                Some((name.clone(), *since, was_at.clone()))
            }
            _ => None,
        });
        let lost: Vec<_> = lost.collect();
        let Some((tag, since, was_at)) = self.random.choose(&lost).cloned() else { return };
        let certain = account.is_certain(&was_at);
        let restored = self.ask_to_restore(book, &json!({ "tag": tag }));
        let account = &mut self.books[book];
        match restored {
            Ok(reply) if reply.status == 200 => {
                account.note(&tag, &format!("brought back: {}", reply.text()));
                assert_eq!(reply.json()["digest"], was_at.as_str(), "{}", account.story(&tag));
                if matches!(account.manifests[&was_at].standing, Standing::Gone(_)) {
                    account.restored(&was_at, &[]);
                }
                account.stands(&tag, &was_at);
                self.done.restored += 1;
            }
            Ok(reply) => {
                let text = format!("not brought back: {} {}", reply.status, reply.text());
                account.note(&tag, &text);
                let late = since.is_none_or(|since| since.elapsed() > self.common.grace);
                let fits = [404, 410].contains(&reply.status) && (late || !certain);
                assert!(fits, "{tag}: {text}\n{}", account.story(&tag));
            }
            Err(Lost(why)) => {
                account.note(&tag, &format!("perhaps brought back: {why}"));
                if matches!(account.manifests[&was_at].standing, Standing::Gone(_)) {
                    account.restoring_lost(&was_at);
                }
                account.is_open(&tag);
                self.done.lost += 1;
            }
        }
    }

    fn ask_to_restore(&mut self, book: usize, what: &Value) -> Result<Reply, Lost> {
        let repository = self.books[book].repository.replace('/', "%2F");
        let target = format!("/api/v1/repositories/{repository}/restore");
        let headers = [("Content-Type", "application/json")];
        self.client.ask(Method::POST, &target, &headers, Some(what.to_string().as_bytes()))
    }
}
