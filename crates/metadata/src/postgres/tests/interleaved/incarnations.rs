//! Keys of blobs: given out, and forgotten.

use std::time::Duration;

use wharf_core::metadata::{ReserveBlob, ReserveOutcome};

use super::{ALL, How, Scene};
use crate::contract::samples::blob;
use crate::contract::stand::TIME_LIMIT;
use crate::transactions::garbage::blobs::Forget;

/// A push that saw the key deleted, and goes on when it was forgotten, would take a blob from whoever pushed it there since: it begins again,
/// and goes to the same key.
#[tokio::test]
async fn a_reservation_and_the_forgetting_of_a_deleted_key() {
    for how in ALL {
        let (scene, digest) = (Scene::new().await, blob("one"));
        let id = scene.stand.start("a").await;
        scene.stand.mark(digest, 0, "deleted").await;
        let reservation = ReserveBlob { id, digest, time_limit: TIME_LIMIT };
        let forget = Forget { latest: Duration::ZERO, limit: 100 };
        let (reserved, forgotten) = scene.both(how, reservation, forget).await;
        let ReserveOutcome::Reserved(key) = reserved else { panic!("{how:?}: {reserved:?}") };
        let forgotten_first = matches!(how, How::FirstBegins | How::SecondHolds);
        assert_eq!(key.incarnation, u32::from(!forgotten_first), "{how:?}");
        assert_eq!(forgotten, 1, "{how:?}");
    }
}
