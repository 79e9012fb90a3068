//! Direct uploads where there are quotas: room is held for all of an upload when it begins.

use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::http::Method;

use crate::bytes;
use crate::forging::strange_key;
use crate::house::{House, PASSWORD, admin, basic, bearer, people};
use crate::store::Store;
use crate::support::engines::Shared;
use crate::support::nodes::Nodes;
use crate::support::registry::{Registry, Reply, digest, image_manifest};

const UPLOADS: &str = "/v2/team/app/_wharf/direct/uploads/";
const SIZE: usize = 9 << 20;

/// Room for a manifest.
const MORE: usize = 1000;

/// `ada`, who pushes to her organization, and the administrator of all.
struct People {
    registry: Registry,
    root: String,
    bearer: String,
}

impl People {
    fn of(registry: Registry, admin: impl Fn(&[&str]) -> String) -> People {
        let root = basic("root", &admin(&["token", "root", "--role", "admin"]));
        let target = "/token?service=wharf&scope=repository:team/app:pull,push";
        let login = basic("ada", PASSWORD);
        let said = registry.send(Method::GET, target, &[("Authorization", &login)], None).unwrap();
        assert_eq!(said.status, 200, "{}", said.text());
        let bearer = bearer(said.json()["token"].as_str().unwrap());
        People { registry, root, bearer }
    }

    fn manage(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let headers = [("Authorization", self.root.as_str()), ("Content-Type", "application/json")];
        let text = body.map(Value::to_string);
        let target = format!("/api/v1{path}");
        let body = text.as_deref().map(str::as_bytes);
        let reply = self.registry.send(method, &target, &headers, body).unwrap();
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.json()
    }

    fn usage(&self, field: &str) -> u64 {
        self.manage(Method::GET, "/namespaces/team/usage", None)[field].as_u64().unwrap()
    }

    fn ask(&self, method: Method, target: &str, body: Option<&[u8]>) -> Reply {
        let headers = [("Authorization", self.bearer.as_str())];
        self.registry.send(method, target, &headers, body).unwrap()
    }

    fn begin(&self, size: usize) -> Reply {
        let document = json!({ "size": size }).to_string();
        self.ask(Method::POST, UPLOADS, Some(document.as_bytes()))
    }

    /// Sends every part to where it belongs, and ends the upload.
    fn send(&self, begun: &Reply, content: &[u8]) -> Reply {
        let upload = place(begun);
        let size = begun.json()["partSize"].as_u64().unwrap() as usize;
        for (index, part) in content.chunks(size).enumerate() {
            let document = json!({ "parts": [index + 1] }).to_string();
            let target = format!("{upload}/parts");
            let addressed = self.ask(Method::POST, &target, Some(document.as_bytes()));
            assert_eq!(addressed.status, 200, "{}", addressed.text());
            let url = addressed.json()["parts"][0]["url"].as_str().unwrap().to_owned();
            // A URL that is signed allows just that, and takes no other credentials.
            let sent = if url.contains("X-Amz-Signature=") {
                self.registry.send(Method::PUT, &url, &[], Some(part)).unwrap()
            } else {
                self.ask(Method::PUT, &url, Some(part))
            };
            assert!([200, 201].contains(&sent.status), "{} {}", sent.status, sent.text());
        }
        let received = self.ask(Method::GET, &upload, None).json()["received"].clone();
        let document = json!({ "parts": received }).to_string();
        let target = format!("{upload}?digest={}", digest(content));
        self.ask(Method::PUT, &target, Some(document.as_bytes()))
    }
}

/// The path of an upload that has begun.
fn place(begun: &Reply) -> String {
    assert_eq!(begun.status, 201, "{}", begun.text());
    let location = begun.header("Location").unwrap();
    location[location.find("/v2/").unwrap()..].to_owned()
}

fn is_kept(people: &People, store: &Store) {
    let before = people.usage("bytes");
    let limit = before + (SIZE + MORE) as u64;
    people.manage(Method::PUT, "/namespaces/team/quota", Some(&json!({ "bytes": limit })));
    let refused = |size: usize, used: u64| {
        let reply = people.begin(size);
        assert_eq!(reply.status, 403, "{}", reply.text());
        let error = reply.json()["errors"][0].clone();
        assert_eq!(error["code"], "DENIED");
        let quota = json!({ "namespace": "team" });
        let detail = json!({
            "quota": quota, "of": "bytes", "used": used, "limit": limit, "needed": size,
        });
        assert_eq!(error["detail"], detail);
    };
    refused(SIZE + MORE + 1, before);
    assert_eq!(people.usage("reserved_bytes"), 0);
    assert!(store.find().staged.is_empty(), "{:?}", store.find());

    // What is on its way counts, until it is given up.
    let begun = people.begin(SIZE);
    let upload = place(&begun);
    assert_eq!(people.usage("reserved_bytes"), SIZE as u64);
    refused(MORE + 1, before + SIZE as u64);
    let given_up = people.ask(Method::DELETE, &upload, None);
    assert_eq!(given_up.status, 204, "{}", given_up.text());
    assert_eq!(people.usage("reserved_bytes"), 0);
    assert!(store.find().staged.is_empty(), "{:?}", store.find());

    let content = bytes(SIZE, 1);
    let ended = people.send(&people.begin(SIZE), &content);
    assert_eq!(ended.status, 201, "{}", ended.text());
    assert_eq!(people.usage("reserved_bytes"), SIZE as u64, "until a manifest names it");
    let image = image_manifest(&[(digest(&content), SIZE)], "v1");
    let headers = [("Authorization", people.bearer.as_str())];
    let pushed = people.registry.push_manifest("team/app", "v1", &headers, &image).unwrap();
    assert_eq!(pushed.status, 201, "{}", pushed.text());
    let held = before + (SIZE + image.len()) as u64;
    assert_eq!((people.usage("bytes"), people.usage("reserved_bytes")), (held, 0));
    assert!(store.find().staged.is_empty(), "{:?}", store.find());
}

#[test]
fn room_is_held_for_a_direct_upload_into_files() {
    let house = House::start();
    let people = People::of(house.registry.clone(), |arguments| house.admin(arguments));
    is_kept(&people, &Store::folder(&house.data().join("blobs")));
}

#[test]
fn room_is_held_for_a_direct_upload_into_a_bucket() {
    let (keys, folder) = (strange_key(), TempDir::new().unwrap());
    let shared = Shared::new()
        .with("WHARF_ACCESS_CONTROL", "true")
        .with("WHARF_ACCESS_KEYS", keys.path().to_str().unwrap());
    let nodes = Nodes::start(2, &shared.settings());
    let admin = |arguments: &[&str]| admin(folder.path(), &shared.settings(), arguments);
    people(admin);
    is_kept(&People::of(nodes.registry(), admin), &Store::bucket(&shared));
}
