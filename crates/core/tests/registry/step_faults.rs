//! A fault at every single step of each way to push a blob: what is left is a blob that can be pulled or nothing
//! that can be seen, and a client that begins anew succeeds.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use wharf_blobs::{Fault, Method};
use wharf_core::blobs::Blobs;
use wharf_core::metadata::Uploads;
use wharf_core::operation::MountBlob;
use wharf_core::{Mounted, Result, StoreError};
use wharf_oci::{Algorithm, Digest, Hasher};

use crate::faulty_metadata::MetadataFault;
use crate::stand::{Stand, content, digest, name, nothing, whole};

/// A way to push the bytes to the repository `a`.
type Way<B> = for<'a> fn(&'a Stand<B>, &'a Bytes) -> BoxFuture<'a, Result<Digest>>;

fn in_one_request<'a, B: Blobs>(
    stand: &'a Stand<B>,
    bytes: &'a Bytes,
) -> BoxFuture<'a, Result<Digest>> {
    Box::pin(async move { stand.push("a", bytes).await.map(|()| digest(bytes)) })
}

fn in_two_requests<'a, B: Blobs>(
    stand: &'a Stand<B>,
    bytes: &'a Bytes,
) -> BoxFuture<'a, Result<Digest>> {
    Box::pin(async move {
        let upload = stand.start("a").await?;
        stand.finish("a", upload, digest(bytes), whole(bytes)).await?;
        Ok(digest(bytes))
    })
}

fn in_chunks<'a, B: Blobs>(stand: &'a Stand<B>, bytes: &'a Bytes) -> BoxFuture<'a, Result<Digest>> {
    Box::pin(async move {
        let upload = stand.start("a").await?;
        let (first, second) = (bytes.slice(..bytes.len() / 3), bytes.slice(bytes.len() / 3..));
        stand.append("a", upload, whole(&first)).await?;
        stand.append("a", upload, whole(&second)).await?;
        stand.finish("a", upload, digest(bytes), nothing()).await?;
        Ok(digest(bytes))
    })
}

/// As SHA-512, which nobody announced.
fn under_another_algorithm<'a, B: Blobs>(
    stand: &'a Stand<B>,
    bytes: &'a Bytes,
) -> BoxFuture<'a, Result<Digest>> {
    Box::pin(async move {
        let digest = Hasher::digest(Algorithm::Sha512, bytes);
        let upload = stand.start("a").await?;
        stand.append("a", upload, whole(bytes)).await?;
        stand.finish("a", upload, digest, nothing()).await?;
        Ok(digest)
    })
}

/// From the repository `b`, which comes to hold the blob in whichever way works.
fn by_a_mount<'a, B: Blobs>(
    stand: &'a Stand<B>,
    bytes: &'a Bytes,
) -> BoxFuture<'a, Result<Digest>> {
    Box::pin(async move {
        let digest = digest(bytes);
        stand.push("b", bytes).await?;
        let mount = MountBlob { repository: name("a"), digest, from: Some(name("b")) };
        let mount = stand.allowed(mount).await;
        match stand.registry.mount_blob(&mount).await? {
            Mounted::Mounted => {}
            Mounted::Upload(upload) => stand.finish("a", upload.id, digest, whole(bytes)).await?,
        }
        Ok(digest)
    })
}

fn store_faults() -> Vec<Fault> {
    vec![
        Fault::Fail(StoreError::Unavailable("on purpose".into())),
        Fault::Fail(StoreError::Full("on purpose".into())),
        Fault::LoseReply,
        Fault::BreakAfter(50_000, StoreError::Unavailable("on purpose".into())),
        Fault::BreakAfter(50_000, StoreError::Full("on purpose".into())),
    ]
}

const METHODS: [Method; 5] =
    [Method::Stage, Method::Append, Method::ReadStaged, Method::Finish, Method::Discard];

/// Sends the bytes while one step goes wrong, looks at what is left, and sends them again.
async fn survive<B: Blobs>(stand: Stand<B>, way: Way<B>, bytes: &Bytes, what: &str) {
    let pushed = way(&stand, bytes).await;
    for algorithm in Algorithm::ALL {
        let digest = Hasher::digest(algorithm, bytes);
        let found = stand.pull("a", digest).await;
        assert!(found.is_none_or(|found| found == bytes), "{what}: other bytes");
    }
    if let Ok(digest) = pushed {
        assert!(stand.pull("a", digest).await.is_some(), "{what}: acknowledged and not there");
    }
    let digest = way(&stand, bytes).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(stand.pull("a", digest).await.unwrap() == bytes, "{what}: pushed again");
    // Whatever lies about is ended in time, and no blob with it.
    stand.clock.advance(stand.registry.rules().upload_lifetime * 2);
    stand.registry.end_expired_uploads(100).await.unwrap();
    assert_eq!(stand.metadata.count_uploads().await.unwrap(), 0, "{what}: uploads for ever");
    assert!(stand.pull("a", digest).await.unwrap() == bytes, "{what}: after the clean-up");
}

/// Takes a way once to count its steps, and then once for each step and fault.
async fn at_every_step<B: Blobs>(make: fn() -> Stand<B>, way: Way<B>) {
    let bytes = content(150_000, 1);
    let counted = make();
    way(&counted, &bytes).await.unwrap();
    for (method, calls) in METHODS.map(|method| (method, counted.blobs.calls(method))) {
        for call in 1..=calls {
            for fault in store_faults() {
                let (stand, what) = (make(), format!("{method:?} {call}: {fault:?}"));
                stand.blobs.script(method, call, fault);
                survive(stand, way, &bytes, &what).await;
            }
        }
    }
    for (method, calls) in counted.metadata.calls() {
        for call in 1..=calls {
            for (kind, fault) in [("fail", MetadataFault::Fail), ("lose", MetadataFault::LoseReply)]
            {
                let (stand, what) = (make(), format!("{method} {call}: {kind}"));
                stand.metadata.script(method, call, fault);
                survive(stand, way, &bytes, &what).await;
            }
        }
    }
}

macro_rules! every_way {
    ($make:path: $($way:ident)*) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $way() {
            super::at_every_step($make, super::$way).await;
        }
    )* };
    ($make:path) => {
        every_way! { $make:
            in_one_request in_two_requests in_chunks under_another_algorithm by_a_mount
        }
    };
}

mod a_fault_at_any_step_of_a_push_to_memory {
    every_way!(crate::stand::Stand::new);
}

mod a_fault_at_any_step_of_a_push_to_files {
    every_way!(crate::stand::Stand::on_files);
}
