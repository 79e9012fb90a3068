//! Adopting into namespaces that may only hold so much.

use wharf_core::metadata::{
    Accounts as _, Change, ChangeRequest, NewUser, Quota, Scope, SetNamespaceQuota,
    UsageMetadata as _,
};

use crate::stand::Stand;

/// The namespace `team`, of a user, which may hold so much.
async fn limited(stand: &Stand, quota: Quota) {
    let name = "team".parse().unwrap();
    let user = NewUser { name, email: None, password_hash: None, site_admin: false }.into();
    let namespace = "team".parse().unwrap();
    let limit = SetNamespaceQuota { namespace, quota, expected: None }.into();
    for (change, expected) in [(user, None), (limit, Some(Change::Done))] {
        let request = ChangeRequest { change, by: "user:ada".into(), once: None };
        let changed = stand.database.change(request).await.unwrap();
        // The user may be there already.
        assert!(expected.is_none_or(|expected| changed == expected), "{changed:?}");
    }
}

const fn bytes(limit: u64) -> Quota {
    Quota { bytes: Some(limit), manifests: None, tags: None }
}

async fn used(stand: &Stand, repository: &str) -> u64 {
    let scope = Scope::Repository(repository.parse().unwrap());
    stand.database.find_usage(scope).await.unwrap().unwrap().usage.bytes
}

/// And nothing that somebody would have to find out afterwards.
#[tokio::test]
async fn what_is_adopted_is_charged_as_it_is() {
    let stand = Stand::new();
    let one = stand.tree.image_on("team/app", "one", &[1; 10_000]);
    stand.tree.image_on("team/app", "two", &[1; 10_000]);
    stand.adopt().await;
    let manifest = stand.manifest("team/app", &one.to_string()).await.unwrap();
    let own = manifest.payload.len() as u64;
    // Both manifests are as long, and share the layer.
    assert_eq!(used(&stand, "team/app").await, 10_000 + 3 + 3 + 2 * own);
    assert!(stand.database.unsized_blobs(None, 10).await.unwrap().is_empty());
}

/// Until there is room, when another run takes the rest.
#[tokio::test]
async fn what_does_not_fit_is_told_for_each_repository_and_the_rest_is_adopted() {
    let stand = Stand::new();
    limited(&stand, bytes(15_000)).await;
    for (number, tag) in [(1, "v1"), (2, "v2"), (3, "v3")] {
        let image = stand.tree.image_on("team/app", tag, &[number; 10_000]);
        stand.tree.tag("team/app", tag, &image);
    }
    stand.tree.image_on("team/other", "other", &[4; 10_000]);
    let sound = stand.tree.image("zz/sound", "sound");
    stand.tree.tag("zz/sound", "v1", &sound);
    let progress = stand.adopt().await;
    stand.serves("zz/sound", &sound, &["v1"]).await;
    assert_eq!(stand.tags("team/app").await.len(), 1, "what fits is adopted");
    let found = stand.left_out().await;
    let quotas: Vec<_> = found.iter().filter(|line| line.contains(": quota: ")).collect();
    let [app, other] = &quotas[..] else { panic!("{found:?}") };
    for (line, repository, manifests) in [(app, "team/app", 2), (other, "team/other", 1)] {
        let begin = format!("{repository}: quota: the quota of the namespace team is exceeded: ");
        assert!(line.starts_with(&begin), "{line}");
        assert!(line.contains("of 15000 bytes (15.0 kB) are used"), "{line}");
        assert!(line.contains("10000 bytes (10.0 kB) more are needed"), "{line}");
        assert!(line.contains(&format!(": {manifests} manifests are left out, which")), "{line}");
    }
    assert!(app.ends_with(" (20.9 kB)") || app.ends_with(" (21.0 kB)"), "{app}");
    // Three manifests, and the two tags on them.
    assert_eq!((found.len(), progress.left_out), (4, 5), "{found:?}");
    // A layer of the other one would not have been hashed for nothing.
    assert!(progress.bytes < 40_000, "{progress:?}");
    limited(&stand, bytes(100_000)).await;
    stand.adopt().await;
    assert_eq!(stand.left_out().await, Vec::<String>::new());
    assert_eq!(stand.tags("team/app").await, ["v1", "v2", "v3"]);
}

/// Each by its name.
#[tokio::test]
async fn tags_too_many_are_left_out() {
    let stand = Stand::new();
    limited(&stand, Quota { tags: Some(1), ..Quota::default() }).await;
    let image = stand.tree.image("team/app", "one");
    for tag in ["v1", "v2"] {
        stand.tree.tag("team/app", tag, &image);
    }
    stand.adopt().await;
    let [left] = &stand.left_out().await[..] else { panic!() };
    let kept = &stand.tags("team/app").await[0];
    let other = if kept == "v1" { "v2" } else { "v1" };
    let text =
        "the quota of the namespace team is exceeded: 1 of 1 tags are used, and 1 more are needed";
    assert!(left.starts_with(&format!("team/app: tag {other}: {text}")), "{left}");
}
